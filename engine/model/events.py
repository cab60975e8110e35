"""What has happened: the only things that move an execution. Each names what it moves and when it happened.

An event about an attempt carries the attempt's epoch, so a late or repeated answer is recognised and ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct, field

from engine.model.execution import StartedProcess
from engine.model.state import State


class Event(Struct, frozen=True, kw_only=True):
    """Base of all events. `at` is an aware datetime in UTC; the core knows no other clock."""

    at: datetime


class ExecutionStarted(Event, frozen=True, kw_only=True):
    """The execution was created and may begin."""


class PlaceRefused(Event, frozen=True, kw_only=True):
    """The execution would begin, but its flow's `concurrency` leaves no place: `holders` have them."""

    holders: tuple[str, ...] = ()


class DeadlinePassed(Event, frozen=True, kw_only=True):
    """The time is over that a promise of the flow (`sla`) allows."""

    sla_id: str


class AttemptStarted(Event, frozen=True, kw_only=True):
    """A worker claimed a task run. `epoch` is the new one, one more than the task run's."""

    task_run_id: str
    epoch: int


class Effects(Struct, frozen=True, kw_only=True):
    """What a task does to its own execution when it ends.

    `variables` are merged, maps within maps too; `unset` are dotted paths. With `ending` nothing starts any more: the
    execution ends so once what runs has ended (KILLED: it is stopped).
    """

    labels: Mapping[str, str] | None = None
    variables: Mapping[str, Any] | None = None
    unset: tuple[str, ...] = ()
    ending: State | None = None


class AttemptFinished(Event, frozen=True, kw_only=True):
    """The claimed attempt ended: `state` is SUCCESS, WARNING, FAILED, KILLED or CANCELLED.

    With FAILED, `retry_after` (seconds) asks for another attempt later, whatever the flow's own retry says.
    With `started_at` the event is also the claim: work that began and ended before anything was committed.
    """

    task_run_id: str
    epoch: int
    state: State
    outputs: Mapping[str, Any] | None = None
    error: str | None = None
    retry_after: float | None = None
    started_at: datetime | None = None
    log_file: str | None = None  #: the URI of its log, for a task with `logToFile`
    effects: Effects | None = None
    survivors: tuple[int, ...] = ()  #: pids of what it had started and what could not be ended


class ProcessStarted(Event, frozen=True, kw_only=True):
    """The claimed attempt has a process that waits for this to be committed, and does nothing before."""

    task_run_id: str
    epoch: int
    process: StartedProcess


class FlowsStarted(Event, frozen=True, kw_only=True):
    """The claimed attempt began the executions `calls` and waits for them; they are committed together with this.

    `outputs` are what can be seen meanwhile. At `due` the attempt has taken too long.
    """

    task_run_id: str
    epoch: int
    calls: tuple[str, ...]
    outputs: Mapping[str, Any] | None = None
    due: datetime | None = None


class Evaluated(Event, frozen=True, kw_only=True):
    """The answer to an `Evaluate` command: a value, or the reason why there is none."""

    name: str
    task_run_id: str | None
    value: Any = None
    error: str | None = None


class TimerFired(Event, frozen=True, kw_only=True):
    """A due time has come. Stale unless the task run still waits for `due`."""

    task_run_id: str
    due: datetime


class KillRequested(Event, frozen=True, kw_only=True):
    """A person (or Ctrl-C) wants the execution to stop."""

    reason: str = "killed"


class PauseRequested(Event, frozen=True, kw_only=True):
    """A person wants nothing new to start until somebody resumes the execution."""

    by: str | None = None


class ResumeRequested(Event, frozen=True, kw_only=True):
    """A person lets a paused execution go on. `task_run_id` names one pause of several; `inputs` are checked values."""

    task_run_id: str | None = None
    inputs: Mapping[str, Any] | None = None
    by: str | None = None


class RestartRequested(Event, frozen=True, kw_only=True):
    """A person wants what failed to run again, in the same execution."""

    by: str | None = None


class TaskRunChanged(Event, frozen=True, kw_only=True):
    """A person says that a task run ended in `state`, whatever it did; the execution goes on from there."""

    task_run_id: str
    state: State
    by: str | None = None


class StatusChanged(Event, frozen=True, kw_only=True):
    """A person gives an execution that has ended another final state."""

    state: State
    by: str | None = None


class StartForced(Event, frozen=True, kw_only=True):
    """A person lets an execution begin that waits for its time or for a place (force run, unqueue)."""

    by: str | None = None


class LabelsSet(Event, frozen=True, kw_only=True):
    """A person labels an execution. The new labels are merged into those it has."""

    labels: Mapping[str, str]


class EngineStarted(Event, frozen=True, kw_only=True):
    """This engine has just taken the execution over: every attempt still open belonged to an engine that is gone.

    `survivors` are the pids of what those attempts had started and what could not be ended, by task run.
    """

    survivors: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
