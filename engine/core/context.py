"""What an expression can see: the roots `inputs`, `outputs`, `taskrun`, ... for one task run, or for a whole flow.

Everything is looked up when an expression asks for it: an execution with ten thousand task runs gives as cheap a
context as one with two. Nothing here is ever copied, and nothing here changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

from engine.core.facts import Facts
from engine.core.idempotency import idempotency_key
from engine.core.labels import nested
from engine.core.ledger import Ledger, Path, path_of, rebuild
from engine.expressions.faults import Unavailable
from engine.model.execution import Execution, TaskRun
from engine.model.flow import Container, Flow, Loop, Round
from engine.model.inputs import SecretInput
from engine.model.sealed import ciphertext_of

TENANT = "main"
#: The code of an error that says: a worker can answer this, a decision cannot.
UNAVAILABLE = "function-unavailable"


class Context(Mapping[str, Any]):
    """The roots of the expression language for `run` (None: for the flow as a whole)."""

    def __init__(
        self,
        flow: Flow,
        execution: Execution,
        run: TaskRun | None,
        facts: Facts,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        self.flow = flow
        self.execution = execution
        self.run = run
        self.facts = facts
        self.extra = extra or {}  #: what a task adds of its own, such as `workingDir`
        self._known: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name in self._known:
            return self._known[name]
        if name in self.extra:
            return self.extra[name]
        value = _ROOTS[name](self)
        if value is None:
            raise KeyError(name)
        self._known[name] = value
        return value

    def __contains__(self, name: object) -> bool:
        try:
            self[name]  # type: ignore[index]  # any other key is just absent
        except KeyError:
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        yield from (name for name in _ROOTS if name in self)
        yield from self.extra

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @cached_property
    def ledger(self) -> Ledger:
        """Where the task runs are. One that is only read from the store has it when the first expression asks."""
        return self.execution.tallies or rebuild(self.flow, self.execution)

    def values_of(self, run: TaskRun) -> tuple[str, ...]:
        """The loop values that lead to a task run, outermost first."""
        return path_of(self.execution.task_runs, run)[1:]

    @cached_property
    def idempotency_key(self) -> str | None:
        """By which a service outside can tell that this task run has asked it before."""
        if self.run is None:
            return None
        return idempotency_key(self.flow, self.run, tuple(ancestors(self.execution, self.run)))

    @cached_property
    def _way(self) -> tuple[tuple[Container, str], ...]:
        """The loops around `run`, outermost first, each with the value that leads here."""
        if self.run is None:
            return ()
        loops = self.flow.tree.places[self.run.task_id].loops
        return tuple(zip(loops, self.values_of(self.run), strict=True))

    def way_to(self, task_id: str) -> Path | None:
        """The beginning of the path to a task's runs that goes without saying here; None for one out of sight.

        Within a round of a Loop the round goes without saying. From outside a Loop nothing in it is seen.
        """
        place = self.flow.tree.places.get(task_id)
        if place is None or isinstance(place.task, Round):
            return None
        said = 0
        for number, (loop, (mine, _)) in enumerate(zip(place.loops, self._way, strict=False)):
            if loop is not mine:
                break
            if isinstance(loop, Loop):
                said = number + 1
        if any(isinstance(loop, Loop) for loop in place.loops[said:]):
            return None
        return (task_id, *(value for _, value in self._way[:said]))


class RunsView(Mapping[str, Any]):
    """Something of every task run, by task id and then by the loop values that lead to it."""

    __slots__ = ("_context", "_leaf", "_prefix")

    def __init__(self, context: Context, leaf: Callable[[TaskRun], Any], prefix: Path = ()) -> None:
        self._context = context
        self._leaf = leaf
        self._prefix = prefix

    def __getitem__(self, key: str) -> Any:
        path = (*self._prefix, str(key)) if self._prefix else self._context.way_to(str(key))
        if path is None:
            raise KeyError(key)
        run_id = self._context.ledger.index.get(path)
        if run_id is None:
            raise KeyError(key)
        if len(path) <= len(self._context.flow.tree.places[path[0]].loops):
            return RunsView(self._context, self._leaf, path)
        value = self._leaf(self._context.execution.task_runs[run_id])
        if value is None:
            raise KeyError(key)
        return value

    def __iter__(self) -> Iterator[str]:
        depth = len(self._prefix)
        seen: dict[str, None] = {}
        for run in self._context.execution.in_order():
            if depth and run.task_id != self._prefix[0]:
                continue
            path = path_of(self._context.execution.task_runs, run)
            start = self._prefix or self._context.way_to(run.task_id)
            if start is None or path[: len(start)] != start or self._leaf(run) is None:
                continue
            if not depth:
                seen[run.task_id] = None
            elif len(path) > depth:
                seen[path[depth]] = None
        return iter(seen)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class InputsView(Mapping[str, Any]):
    """The inputs of a flow that has secrets among them: each is opened when an expression asks for it."""

    __slots__ = ("_prefix", "_reveal", "_secrets", "_values")

    def __init__(
        self,
        values: Mapping[str, Any],
        secrets: frozenset[str],
        reveal: Callable[[str], str] | None,
        prefix: str = "",
    ) -> None:
        self._values = values
        self._secrets = secrets
        self._reveal = reveal
        self._prefix = prefix

    def __getitem__(self, key: str) -> Any:
        value, name = self._values[key], f"{self._prefix}{key}"
        ciphertext = ciphertext_of(value) if name in self._secrets else None
        if ciphertext is not None:
            return self._opened(ciphertext, name)
        if isinstance(value, Mapping) and any(secret.startswith(f"{name}.") for secret in self._secrets):
            return InputsView(value, self._secrets, self._reveal, f"{name}.")
        return value

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def _opened(self, ciphertext: str, name: str) -> str:
        if self._reveal is None:
            raise Unavailable(
                f"The secret input `{name}` is not open here,", code=UNAVAILABLE, hint="Read it in a task's property."
            )
        return self._reveal(ciphertext)


def ancestors(execution: Execution, run: TaskRun) -> Iterator[TaskRun]:
    """The task runs of the containers around `run`, nearest first."""
    while run.parent_id is not None:
        run = execution.task_runs[run.parent_id]
        yield run


def rounds_around(flow: Flow, execution: Execution, run: TaskRun) -> list[TaskRun]:
    """The task runs of the rounds of Loops that a task run is in, or is, nearest first."""
    around = (run, *ancestors(execution, run))
    return [each for each in around if isinstance(flow.tree.places[each.task_id].task, Round)]


def item_of(execution: Execution, run: TaskRun) -> dict[str, Any]:
    """The value of a round of a Loop: `value` (text), `index` (from 0), and its `key` in a map."""
    assert run.parent_id is not None
    assert run.iteration is not None
    items = execution.task_runs[run.parent_id].items
    assert items is not None
    item = items[run.iteration]
    if isinstance(item, str):
        return {"value": item, "index": run.iteration}
    return {"value": item[1], "index": run.iteration, "key": item[0]}


def _item(context: Context) -> dict[str, Any] | None:
    if context.run is None:
        return None
    rounds = rounds_around(context.flow, context.execution, context.run)
    if not rounds:
        return None
    item, *parents = (item_of(context.execution, each) for each in rounds)
    return {**item, "parent": parents[0], "parents": parents} if parents else item


def _inputs(context: Context) -> Mapping[str, Any] | None:
    values = context.execution.inputs
    secrets = frozenset(item.id for item in context.flow.inputs if isinstance(item, SecretInput))
    if not secrets:
        return values or None
    return InputsView(values, secrets, context.facts.reveal) if values else None


def _flow(context: Context) -> dict[str, Any]:
    flow = context.flow
    return {"id": flow.id, "namespace": flow.namespace, "revision": context.execution.flow_revision, "tenantId": TENANT}


def _task(context: Context) -> dict[str, Any] | None:
    if context.run is None:
        return None
    task = context.flow.tree.places[context.run.task_id].task
    return {"id": task.id, "type": task.type}


def _taskrun(context: Context) -> dict[str, Any] | None:
    run = context.run
    if run is None:
        return None
    started = run.attempts[-1].started_at if run.attempts else run.history[0].at
    fields = {
        "id": run.id,
        "startDate": started,
        "attemptsCount": max(len(run.attempts), 1),
        "parentId": run.parent_id,
        "value": run.value,
        "iteration": run.iteration,
        "idempotencyKey": context.idempotency_key,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _execution(context: Context) -> dict[str, Any]:
    execution = context.execution
    fields = {
        "id": execution.id,
        "startDate": execution.started_at,
        "state": execution.state.value,
        "originalId": execution.original_id or execution.id,
    }
    return fields if execution.outputs is None else {**fields, "outputs": execution.outputs}


def _variables(context: Context) -> Mapping[str, Any]:
    own = context.execution.variables
    return own if own is not None else context.flow.variables


def _trigger(context: Context) -> Any:
    """What the trigger, or the task that began the execution, told it: its variables."""
    trigger = context.execution.trigger
    return trigger.get("variables", trigger) if trigger is not None else None


def _schedule(context: Context) -> Any:
    """The older name of `trigger`, of an execution that a Schedule began."""
    trigger = context.execution.trigger
    of_dates = trigger is not None and str(trigger.get("type", "")).endswith((".Schedule", ".ScheduleOnDates"))
    return _trigger(context) if of_dates else None


def _parents(context: Context) -> list[dict[str, Any]] | None:
    if context.run is None or context.run.parent_id is None:
        return None
    found = []
    for run in ancestors(context.execution, context.run):
        task = context.flow.tree.places[run.task_id].task
        outputs = None if isinstance(task, Loop) else run.outputs
        if isinstance(task, Round) or (run.value is None and outputs is None):
            continue  # what is in a round knows it as `item`
        entry: dict[str, Any] = {}
        if run.value is not None:
            entry["taskrun"] = {"value": run.value} | (
                {"iteration": run.iteration} if run.iteration is not None else {}
            )
        if outputs is not None:
            entry["outputs"] = outputs
        found.append(entry)
    return found


def _parent(context: Context) -> dict[str, Any] | None:
    parents = _parents(context)
    return parents[0] if parents else None


_ROOTS: dict[str, Callable[[Context], Any]] = {
    "flow": _flow,
    "execution": _execution,
    "task": _task,
    "taskrun": _taskrun,
    "item": _item,
    "inputs": _inputs,
    "outputs": lambda context: RunsView(context, lambda run: run.outputs),
    "tasks": lambda context: RunsView(context, lambda run: {"state": run.state.value}),
    "vars": _variables,
    "labels": lambda context: nested(context.execution.labels),
    "trigger": _trigger,
    "schedule": _schedule,
    "parent": _parent,
    "parents": _parents,
    "envs": lambda context: context.facts.envs,
    "globals": lambda context: context.facts.globals,
}

#: The names of all roots, for did-you-mean and the checker.
ROOTS = tuple(_ROOTS)
