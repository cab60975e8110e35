"""What the sentences look at: one commit, with all executions before and after it; and all of them at rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime

from engine.core.admission import WAITING
from engine.core.calling import call_id, successor_id
from engine.model.execution import Execution, TaskRun
from engine.model.flow import Flow
from engine.model.state import State
from engine.ports import LogLine

Stored = Mapping[str, Execution]
_WAITS = (State.RUNNING, State.KILLING)


@dataclass
class Memory:
    """What cannot be seen from how things stand."""

    promises: Counter[str] = field(default_factory=Counter)  #: how often each execution was told that it broke one
    worked: Counter[tuple[str, int]] = field(default_factory=Counter)  #: how often the job of each claim was done
    forced: set[str] = field(default_factory=set)  #: what a person wanted begun, whether there was a place or not
    late: set[str] = field(default_factory=set)  #: what was taken over when others ran already
    tampered: set[str] = field(default_factory=set)  #: what a person wanted to be as it had not been
    #: Of each task run that waits, and its claim: what has not ended since.
    outstanding: dict[tuple[str, int], set[str]] = field(default_factory=dict)
    abandoned: set[str] = field(default_factory=set)  #: what a task run no longer waited for


def holds_place(execution: Execution) -> bool:
    return not execution.is_terminal and execution.state not in WAITING


def newest(stored: Stored, execution_id: str) -> Execution | None:
    """An execution, or the last of those that retried it."""
    execution = stored.get(execution_id)
    while execution is not None and execution.state is State.RETRIED:
        execution = stored.get(successor_id(execution.id))
    return execution


def has_ended(stored: Stored, execution_id: str) -> bool:
    execution = newest(stored, execution_id)
    return execution is not None and execution.is_terminal


def waits(run: TaskRun | None) -> bool:
    """Whether a task run waits for executions."""
    return run is not None and run.calls is not None and run.state in _WAITS


def calls_of_claim(stored: Stored, run: TaskRun) -> list[str]:
    """The executions that the latest claim of a task run has begun."""
    found: list[str] = []
    while (id_ := call_id(run, run.epoch, len(found))) in stored:
        found.append(id_)
    return found


@dataclass
class Commit:
    flows: Mapping[str, Flow]
    before: Stored
    after: Stored
    lines: Sequence[LogLine]
    memory: Memory
    runs: Callable[[str], bool]  #: whether the loop moves an execution
    calm: bool  #: whether no engine dies and nothing is given up in this world

    def told(self, execution_id: str) -> list[str]:
        return [line.message for line in self.lines if line.execution_id == execution_id]

    def changed(self) -> Iterator[tuple[Execution | None, Execution]]:
        for execution in self.after.values():
            before = self.before.get(execution.id)
            if before is not execution:
                yield before, execution

    def task_runs(self) -> Iterator[tuple[TaskRun | None, TaskRun]]:
        """Task runs that have moved: before and after."""
        for before, execution in self.changed():
            for run in execution.task_runs.values():
                old = before.task_runs.get(run.id) if before is not None else None
                if old is not run:
                    yield old, run

    def begun(self) -> Iterator[Execution]:
        """What begins with this commit because there is a place for it, even if it ends with it as well."""
        for before, execution in self.changed():
            had_begun = before is not None and before.state not in WAITING
            new = execution.history[len(before.history) if before is not None else 0 :]
            begins = not had_begun and any(entry.state is State.RUNNING for entry in new)
            if begins and execution.id not in self.memory.forced:
                yield execution

    def of_flow(self, flow_id: str) -> Iterator[Execution]:
        """The executions of a flow, as they were before."""
        return (each for each in self.before.values() if each.flow_id == flow_id)


@dataclass
class Rest:
    flows: Mapping[str, Flow]
    stored: Stored
    memory: Memory
    now: datetime
    asked: Sequence[Future[Execution]]
    runs: Callable[[str], bool]  #: whether the loop moves an execution

    def unfinished(self) -> Iterator[Execution]:
        return (each for each in self.stored.values() if not each.is_over)
