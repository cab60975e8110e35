"""The door of the engine that owns a database: a Unix socket beside the file, where other commands hand over work.

Always true: only the owner of the folder can knock (mode 0600, and the folder is 0700); a client can neither hold the
others up nor keep a thread for long; whatever it sends, the answer is a message, and this side goes on.
"""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.errors import PenstockError, UsageError
from engine.runtime.wire import MAX_LINE, Connection, Message, error_message

#: What is answered to a message.
Answer = Callable[[Message], Message]

#: The longest path of a socket, in bytes: 104 with its end on macOS and the BSDs, a little more on Linux.
MAX_ADDRESS = 103
#: Seconds after which a client that says nothing is hung up on.
SILENCE = 10.0
#: Clients at a time; more wait for their turn.
MAX_CLIENTS = 32
_BACKLOG = 128

log = logging.getLogger(__name__)


class Listener:
    """Answers until closed. `open` gives none where there are no Unix sockets, or no place for one."""

    def __init__(
        self, door: socket.socket, address: Path, answer: Answer, *, silence: float = SILENCE, max_line: int = MAX_LINE
    ) -> None:
        self.address = address
        self._door = door
        self._answer = answer
        self._silence = silence
        self._max_line = max_line
        self._bell, self._button = socket.socketpair()
        self._places = threading.Semaphore(MAX_CLIENTS)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="penstock-listener", daemon=True)
        self._thread.start()

    @classmethod
    def open(cls, database: Path, answer: Answer, **limits: Any) -> Listener | None:
        """Listen beside the database, which the caller owns; so a socket that is there is a dead owner's."""
        if not hasattr(socket, "AF_UNIX"):
            return None
        try:
            address = _address(database)
            address.unlink(missing_ok=True)
            door = _door(address)
        except OSError as error:
            log.warning("no other command can reach this engine: %s", error)
            return None
        return cls(door, address, answer, **limits)

    def close(self) -> None:
        """Answer what has been asked, and nothing more. Safe to call twice."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._button.send(b"\0")
        self._thread.join()
        for end in (self._door, self._bell, self._button):
            end.close()
        self.address.unlink(missing_ok=True)
        if self.address.parent.name.startswith(_PREFIX):
            shutil.rmtree(self.address.parent, ignore_errors=True)

    def _serve(self) -> None:
        with selectors.DefaultSelector() as waiting:
            waiting.register(self._door, selectors.EVENT_READ)
            waiting.register(self._bell, selectors.EVENT_READ)
            while not self._closed.is_set():
                waiting.select()
                if not self._closed.is_set():
                    self._let_in()

    def _let_in(self) -> None:
        if not self._places.acquire(timeout=0.1):
            return
        try:
            link, _ = self._door.accept()
        except OSError as error:  # the client is gone again, or there are no more file descriptors
            self._places.release()
            log.debug("a client could not be let in: %s", error)
            self._closed.wait(0.05)
            return
        threading.Thread(target=self._talk, args=(link,), name="penstock-client", daemon=True).start()

    def _talk(self, link: socket.socket) -> None:
        try:
            with link, contextlib.suppress(OSError):
                self._converse(Connection(link, patience=self._silence, max_line=self._max_line))
        finally:
            self._places.release()

    def _converse(self, client: Connection) -> None:
        while True:
            try:
                message = client.receive()
            except UsageError as error:
                client.send(error_message(error))
                return
            if message is None:
                return
            try:
                reply = self._answer(message)
            except PenstockError as error:
                reply = error_message(error)
            except Exception as error:  # the client must hear of it, and the others must not
                log.exception("a message of another command cannot be answered")
                reply = error_message(error)
            client.send(reply)


_PREFIX = "penstock-"


def _address(database: Path) -> Path:
    """Beside the database, or where its path is too long for a socket, in a new private folder for temporary files."""
    beside = database.with_name("engine.sock")
    if len(os.fsencode(beside)) <= MAX_ADDRESS:
        return beside
    for place in dict.fromkeys((tempfile.gettempdir(), "/tmp")):  # noqa: S108 - mkdtemp makes it ours alone
        if len(os.fsencode(place)) <= MAX_ADDRESS - len("/penstock-12345678/engine.sock"):
            return Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place)) / beside.name
    raise OSError(f"the path {beside} is too long for a socket")


def _door(address: Path) -> socket.socket:
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        door.bind(str(address))
        address.chmod(0o600)
        door.listen(_BACKLOG)
        door.setblocking(False)
    except BaseException:
        door.close()
        raise
    return door
