"""The way to the engine that owns a database, for a command that finds it owned.

Always true: errors of the other side are raised here as they were raised there; one that does not answer is named in
a StoreBusy; nothing waits longer than `patience` for one answer.
"""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

from msgspec import to_builtins
from msgspec.structs import asdict

from engine.errors import StoreBusy
from engine.model.events import Event
from engine.runtime.wire import Connection, Message, Replay, Submission, error_from, event_message
from engine.runtime.writes import Write
from engine.store.owner import OwnerRecord, owner_of

#: Seconds that a living engine may take to answer. What it answers needs no task to end, so this is long.
PATIENCE = 10.0
#: Seconds that it may take to store an execution and begin it.
SUBMIT_PATIENCE = 60.0


class Away(StoreBusy):
    """Nobody answers just now: no engine, one that only starts, or one that ends. That passes; look again."""


class Ending(Away):
    """The owner lives, but takes no new work: it only finishes what it has."""


class Peer:
    """Whoever owns the database at `database` at the time of a call."""

    def __init__(self, database: Path, *, patience: float | None = None) -> None:
        self._database = database
        self._patience = PATIENCE if patience is None else patience

    def owner(self) -> OwnerRecord | None:
        """Who owns the database now."""
        return owner_of(self._database)

    def ping(self) -> Message:
        """The `pid` and the `version` of the owner."""
        return self._call({"verb": "ping"})

    def runs(self, execution_id: str) -> bool:
        """Whether the owner moves an execution just now."""
        return bool(self._call({"verb": "runs", "id": execution_id})["runs"])

    def submit(self, submission: Submission) -> None:
        """Hand an execution over. Returns once it is committed; asking again for the same id begins nothing."""
        self._call({"verb": "submit", **asdict(submission)}, patience=SUBMIT_PATIENCE)

    def adopt(self, execution_id: str) -> bool:
        """Have the owner go on with a stored execution; False if it does already, or nothing is left to do."""
        return bool(self._call({"verb": "adopt", "id": execution_id})["taken"])

    def kill(self, execution_id: str, reason: str) -> None:
        """Ask an execution to stop."""
        self._call({"verb": "kill", "id": execution_id, "reason": reason})

    def ask(self, execution_id: str, event: Event) -> None:
        """Ask something of an execution. Returns once it is committed."""
        self._call({"verb": "ask", "id": execution_id, "event": event_message(event)}, patience=SUBMIT_PATIENCE)

    def replay(self, replay: Replay) -> None:
        """Have a past execution done again. Returns once it is committed; asking again begins nothing."""
        self._call({"verb": "replay", "id": replay.id, "replay": to_builtins(replay)}, patience=SUBMIT_PATIENCE)

    def write(self, write: Write) -> int:
        """Have the owner make a small write. Returns once it is committed."""
        return int(self._call({"verb": "write", "write": to_builtins(write)})["done"])

    def _call(self, message: Message, *, patience: float = 0.0) -> Message:
        owner = self.owner()
        if owner is None:
            raise Away(f"no engine has {self._database} now")
        if not hasattr(socket, "AF_UNIX"):
            raise self._busy(owner, "commands cannot be sent to it on this system", "Wait until it has ended.")
        try:
            with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as link:
                link.settimeout(self._patience)
                link.connect(owner.socket)
                reply = self._converse(Connection(link, patience=self._patience), message, patience)
        except TimeoutError:
            hint = f"It may be suspended or overloaded. See to process {owner.pid}, then try again."
            raise self._busy(owner, "it does not answer", hint) from None
        except OSError:
            raise self._away(owner, "it does not listen") from None
        if reply is None:
            raise self._away(owner, "it hung up")
        if reply.get("ending"):
            raise Ending(f"{self._database} is owned by {owner}, which only finishes what it has")
        if "error" in reply:
            raise error_from(reply)
        return reply

    def _converse(self, owner: Connection, message: Message, patience: float) -> Message | None:
        if patience > self._patience:  # what may take long is only asked of somebody who answers at all
            owner.send({"verb": "ping"})
            if owner.receive() is None:
                return None
            owner.patience = patience
        owner.send(message)
        return owner.receive()

    def _away(self, owner: OwnerRecord, why: str) -> Away:
        return Away(
            f"{self._database} is owned by {owner}, and {why}", hint=f"Wait until process {owner.pid} has ended."
        )

    def _busy(self, owner: OwnerRecord, why: str, hint: str) -> StoreBusy:
        return StoreBusy(f"{self._database} is owned by {owner}, and {why}", hint=hint)
