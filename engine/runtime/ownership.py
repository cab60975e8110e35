"""Who moves the executions of a database: the loop of this engine, or the engine that owns the database already.

Always true: with SQLite one engine moves them, and it answers the others; with a server's database each engine moves
its own, and they ask each other.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from threading import Lock

from engine.errors import StoreBusy
from engine.ports import Store
from engine.runtime.duties import Duties
from engine.runtime.guest import Guest
from engine.runtime.host import Host
from engine.runtime.listener import Listener
from engine.runtime.loop import STOP_GRACE, Loop
from engine.runtime.neighbours import Neighbours
from engine.runtime.peer import Peer


class Ownership:
    """`new_loop` makes the loop once it may run, `new_host` what answers other commands. `file` is SQLite's.

    `new_duties` makes what an engine does for others on a server's database, and `neighbours` is the way to those.
    """

    def __init__(
        self,
        store: Callable[[], Store],
        file: Path | None,
        new_loop: Callable[[], Loop],
        new_host: Callable[[Loop], Host],
        new_duties: Callable[[Loop], Duties],
        new_neighbours: Callable[[], Neighbours | None],
    ) -> None:
        self._store = store
        self._file = file
        self._new_loop = new_loop
        self._new_host = new_host
        self._new_duties = new_duties
        self._new_neighbours = new_neighbours
        self._owning = Lock()
        self._host: Host | None = None
        self._listener: Listener | None = None
        self._guest: Guest | None = None
        self._duties: Duties | None = None
        #: The loop, if it runs. A signal handler may look here; `loop` locks.
        self.running: Loop | None = None
        #: What was not finished when this engine came to own the database: its engines are gone.
        self.left_behind: list[str] = []

    @property
    def loop(self) -> Loop:
        """The running loop; started when first needed. Raises StoreBusy when another engine owns the database."""
        with self._owning:
            if self.running is None:
                store = self._store()
                store.own()
                self.left_behind = store.unfinished() if self._file is not None else []
                loop = self._new_loop()
                if self.neighbours is not None:
                    self._duties = self._new_duties(loop)
                    self._duties.join(self.neighbours)
                self.running = loop
                self.running.start()
                self._open_door(self.running)
        return self.running

    @cached_property
    def neighbours(self) -> Neighbours | None:
        """The way to the other engines, on a database that several may share."""
        return self._new_neighbours()

    def _open_door(self, loop: Loop) -> None:
        """From now on, other commands can hand their work over."""
        if self._duties is not None:
            self._duties.start()
        if self._file is None:
            return  # a server's database needs no owner
        self._host = self._new_host(loop)
        self._listener = Listener.open(self._file, self._host.answer)
        if self._listener is not None:
            self._store().own(socket=str(self._listener.address))

    def take(self) -> bool:
        """Whether this engine owns the database; it takes it when nobody else has it."""
        try:
            return self.loop is not None
        except StoreBusy:
            return False

    @property
    def guest(self) -> Guest | None:
        """The way to another engine that may own the database; None where there need be no owner."""
        if self._guest is None and self._file is not None:
            self._guest = Guest(self._store(), Peer(self._file), self.take)
        return self._guest

    @property
    def elsewhere(self) -> Guest | None:
        """The way to whoever may own the database, as long as this engine does not."""
        return self.guest if self.running is None else None

    def end(self, on_wait: Callable[[str], None], grace: float | None = None) -> None:
        """Finish what other commands handed over, commit what finishes now, and stop. Safe to call twice.

        With a `grace` what was handed over goes back to those commands, if it has not finished so many seconds later.
        """
        patience = 0.0  # if somebody does not want to wait
        try:
            if grace is None:
                self._finish(on_wait)
            patience = STOP_GRACE if grace is None else grace
        finally:
            if self._listener is not None:
                self._listener.close()
            if self._duties is not None:
                self._duties.rest()
            if self.running is not None:
                self.running.stop(patience)
            if self._duties is not None:
                self._duties.end()
            self._listener = self._host = self.running = self._guest = self._duties = None

    def _finish(self, on_wait: Callable[[str], None]) -> None:
        if self._host is not None:
            self._host.finish(on_wait)
        if self.running is not None:
            self.running.finish(on_wait)
