"""What engines that share a database need of it: who is there, who moves which execution, and what they ask each other.

All times are those of the database's server, so that no engine's clock matters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from msgspec import Struct

from engine.model.execution import Execution


class EngineRecord(Struct, frozen=True, kw_only=True):
    """An engine, as the others see it. `boot_id` tells which running system `pid` and `process_start` are about."""

    id: str
    host: str
    pid: int
    process_start: str
    boot_id: str
    command: str
    takes_over: bool  #: whether it goes on with executions that others leave behind

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} ({self.command})"


class Asked(Struct, frozen=True, kw_only=True):
    """Something asked of an execution, by an engine that does not move it: an event as it is told."""

    id: str
    execution_id: str
    event: Mapping[str, Any]


class SharingStore(Protocol):
    """A store that several engines write to. Each verb is one transaction, done or not done.

    From `join` on, `Store.commit` stores new executions as this engine's, refuses to change one that is not
    (`Fenced`), refuses beginnings for which there is no place (`PlacesTaken`), and lets go of what is over.
    An engine is gone when it has left, or was silent for longer than the lease.
    """

    lease: float  #: seconds
    is_closed: bool  #: whether it was closed here, by `Store.close`

    def join(self, engine: EngineRecord) -> None:
        """This engine is here from now on."""

    def beat(self) -> float | None:
        """It is still here. Seconds since it said so before; None when it had been removed meanwhile."""

    def leave(self) -> None:
        """It goes, and lets go of what it moves."""

    def engines(self) -> list[EngineRecord]:
        """The engines that are not gone, in the order of their ids."""

    def bury(self, engine_id: str) -> None:
        """This engine is known to be gone, though its lease is not over."""

    def owner(self, execution_id: str) -> EngineRecord | None:
        """The engine that moves the execution; None when there is none, or it is gone."""

    def adopt(self, execution_id: str) -> bool:
        """Have this engine move the execution from now on, or still; False when another one does, that is not gone."""

    def release(self, execution_id: str) -> None:
        """Let go of an execution that is over, of which something was only asked."""

    def adopt_orphans(self, limit: int = 100) -> list[str]:
        """Have this engine move executions that are not over and that no engine moves. The oldest first."""

    def mine(self) -> list[str]:
        """The executions that this engine moves."""

    def ahead(self, execution: Execution) -> tuple[list[str], int]:
        """For a place: who of its flow has begun and not ended, and how many older ones an engine has queued."""

    def ask(self, asked: Asked, *, at: datetime) -> None:
        """Ask the engine that moves an execution. Nothing happens when the execution is not there."""

    def asked(self) -> list[Asked]:
        """What is asked of this engine's executions and has no answer, in order."""

    def answer(self, request_id: str, answer: Mapping[str, Any]) -> None:
        """Answer it, unless nobody waits for that any more."""

    def answer_to(self, request_id: str) -> Mapping[str, Any] | None:
        """The answer, once there is one."""

    def withdraw(self, request_ids: Sequence[str]) -> None:
        """Nobody waits for an answer to these."""

    def forget_requests(self, before: datetime) -> int:
        """Remove requests that are older. How many."""
