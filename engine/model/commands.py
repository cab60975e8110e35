"""What must be done outside: data that a decision returns and the runtime performs, after the commit.

Every command can be derived again from the state alone; `EngineStarted` does just that.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Command:
    """Base of all commands."""


@dataclass(frozen=True, slots=True)
class QueueTask(Command):
    """The task run waits for a worker."""

    task_run_id: str


@dataclass(frozen=True, slots=True)
class RunTask(Command):
    """The task run is claimed under `epoch`: run it."""

    task_run_id: str
    epoch: int


@dataclass(frozen=True, slots=True)
class StopTask(Command):
    """Interrupt the attempt; its end comes back as an event."""

    task_run_id: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Evaluate(Command):
    """Render an expression that calls out. `name` says which: `runIf`, `condition`, `values`, `outputs`, ..."""

    name: str
    task_run_id: str | None


@dataclass(frozen=True, slots=True)
class SetTimer(Command):
    """Send `TimerFired` for the task run at `due`."""

    task_run_id: str
    due: datetime


@dataclass(frozen=True, slots=True)
class WriteLog(Command):
    """A line in the execution's log, committed together with the decision."""

    level: str
    message: str
    task_run_id: str | None = None
