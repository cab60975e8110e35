"""What may be put into the loop's inbox."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass

from engine.model.events import Event
from engine.model.execution import Execution
from engine.model.flow import Flow
from engine.ports import LogLine, Metric


@dataclass(frozen=True, slots=True)
class Submit:
    """Store a new execution and begin it. `stored` is answered after the commit."""

    flow: Flow
    execution: Execution
    stored: Future[Execution]


@dataclass(frozen=True, slots=True)
class Adopt:
    """Take over an execution whose engine is gone."""

    flow: Flow
    execution: Execution


@dataclass(frozen=True, slots=True)
class Happened:
    """An event for one execution; `key` names the worker's job that ends with it."""

    execution_id: str
    event: Event
    key: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """A log line or metric of a running attempt."""

    execution_id: str
    entry: LogLine | Metric


@dataclass(frozen=True, slots=True)
class Wake:
    """Nothing but a reason to look at the deadlines again."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Claim nothing more, commit what finishes within `grace` seconds, and end.

    What still runs then is lost, not killed.
    """

    grace: float


Message = Submit | Adopt | Happened | Told | Wake | Stop
