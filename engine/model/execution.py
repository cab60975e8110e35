"""What happened: an execution, its task runs, their attempts. Immutable; a change makes a new value.

An execution holds its task runs in a persistent map, so a snapshot is free and a change costs the change,
however many task runs have already ended.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from msgspec import Struct, field
from rpds import HashTrieMap

from engine.model.state import TERMINAL, AttemptState, State

JsonMap = Mapping[str, Any]


class StateChange(NamedTuple):
    """One entry of a state history. `at` is an aware datetime in UTC."""

    state: State
    at: datetime


History = tuple[StateChange, ...]

#: The value of one round of a loop, as text; with its key when the loop goes over a map.
Item = str | tuple[str, str]


class Caller(Struct, frozen=True):
    """The task run that began an execution, and perhaps waits for it."""

    execution_id: str
    task_run_id: str


class StartedProcess(Struct, frozen=True, kw_only=True):
    """What it takes to find a process of this machine again, and to know that it is the same one."""

    pid: int
    started_at: str  #: in the terms of the system: unlike a pid, never the same twice, whatever the machine
    marker: str  #: what all that it starts carries in its environment


class Attempt(Struct, frozen=True, kw_only=True):
    """One try at running a task. `epoch` rises with every claim, so a late answer can be told from a current one."""

    epoch: int
    state: AttemptState
    started_at: datetime
    ended_at: datetime | None = None
    error: str | None = None
    log_file: str | None = None  #: the URI of its log, where that is not in the database
    process: StartedProcess | None = None  #: the last that it has started


class TaskRun(Struct, frozen=True, kw_only=True):
    """One run of one task inside an execution.

    `value` is the text of the ForEach value it runs for, `iteration` its index; both None outside a ForEach.
    """

    id: str
    execution_id: str
    task_id: str
    seq: int  #: rises in the order in which the execution's task runs were created, from 0
    state: State
    history: History
    parent_id: str | None = None  #: the task run of the container it stands in; None at the top of the flow
    value: str | None = None
    iteration: int | None = None
    epoch: int = 0  #: of the latest claim; 0 before the first
    attempts: tuple[Attempt, ...] = ()
    outputs: JsonMap | None = None
    items: tuple[Item, ...] | None = None  #: a loop: its values, fixed when it started
    calls: tuple[str, ...] | None = None  #: the executions that it began and waits for
    error: str | None = None  #: why it failed, for people
    due: datetime | None = None  #: when it goes on by itself (a retry, a delay); None when nothing is timed

    @property
    def is_terminal(self) -> bool:
        return self.state in TERMINAL


class Execution(Struct, frozen=True, kw_only=True):
    """One run of one revision of a flow."""

    id: str
    namespace: str
    flow_id: str
    flow_revision: int
    state: State
    history: History
    inputs: JsonMap = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    variables: JsonMap | None = None  #: None: as the flow has them, since no task has changed one
    outputs: JsonMap | None = None
    trigger: JsonMap | None = None
    parent_id: str | None = None
    original_id: str | None = None
    error: str | None = None
    caller: Caller | None = None
    attempt_number: int = 1  #: how often it was begun: restarts and retries of the whole count
    due: datetime | None = None  #: while CREATED: when it is to begin; None is at once
    held: bool = False  #: paused by a person, whatever its tasks do: nothing starts until it is resumed
    ending: State | None = None  #: nothing starts any more, and this is what it will end in
    lingering: bool = False  #: its state is final, but what comes after it (`afterExecution`) has not ended
    seq_floor: int = 0  #: task runs below this number have existed, even if they are gone
    task_runs: HashTrieMap[str, TaskRun] = field(default_factory=HashTrieMap)
    #: What the core keeps beside the task runs so that it never walks them all. Derived from them, never stored.
    tallies: Any = None

    @property
    def is_terminal(self) -> bool:
        return self.state in TERMINAL

    @property
    def is_over(self) -> bool:
        """Whether nothing will happen any more, unless a person asks for it."""
        return self.state in TERMINAL and not self.lingering

    @property
    def started_at(self) -> datetime:
        return self.history[0].at

    @property
    def ended_at(self) -> datetime | None:
        return self.history[-1].at if self.is_terminal else None

    @property
    def awaits_decision(self) -> bool:
        """Whether it is paused, and nothing but a person's decision will move it."""
        if self.state is not State.PAUSED:
            return False
        if self.held:  # what ran when it was paused goes on to its end
            return not any(run.attempts and run.attempts[-1].ended_at is None for run in self.task_runs.values())
        return not any(run.due for run in self.task_runs.values())

    def in_order(self) -> Iterator[TaskRun]:
        """The task runs in the order in which they were created."""
        return iter(sorted(self.task_runs.values(), key=lambda run: run.seq))
