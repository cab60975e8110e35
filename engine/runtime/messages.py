"""What may be put into the loop's inbox."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import Future

from msgspec import Struct

from engine.core.recovery import Survivors
from engine.model.events import AttemptFinished, Event, FlowsStarted
from engine.model.execution import Execution
from engine.model.flow import Flow
from engine.model.scheduling import Fire, TriggerState
from engine.ports import LogLine, Metric


class Submit(Struct, frozen=True):
    """Store a new execution and begin it. `stored` is answered after the commit.

    With a `fire`, it is begun only if nothing was for that reason; `trigger` is how far its trigger has come by that.
    """

    flow: Flow
    execution: Execution
    stored: Future[Execution]
    fire: Fire | None = None
    trigger: TriggerState | None = None


class Request(Struct, frozen=True):
    """Something is asked of an execution. `done` is answered after the commit, or raises IllegalState."""

    flow: Flow | None  #: None: only if the execution runs here
    execution_id: str
    event: Event
    done: Future[Execution]


class Adopt(Struct, frozen=True):
    """Take over an execution whose engine is gone, and all that it had started, but for the survivors."""

    flow: Flow
    execution: Execution
    survivors: Survivors


class Happened(Struct, frozen=True):
    """An event for one execution; `key` names the worker's job that ends with it."""

    execution_id: str
    event: Event
    key: tuple[str, int] | None = None


class Called(Struct, frozen=True):
    """A task run begins other executions, all in one commit; `key` names the worker's job that ends with it."""

    execution_id: str
    event: FlowsStarted | AttemptFinished
    new: tuple[tuple[Flow, Execution], ...]
    again: tuple[tuple[Flow, str], ...]  #: those that are restarted
    key: tuple[str, int]


class Found(Struct, frozen=True):
    """The answer to `AwaitFlows`: the calls that have not ended, and as which execution each goes on."""

    execution_id: str
    task_run_id: str
    going_on: Mapping[str, tuple[Flow, str]]
    survivors: Mapping[str, Survivors]  #: of those that no engine moves
    key: tuple[str, int]


class Told(Struct, frozen=True):
    """A log line or metric of a running attempt."""

    execution_id: str
    entry: LogLine | Metric


class Wake(Struct, frozen=True):
    """Nothing but a reason to look at the deadlines again."""


class Fence(Struct, frozen=True):
    """Give everything up as it is stored: others may take this engine for gone. `done` tells when that has happened."""

    done: threading.Event


class LookAround(Struct, frozen=True):
    """Other engines may have done what is waited for here."""


class Lent(Struct, frozen=True):
    """So many more workers may work (again fewer, when negative): one of them waits for what others have to do."""

    count: int


class Stop(Struct, frozen=True):
    """Claim nothing more, commit what finishes within `grace` seconds, and end.

    What still runs then is lost, not killed.
    """

    grace: float


Message = Submit | Request | Adopt | Happened | Called | Found | Told | Wake | Fence | LookAround | Lent | Stop
