"""What an expression can start with at a place of the flow: the roots of `engine.core.context`, as types.

Always true: a root or a field that is only there in some runs is not an error here; a name that other places have
(`response`, `workingDir`, ...) is not an error anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from engine.check.inputs import typed_inputs
from engine.check.outline import Node, Outline
from engine.check.outputs import loop_values, outputs_of
from engine.check.types import (
    ANY,
    INT,
    MAP,
    MOMENT,
    NULL,
    TEXT,
    ListOf,
    MapOf,
    Record,
    Text,
    Trouble,
    Troubled,
    Type,
    scalar,
    union,
)
from engine.check.visibility import When, when
from engine.core.context import ROOTS
from engine.dialect import TypeIndex
from engine.model.diagnostic import Severity
from engine.model.flow import If, Loop, LoopUntil, Pause, Switch, WaitFor
from engine.model.state import State
from engine.model.tree import runs_after

#: Roots that some tasks and triggers add to their own expressions.
EXTRAS = frozenset({
    "schedule", "workerTaskrun", "workingDir", "outputDir", "response", "items", "iteration", "count", "loop",
})  # fmt: skip
#: Task types that change variables while the flow runs.
_SETS_VARIABLES = ("SetVariables", "UnsetVariables")

#: Roots that belong to the execution that a trigger is about.
_UPSTREAM = frozenset({
    "trigger", "execution", "inputs", "outputs", "tasks", "labels", "namespace", "flowId", "state", "hasRetryAttempt",
})  # fmt: skip


class Place(Enum):
    """Where an expression stands, as far as it decides what there is to be read."""

    TASK = auto()
    END = auto()  #: the flow's outputs
    EXECUTION = auto()  #: the execution seen from outside, whatever has run in it: a listener's conditions
    TRIGGER = auto()  #: a trigger, which may be about an execution of another flow
    SCHEDULE = auto()  #: a trigger that is about a date
    CALL = auto()  #: a trigger that is about a call, or an answer from the web
    START = auto()  #: declarations of inputs
    ANYWHERE = auto()  #: text that is rendered wherever it is used


@dataclass(frozen=True, slots=True)
class Site:
    """The place of one expression. `node` is the task it belongs to."""

    place: Place
    node: Node | None = None
    at_end: bool = False  #: of a container: whether it is evaluated when its tasks have ended

    @property
    def loops(self) -> list[Node]:
        """The loops that it is in, outermost first."""
        if self.node is None:
            return []
        return [*self.node.loops, *([self.node] if self.at_end and self.node.container is Loop else [])]


class Declared:
    """What a flow declares, as types; worked out once, and the outputs of a task when somebody reads them."""

    def __init__(self, data: Mapping[str, Any], outline: Outline, types: TypeIndex) -> None:
        self.outline = outline
        self._types = types
        self._outputs: dict[str, Type | None] = {}
        variables = data.get("variables")
        known = isinstance(variables, Mapping) or variables is None
        sets = any(name.endswith(_SETS_VARIABLES) for name in outline.types)
        self.variables = Record(
            {name: of_data(value) for name, value in (variables or {}).items()} if known else {}, open=sets or not known
        )
        self.inputs = typed_inputs(data.get("inputs"))
        self.labels = _labels(data.get("labels"))

    def outputs(self, node: Node) -> Type | None:
        if node.id not in self._outputs:
            self._outputs[node.id] = outputs_of(node, self._types)
        return self._outputs[node.id]


class Roots:
    """The roots at one site."""

    def __init__(self, declared: Declared, site: Site) -> None:
        self._declared = declared
        self._site = site

    @property
    def names(self) -> list[str]:
        """The roots that there are, for did-you-mean."""
        return [name for name in ROOTS if self.get(name) is not None]

    @property
    def declared(self) -> Mapping[str, Record | None]:
        """What stands below a root, and is easily read without it."""
        return {"inputs": self._declared.inputs, "vars": self._declared.variables}

    def get(self, name: str) -> Type | None:
        """The type of a root; None when there is none of this name here."""
        floating = self._site.place is Place.ANYWHERE and name not in ("inputs", "vars", "outputs", "tasks")
        upstream = self._site.place is Place.TRIGGER and name in _UPSTREAM
        if name in EXTRAS or upstream or (floating and name in ROOTS):
            return ANY
        make = _MAKE.get(name)
        return make(self._declared, self._site) if make is not None else None


class _Runs(Mapping[str, Type]):
    """Something of every task, by its id, as it is seen from a site."""

    def __init__(self, declared: Declared, site: Site, *, states: bool) -> None:
        self._declared, self._site, self._states = declared, site, states

    def __getitem__(self, task_id: str) -> Type:
        outline = self._declared.outline
        node = outline.by_id.get(task_id)
        if node is None:
            if task_id in outline.strays:
                return ANY
            raise KeyError(task_id)
        leaf = _STATE if self._states else self._declared.outputs(node)
        found: Type = leaf if leaf is not None else Troubled(ANY, _no_outputs(node))
        loops = _to_be_named(node, self._site)
        inner = next((loop for loop in loops if loop.container is Loop), None)
        if inner is not None:
            lost = self._site.place in (Place.TASK, Place.END) and (self._site.node or self._site.place is Place.END)
            return Troubled(ANY, _in_a_round(node, inner)) if lost else ANY
        for loop in reversed(loops):
            found = MapOf(found, loop_values(loop), node.id)
        trouble = self._trouble(node)
        return Troubled(found, trouble) if trouble else found

    def __iter__(self) -> Iterator[str]:
        yield from self._declared.outline.by_id
        yield from self._declared.outline.strays

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _trouble(self, node: Node) -> Trouble | None:
        if self._site.place not in (Place.TASK, Place.END) or (self._site.place is Place.TASK and not self._site.node):
            return None
        match when(node, self._site.node, state_only=self._states, at_end=self._site.at_end):
            case When.NEVER if node is self._site.node:
                return Trouble("not-yet-run", f'the task "{node.id}" has no outputs before it has run')
            case When.NEVER:
                return Trouble(
                    "not-yet-run",
                    f'the task "{node.id}" has not run when this is evaluated',
                    hint="only tasks that run before this one can be read",
                )
            case When.DISABLED:
                return Trouble("not-yet-run", f'the task "{node.id}" is disabled, so it never runs')
            case When.RACING:
                message = f'nothing makes the task "{node.id}" run before this one'
                hint = "put them in order: a Dag with `dependsOn`, or one after the other"
                return Trouble("unordered-tasks", message, Severity.WARNING, hint)
            case When.CHOSEN:
                message = f'the task "{node.id}" does not run in every case'
                return Trouble("may-not-run", message, Severity.HINT, "give a default: `| default('')`")
        return None


#: Where there is no execution yet.
_BEFORE = (Place.START, Place.SCHEDULE, Place.CALL)
#: What a trigger that is about a date knows.
_DATES = Record({"id": TEXT, "type": TEXT, **dict.fromkeys(("date", "next", "previous"), union((TEXT, NULL)))})


def _to_be_named(node: Node, site: Site) -> list[Node]:
    """The loops whose values an expression must name to read a task: not those of the round that it is in."""
    said = 0
    for number, (loop, mine) in enumerate(zip(node.loops, site.loops, strict=False)):
        if loop is not mine:
            break
        if loop.container is Loop:
            said = number + 1
    return node.loops[said:]


def _in_a_round(node: Node, loop: Node) -> Trouble:
    message = f'the task "{node.id}" is in the Loop "{loop.id}", and is seen only there'
    hint = f"declare it among the `outputs` of the Loop, and read outputs.{loop.id}.outputs[0].outputs.NAME"
    return Trouble("loop-value", message, hint=hint)


#: Containers that have outputs of their own while the tasks in them run.
_WITH_OUTPUTS = (If, Switch, LoopUntil, WaitFor)
_STATE = Record({"state": Text(tuple(state.value for state in State))})


def _no_outputs(node: Node) -> Trouble:
    return Trouble("no-outputs", f'the task "{node.id}" has no outputs', hint=f"{node.type} gives none")


def of_data(value: Any) -> Type:
    """The type of data that stands in the flow."""
    if (simple := scalar(value)) is not None:
        return simple
    match value:
        case Mapping():
            return Record({str(name): of_data(item) for name, item in value.items()})
        case str():
            return TEXT
        case Sequence():
            items = tuple(of_data(item) for item in value)
            return ListOf(union(items), items)
    return ANY


def _labels(written: Any) -> Record:
    """Labels of the flow; whoever starts a run may give others. A dot in a name nests once."""
    names = written if isinstance(written, Mapping) else ()
    return Record({str(name).partition(".")[0]: TEXT if "." not in str(name) else MAP for name in names}, open=True)


def _execution(declared: Declared, site: Site) -> Type | None:
    if site.place in _BEFORE:
        return None
    fields: dict[str, Type] = {"id": TEXT, "startDate": MOMENT, "state": _STATE.fields["state"], "originalId": TEXT}
    ended = site.place is Place.TRIGGER or (site.node is not None and runs_after(site.node.line[0].branch))
    return Record(fields | {"outputs": MAP} if ended else fields)


def _flow(declared: Declared, site: Site) -> Type:
    fields: dict[str, Type] = {"id": TEXT, "namespace": TEXT}
    return Record(fields if site.place is Place.START else fields | {"revision": INT, "tenantId": TEXT})


def _task(declared: Declared, site: Site) -> Type | None:
    if site.place is Place.TASK:
        return Record({"id": TEXT, "type": TEXT})
    return None


def _value(loop: Node) -> Record:
    values = loop_values(loop)
    return Record({"value": Text(values) if values else TEXT, "iteration": INT})


def _taskrun(declared: Declared, site: Site) -> Type | None:
    if site.place is not Place.TASK:
        return None
    node = site.node
    if node is None:
        return ANY
    fields: dict[str, Type] = {"id": TEXT, "startDate": MOMENT, "attemptsCount": INT, "idempotencyKey": TEXT}
    if node.parent is not None:
        fields["parentId"] = TEXT
    if node.valued and node.parent is not None:
        return Record(fields | dict(_value(node.parent).fields))
    if any(loop.container is Loop for loop in node.loops):
        message = f'the task "{node.id}" is in a Loop, and has no value of its own'
        in_loop = Troubled(ANY, Trouble("loop-value", message, hint="write item.value, item.index or item.key"))
        return Record(fields | {"value": in_loop, "iteration": in_loop})
    above = [step for step in _parents_of(node) if step.valued]
    hint = "write parent.taskrun.value" if above and above[0] is _parents_of(node)[0] else None
    if hint is None and above:
        hint = f"write parents[{_parents_of(node).index(above[0])}].taskrun.value"
    message = f'the task "{node.id}" is not directly in a ForEach, so it has no value of its own'
    trouble = Troubled(ANY, Trouble("loop-value", message, hint=hint))
    return Record(fields | {"value": trouble, "iteration": trouble})


def _item(declared: Declared, site: Site) -> Type | None:
    """The value of the round, and those of the rounds around it."""
    if site.place is not Place.TASK:
        return None
    if site.node is None:
        return ANY
    rounds = [_item_of(loop) for loop in reversed(site.loops) if loop.container is Loop]
    if not rounds:
        return None
    item, parents = rounds[0], tuple(rounds[1:])
    return Record({**item, "parent": Record(parents[0]), "parents": _list_of(parents)}) if parents else Record(item)


def _list_of(rounds: tuple[dict[str, Type], ...]) -> Type:
    items = tuple(Record(each) for each in rounds)
    return ListOf(union(items), items)


def _item_of(loop: Node) -> dict[str, Type]:
    fields: dict[str, Type] = {"value": TEXT, "index": INT}
    listed = isinstance(loop.task, Loop) and isinstance(loop.task.values, list | tuple)
    return fields if listed else fields | {"key": TEXT}


def _parents_of(node: Node) -> list[Node]:
    """The containers around a task that have a value or outputs, nearest first."""
    return [step for step in reversed(node.line[:-1]) if step.valued or step.container in _WITH_OUTPUTS]


def _parents(declared: Declared, site: Site) -> Type | None:
    if site.place is not Place.TASK:
        return None
    if site.node is None:
        return ANY
    if site.node.parent is None:
        return None
    if any(step.container is Pause for step in site.node.line[:-1]):
        return ANY  # it has outputs if a person resumed it
    entries = [_entry(declared, step) for step in _parents_of(site.node)]
    return ListOf(union(entries), tuple(entries))


def _entry(declared: Declared, step: Node) -> Type:
    fields: dict[str, Type] = {}
    if step.valued and step.parent is not None:
        fields["taskrun"] = _value(step.parent)
    outputs = declared.outputs(step)
    if outputs is not None:
        fields["outputs"] = outputs
    return Record(fields)


def _parent(declared: Declared, site: Site) -> Type | None:
    parents = _parents(declared, site)
    if not isinstance(parents, ListOf) or parents.items is None:
        return parents
    return parents.items[0] if parents.items else None


def _runs(*, states: bool) -> Callable[[Declared, Site], Type | None]:
    def make(declared: Declared, site: Site) -> Type | None:
        return None if site.place in _BEFORE else Record(_Runs(declared, site, states=states))

    return make


def _anything(declared: Declared, site: Site) -> Type:
    return ANY


def _trigger(declared: Declared, site: Site) -> Type | None:
    if site.place is Place.SCHEDULE:
        return _DATES
    return None if site.place is Place.START else ANY


def _inputs_of(declared: Declared, site: Site) -> Type | None:
    return None if site.place in (Place.SCHEDULE, Place.CALL) else declared.inputs


_MAKE: Mapping[str, Callable[[Declared, Site], Type | None]] = {
    "flow": _flow,
    "execution": _execution,
    "task": _task,
    "taskrun": _taskrun,
    "item": _item,
    "inputs": _inputs_of,
    "outputs": _runs(states=False),
    "tasks": _runs(states=True),
    "vars": lambda declared, site: declared.variables,
    "labels": lambda declared, site: None if site.place is Place.START else declared.labels,
    "trigger": _trigger,
    "parent": _parent,
    "parents": _parents,
    "envs": _anything,
    "globals": _anything,
}
