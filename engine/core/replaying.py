"""A past execution -> a new one that runs it again: from the start, or from some of its task runs on.

Always true: the old execution stays as it is. Of the new one everything has ids of its own; what is kept had ended,
and nothing is kept that may only run after what runs again. It begins by `ExecutionStarted`, as any other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from itertools import pairwise
from typing import Any

from msgspec.structs import replace

from engine.core.context import ancestors
from engine.core.draft import Draft
from engine.core.facts import Facts
from engine.core.labels import ITS_OWN
from engine.core.refusal import refusal
from engine.core.restarting import to_restart
from engine.core.topology import followers, goes_one_by_one
from engine.errors import IllegalState, UsageError
from engine.model.events import RestartRequested
from engine.model.execution import Execution, JsonMap, StateChange, TaskRun
from engine.model.flow import Dag, Flow, WorkingDirectory
from engine.model.state import State
from engine.model.tree import AFTER, LISTENERS, ON_PAUSE, Place


def replay(
    flow: Flow,
    execution: Execution,
    new_id: str,
    at: datetime,
    *,
    from_task_runs: Collection[str] = (),
    was: Flow | None = None,
    inputs: JsonMap | None = None,
    outputs: Mapping[str, JsonMap] | None = None,
) -> Execution:
    """A new execution of `flow` that does again what `execution` did; `was` is the flow that it ran, if another.

    Without `from_task_runs` it begins at the start. Else what came before them is kept, with `outputs` (by the task
    run's id in the old execution) in place of what it gave. Raises IllegalState, UsageError for outputs that count
    for nothing.
    """
    fresh = Execution(
        id=new_id,
        namespace=execution.namespace,
        flow_id=execution.flow_id,
        flow_revision=flow.revision,
        state=State.CREATED,
        history=(StateChange(State.CREATED, at),),
        inputs=execution.inputs if inputs is None else inputs,
        labels={name: value for name, value in execution.labels.items() if name not in ITS_OWN},
        trigger=execution.trigger,
        parent_id=execution.id,
        original_id=execution.original_id or execution.id,
    )
    edited = outputs or {}
    if not from_task_runs:
        if edited:
            raise UsageError(
                "a replay from the start keeps no outputs", hint="name the task to begin at, after those tasks"
            )
        return fresh
    if not execution.is_over:
        raise IllegalState(
            f"execution {execution.id} is {execution.state}; only one that has ended can be replayed from a task",
            hint="replay it from the start, or end it first: `penstock executions kill`",
        )
    history = _History(was or flow, flow, execution)
    again = history.beginnings(from_task_runs)
    kept = history.kept(again)
    history.check(kept)
    if lost := sorted(_name(execution, run_id) for run_id in edited.keys() - (kept.keys() - again)):
        raise UsageError(
            f"outputs are given for {', '.join(lost)}, which runs again or has not run",
            hint="outputs can be given for tasks that ended before the one to begin at",
        )
    return replace(
        fresh,
        state=State.RESTARTED,
        history=(*fresh.history, StateChange(State.RESTARTED, at)),
        variables=execution.variables,
        task_runs=fresh.task_runs.update(
            {run.id: run for run in _renewed(kept, again, history.around(again), edited, new_id, at)}
        ),
    )


def restart_elsewhere(
    flow: Flow, execution: Execution, new_id: str, at: datetime, *, was: Flow, facts: Facts
) -> Execution:
    """A new execution that does again what did not end well, on another revision than `was`. Raises IllegalState."""
    event = RestartRequested(at=at)
    why_not = refusal(was, execution, event, facts)
    if why_not is not None:
        raise IllegalState(f"execution {execution.id} {why_not}")
    again = [run.id for run in to_restart(Draft(was, execution, facts, at))]
    new = replay(flow, execution, new_id, at, from_task_runs=again, was=was)
    return replace(new, attempt_number=execution.attempt_number + 1)


def _name(execution: Execution, run_id: str) -> str:
    run = execution.task_runs.get(run_id)
    return f"`{run.task_id if run is not None else run_id}`"


def _renewed(
    kept: Mapping[str, TaskRun],
    again: Collection[str],
    around: Collection[str],
    edited: Mapping[str, JsonMap],
    new_id: str,
    at: datetime,
) -> Iterable[TaskRun]:
    """The task runs of the new execution: those that begin again, the containers around them, and what is kept."""
    restarted = StateChange(State.RESTARTED, at)
    for run in kept.values():
        changes: dict[str, Any] = {}
        if run.id in again:
            begun = (*run.history, restarted, StateChange(State.CREATED, at))
            changes = {"state": State.CREATED, "history": begun, "epoch": 0, "attempts": (), "outputs": None}
            changes |= {"items": None, "calls": None, "error": None}
        elif run.id in around:
            open_again = (*run.history, restarted, StateChange(State.RUNNING, at))
            changes = {"state": State.RUNNING, "history": open_again, "error": None, "calls": None}
        if run.id in edited:
            changes["outputs"] = dict(edited[run.id])
        parent = f"{new_id}-{kept[run.parent_id].seq}" if run.parent_id is not None else None
        yield replace(run, id=f"{new_id}-{run.seq}", execution_id=new_id, parent_id=parent, due=None, **changes)


class _History:
    """What an execution of the flow `was` did, as `flow` goes on with it."""

    def __init__(self, was: Flow, flow: Flow, execution: Execution) -> None:
        self._was = was.tree
        self._now = flow.tree
        self._revision = flow.revision
        self._execution = execution
        self._children: dict[str | None, list[TaskRun]] = {}
        for run in execution.in_order():
            self._children.setdefault(run.parent_id, []).append(run)

    def _place(self, run: TaskRun) -> Place:
        return self._was.places[run.task_id]

    def _chain(self, run_id: str) -> list[TaskRun]:
        """The task run and those of the containers around it, from the inside out."""
        run = self._execution.task_runs[run_id]
        return [run, *ancestors(self._execution, run)]

    def beginnings(self, run_ids: Iterable[str]) -> set[str]:
        """The task runs that begin again: what cannot begin by itself stands for the container that it is in."""
        found = {self._beginning(run_id).id for run_id in run_ids}
        return {run_id for run_id in found if not any(up.id in found for up in self._chain(run_id)[1:])}

    def _beginning(self, run_id: str) -> TaskRun:
        chain = self._chain(run_id)
        beginning = chain[0]
        for run, container in pairwise(chain):
            # The folder is gone that its tasks shared; and who waits with an `onPause` task has to wait again.
            if isinstance(self._place(container).task, WorkingDirectory) or self._place(run).group == ON_PAUSE:
                beginning = container
        group = self._place(chain[-1]).group
        if group == AFTER or group.startswith(LISTENERS):
            raise IllegalState(
                f"`{chain[0].task_id}` runs after the execution has ended", hint="replay from a task before the end"
            )
        return beginning

    def around(self, again: Iterable[str]) -> set[str]:
        """The containers that are open again."""
        return {up.id for run_id in again for up in self._chain(run_id)[1:]}

    def kept(self, again: Iterable[str]) -> dict[str, TaskRun]:
        """All task runs but those that may run only after, or within, what begins again."""
        gone: set[str] = set()
        for run_id in again:
            chain = self._chain(run_id)
            gone.update(self._below(chain[0].id))
            for run in chain:
                after = self._after(run)
                for other in self._children[run.parent_id]:
                    if self._follows(other, run, after):
                        gone.update((other.id, *self._below(other.id)))
        return {run.id: run for run in self._execution.in_order() if run.id not in gone}

    def _below(self, run_id: str) -> Iterable[str]:
        for child in self._children.get(run_id, ()):
            yield child.id
            yield from self._below(child.id)

    def _after(self, run: TaskRun) -> set[str]:
        """The siblings of a task that may run only after it: in the old flow, or in the new one."""
        trees = (tree for tree in (self._was, self._now) if run.task_id in tree.places)
        return set().union(*(followers(tree, run.task_id) for tree in trees))

    def _follows(self, other: TaskRun, run: TaskRun, after: Collection[str]) -> bool:
        mine, others = self._place(run), self._place(other)
        if mine.laned and others.laned and other.iteration != run.iteration:
            later = (other.iteration or 0) > (run.iteration or 0)
            return later and goes_one_by_one(mine.parent)
        return other.task_id in after

    def check(self, kept: Mapping[str, TaskRun]) -> None:
        """Whether what is kept could have been run by the flow as it is now. Raises IllegalState."""
        if self._was is self._now:
            return
        now = self._now.places
        gone = dict.fromkeys(run.task_id for run in kept.values() if run.task_id not in now)
        if gone:
            raise self._does_not_fit(f"has no {_tasks(gone)}")
        moved = dict.fromkeys(
            run.task_id for run in kept.values() if not _same_place(self._place(run), now[run.task_id])
        )
        if moved:
            raise self._does_not_fit(f"has {_tasks(moved)} in another place")
        ran: dict[tuple[str | None, int | None, str], list[str]] = {}
        for run in kept.values():
            lane = run.iteration if now[run.task_id].laned else None
            ran.setdefault((run.parent_id, lane, now[run.task_id].branch), []).append(run.task_id)
        for (_, _, branch), task_ids in ran.items():
            parent = now[task_ids[0]].parent
            listed = [task.id for task in self._now.enabled(parent.id if parent is not None else None, branch)]
            missing = [task_id for task_id in listed[: len(task_ids)] if task_id not in task_ids]
            if missing and not isinstance(parent, Dag):
                raise self._does_not_fit(f"has {_tasks(missing)}, which did not run, before `{task_ids[-1]}`")

    def _does_not_fit(self, why: str) -> IllegalState:
        return IllegalState(
            f"revision {self._revision} of the flow cannot go on with execution {self._execution.id}: it {why}",
            hint="replay from an earlier task, or from the start",
        )


def _same_place(was: Place, now: Place) -> bool:
    parents = [place.parent.id if place.parent is not None else None for place in (was, now)]
    same = (parents[0], was.branch) == (parents[1], now.branch) and not now.task.disabled
    return same and type(was.task) is type(now.task)


def _tasks(ids: Iterable[str]) -> str:
    names = [f"`{task_id}`" for task_id in ids]
    return f"{'task' if len(names) == 1 else 'tasks'} {', '.join(names)}"
