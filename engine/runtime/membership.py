"""This engine among those that share a database: it says that it is here, and notices when it may be taken for gone.

Always true: when the others may take over what this engine moves, it has stopped moving it, unless the system did not
let it run at all; then its writes are refused, and it notices as soon as it runs again.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic

from engine.errors import StoreError
from engine.ports import EngineRecord, SharingStore
from engine.runtime.ids import new_id
from engine.sdk.process.supervisor import start_of
from engine.store.owner import command_line

#: Parts of the lease: between two signs of life, and how long after the last one this engine gives up by itself.
BEAT = 1 / 6
FENCE = 2 / 3
#: Seconds after which a sign of life that could not be given is tried again, at most.
AGAIN = 1.0

log = logging.getLogger(__name__)


def this_engine(*, takes_over: bool) -> EngineRecord:
    """How the others know this engine."""
    pid = os.getpid()
    return EngineRecord(
        id=new_id(),
        host=socket.gethostname(),
        pid=pid,
        process_start=start_of(pid) or "",
        boot_id=_system(),
        command=command_line(),
        takes_over=takes_over,
    )


def _system() -> str:
    """The running system whose process ids these are: two containers of one machine have not the same."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{os.readlink('/proc/self/ns/pid')}"
    except OSError:
        from uuid import getnode  # lazy: where there is no /proc

        return f"{getnode():x}"


def is_dead(engine: EngineRecord) -> bool:
    """Whether it is certain that an engine is gone: it ran in this very system, and its process does not."""
    is_ours = (engine.host, engine.boot_id) == (socket.gethostname(), _system())
    return is_ours and start_of(engine.pid) != engine.process_start


def bury_the_dead(sharing: SharingStore) -> list[EngineRecord]:
    """The engines that are there. Of those that died in this system, nobody needs to await the lease."""
    alive = []
    for engine in sharing.engines():
        if is_dead(engine):
            sharing.bury(engine.id)
        else:
            alive.append(engine)
    return alive


class Membership:
    """`on_fenced` is told to give everything up, `on_back` that the others can see this engine again after that.

    They are called on threads of this class, and must be quick.
    """

    def __init__(
        self,
        sharing: SharingStore,
        engine: EngineRecord,
        on_fenced: Callable[[], None],
        on_back: Callable[[], None],
    ) -> None:
        self.engine = engine
        self._sharing = sharing
        self._on_fenced = on_fenced
        self._on_back = on_back
        self._fencing = threading.Lock()
        self._is_fenced = False
        self._over = threading.Event()
        self._heard = monotonic()  #: when the last sign of life was sent that came through
        self._threads = [
            threading.Thread(target=run, name=f"penstock-{run.__name__.strip('_')}", daemon=True)
            for run in (self._beat, self._watch)
        ]

    def join(self) -> None:
        """Tell the others. Raises StoreError."""
        self._heard = monotonic()
        self._sharing.join(self.engine)

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def leave(self) -> None:
        """Let go of everything, and tell the others; those who cannot be told will notice."""
        self._over.set()
        for thread in self._threads:
            thread.join(AGAIN)
        try:
            self._sharing.leave()
        except StoreError as error:
            log.warning("the other engines cannot be told that this one ends: %s", error)

    def _beat(self) -> None:
        usual = self._sharing.lease * BEAT
        pause = usual
        while not self._over.wait(pause):
            sent = monotonic()
            try:
                silence = self._sharing.beat()
            except StoreError as error:
                if pause == usual:  # once for each time that the database is away
                    log.warning("the other engines cannot be told that this one is here: %s", error)
                pause = min(AGAIN, usual / 2)
                continue
            pause = usual
            if silence is None or silence > self._sharing.lease * FENCE:
                self._fence()
            with self._fencing:
                self._heard = sent
                was_fenced, self._is_fenced = self._is_fenced, False
            if was_fenced:
                self._on_back()

    def _watch(self) -> None:
        limit = self._sharing.lease * FENCE
        while not self._over.wait(min(limit / 20, AGAIN)):
            if monotonic() - self._heard > limit:
                self._fence()

    def _fence(self) -> None:
        with self._fencing:
            if self._is_fenced:
                return
            self._is_fenced = True
            log.warning("this engine could not tell the others that it is here, and gives up what it runs for now")
            self._on_fenced()
