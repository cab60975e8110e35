"""What invariants look at: one decision, with everything before and after it laid out by scope."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import NamedTuple

from engine.core import Decision
from engine.model.events import (
    AttemptFinished,
    Event,
    KillRequested,
    LabelsSet,
    PauseRequested,
    RestartRequested,
    ResumeRequested,
    StartForced,
    StatusChanged,
    TaskRunChanged,
)
from engine.model.execution import Execution, TaskRun
from engine.model.flow import Container, Flow, Task
from engine.model.state import State
from engine.model.tree import AFTER, LISTENERS, MAIN, Place

#: What people ask, and what of it may take something out of its end.
PERSONS = frozenset(
    {PauseRequested, ResumeRequested, RestartRequested, TaskRunChanged, StatusChanged, StartForced, LabelsSet}
)
REOPENING = frozenset({RestartRequested, TaskRunChanged})
FAILS = "{{ nothing.at.all }}"  #: no context has it
OUTSIDE = "{{ kv('something') }}"  #: only a worker can tell


class ScopeOf(NamedTuple):
    """One list of task runs: those of one group in a container's task run, or in one lane of a loop."""

    parent_id: str | None
    lane: int | None
    group: str


class View:
    """An execution, laid out by scope. Task runs stand in the order in which they were created."""

    def __init__(self, flow: Flow, execution: Execution) -> None:
        self.flow = flow
        self.execution = execution
        self.places = flow.tree.places
        self.runs = execution.task_runs

    @cached_property
    def scopes(self) -> dict[ScopeOf, list[TaskRun]]:
        found: dict[ScopeOf, list[TaskRun]] = {}
        for run in self.execution.in_order():
            found.setdefault(self.scope_of(run), []).append(run)
        return found

    @cached_property
    def lanes(self) -> dict[str, list[int]]:
        """The lanes of each loop that have begun."""
        found: dict[str, set[int]] = {}
        for key in self.scopes:
            if key.parent_id is not None and key.lane is not None:
                found.setdefault(key.parent_id, set()).add(key.lane)
        return {loop_id: sorted(numbers) for loop_id, numbers in found.items()}

    @cached_property
    def children(self) -> dict[str | None, list[TaskRun]]:
        found: dict[str | None, list[TaskRun]] = {}
        for key, runs in self.scopes.items():
            found.setdefault(key.parent_id, []).extend(runs)
        return found

    def place(self, run: TaskRun) -> Place:
        return self.places[run.task_id]

    def task(self, run: TaskRun) -> Task:
        return self.places[run.task_id].task

    def is_container(self, run: TaskRun) -> bool:
        return isinstance(self.task(run), Container)

    def scope_of(self, run: TaskRun) -> ScopeOf:
        place = self.place(run)
        return ScopeOf(run.parent_id, run.iteration if place.laned else None, place.group)

    def scope(self, parent_id: str | None, lane: int | None = None, group: str = MAIN) -> list[TaskRun]:
        return self.scopes.get(ScopeOf(parent_id, lane, group), [])

    def up(self, run: TaskRun) -> Iterator[TaskRun]:
        """The task runs around it, nearest first."""
        while run.parent_id is not None:
            run = self.runs[run.parent_id]
            yield run

    def is_aside(self, run: TaskRun) -> bool:
        """Whether it, or what it stands in, runs beside the main tasks."""
        return any(self.place(each).group != MAIN for each in (run, *self.up(run)))

    def is_late(self, run: TaskRun) -> bool:
        """Whether it, or what it stands in, runs after the execution has ended."""
        groups = [self.place(each).group for each in (run, *self.up(run))]
        return any(group == AFTER or group.startswith(LISTENERS) for group in groups)

    @property
    def is_stopping(self) -> bool:
        execution = self.execution
        return execution.state is State.KILLING or (execution.ending is not None and not execution.is_terminal)


class Step:
    """One decision."""

    def __init__(
        self,
        flow: Flow,
        before: View,
        event: Event,
        after: View,
        decision: Decision,
        refused: str | None,
        tampered: bool,
    ) -> None:
        self.flow = flow
        self.before = before
        self.event = event
        self.after = after
        self.decision = decision
        self.refused = refused  #: why the event does not fit, when a person asked
        self.tampered = tampered  #: a person has set what a task run gave: it need not fit what stands around it

    @property
    def moved(self) -> bool:
        return self.after is not self.before

    @property
    def reopens(self) -> bool:
        return type(self.event) in REOPENING

    @cached_property
    def stops(self) -> bool:
        """Whether everything is being ended as it stands, or was when this step began."""
        before, after = self.before.execution, self.after.execution
        new = after.history[len(before.history) :]
        kills = isinstance(self.event, KillRequested) or any(entry.state is State.KILLING for entry in new)
        effects = self.event.effects if isinstance(self.event, AttemptFinished) else None
        exits = (effects is not None and effects.ending is not None) or bool(self.decision.begun)
        return kills or exits or self.before.is_stopping or self.after.is_stopping

    @cached_property
    def changed(self) -> list[tuple[TaskRun, TaskRun]]:
        """Task runs that are other ones now: before and after."""
        if not self.moved:
            return []
        old = self.before.runs
        return [(old[id_], run) for id_, run in self.after.runs.items() if id_ in old and old[id_] is not run]

    @cached_property
    def created(self) -> list[TaskRun]:
        if not self.moved:
            return []
        found = [run for id_, run in self.after.runs.items() if id_ not in self.before.runs]
        return sorted(found, key=lambda run: run.seq)

    @cached_property
    def removed(self) -> list[TaskRun]:
        if not self.moved:
            return []
        return [run for id_, run in self.before.runs.items() if id_ not in self.after.runs]

    @cached_property
    def touched(self) -> list[TaskRun]:
        """New and changed task runs, as they are now."""
        return [*self.created, *(run for _, run in self.changed)]

    @cached_property
    def ended(self) -> list[tuple[TaskRun | None, TaskRun]]:
        """Task runs that have ended in this step: before (None: new), and now."""
        pairs: list[tuple[TaskRun | None, TaskRun]] = [*self.changed, *((None, run) for run in self.created)]
        return [(old, run) for old, run in pairs if run.is_terminal and (old is None or not old.is_terminal)]


#: A sentence of the semantics: what it yields breaks it. The sentence is the docstring.
Invariant = Callable[[Step], Iterable[object]]
