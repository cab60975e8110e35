"""What has happened: the only things that move an execution. Each names what it moves and when it happened.

An event about an attempt carries the attempt's epoch, so a late or repeated answer is recognised and ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from engine.model.state import State


class Event(Struct, frozen=True, kw_only=True):
    """Base of all events. `at` is an aware datetime in UTC; the core knows no other clock."""

    at: datetime


class ExecutionStarted(Event, frozen=True, kw_only=True):
    """The execution was created and may begin."""


class AttemptStarted(Event, frozen=True, kw_only=True):
    """A worker claimed a task run. `epoch` is the new one, one more than the task run's."""

    task_run_id: str
    epoch: int


class AttemptFinished(Event, frozen=True, kw_only=True):
    """The claimed attempt ended: `state` is SUCCESS, WARNING, FAILED or KILLED.

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


class EngineStarted(Event, frozen=True, kw_only=True):
    """This engine has just taken the execution over: every attempt still open belonged to an engine that is gone."""
