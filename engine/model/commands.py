"""What must be done outside: data that a decision returns and the runtime performs, after the commit.

Every command can be derived again from the state alone; `EngineStarted` does just that.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from engine.model.state import State


class Command(Struct, frozen=True):
    """Base of all commands."""


class QueueTask(Command, frozen=True):
    """The task run waits for a worker."""

    task_run_id: str


class RunTask(Command, frozen=True):
    """The task run is claimed under `epoch`: run it."""

    task_run_id: str
    epoch: int


class StopTask(Command, frozen=True):
    """Interrupt the attempt; its end comes back as an event."""

    task_run_id: str
    epoch: int


class AwaitFlows(Command, frozen=True):
    """Find out how the executions stand that a task run waits for; once all have ended, its task is asked again."""

    task_run_id: str
    epoch: int


class StopFlows(Command, frozen=True):
    """Stop the executions that a task run began. It ends when they have."""

    task_run_id: str
    epoch: int
    calls: tuple[str, ...]


class Evaluate(Command, frozen=True):
    """Render an expression that calls out. `name` says which: `runIf`, `condition`, `values`, `outputs`, ...

    `state` is how its tasks have ended, when a container asks at its end.
    """

    name: str
    task_run_id: str | None
    state: State | None = None


class SetTimer(Command, frozen=True):
    """Send `TimerFired` for the task run at `due`."""

    task_run_id: str
    due: datetime


class StartLater(Command, frozen=True):
    """Send `ExecutionStarted` for the execution at `due`."""

    due: datetime


class SetDeadline(Command, frozen=True):
    """Send `DeadlinePassed` for the promise at `due`."""

    sla_id: str
    due: datetime


class WriteLog(Command, frozen=True):
    """A line in the execution's log, committed together with the decision."""

    level: str
    message: str
    task_run_id: str | None = None
