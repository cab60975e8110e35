"""Removes executions that were kept long enough, and what has no execution any more.

Always true: nothing goes that is not over, or that another execution still waits for; each transaction is short,
whatever the disk and however long the executions were, and between two of them others may write. A sweep that is broken
off does no harm: the next one finds what it left.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice

from msgspec import Struct
from msgspec.structs import asdict, replace

from engine.errors import PenstockError
from engine.model import file_uri
from engine.model.state import TERMINAL
from engine.ports import Clock, ExecutionFilter, ExecutionSummary, Files, Store
from engine.runtime.writes import PurgeExecutions, Write

#: How long a transaction should take: seconds between which nothing is changed about how many executions go in one.
QUICK, SLOW = 0.008, 0.020
FEWEST, MOST = 4, 200  # the fewest: on a slow disk a transaction takes long, however little is in it
#: How long an instant, a delivery or an idempotency key is remembered.
FIRES_KEPT = timedelta(days=7)
#: How long files wait for their execution.
UPLOADS_KEPT = timedelta(hours=24)
#: What ended so recently stays, however large the database is.
RECENT = timedelta(hours=1)

log = logging.getLogger(__name__)


def _wait(seconds: float) -> bool:
    time.sleep(seconds)
    return False


class Limits(Struct, frozen=True, kw_only=True):
    """What is kept; None is without limit. `size` is bytes of the database, `per_flow` a number of executions."""

    age: timedelta | None = None
    per_flow: int | None = None
    size: int | None = None


class Swept(Struct, frozen=True, kw_only=True):
    """What a sweep took away. `folders` are those of files that belonged to no execution."""

    executions: int = 0
    files: int = 0
    folders: int = 0
    fires: int = 0
    pairs: int = 0


class Retention:
    """`write` has the owner of the database make a write. `wait` pauses, and says whether to stop for good.

    `owns_files`: whether all files are of executions in this database, so that others can be removed.
    """

    def __init__(
        self,
        store: Callable[[], Store],
        write: Callable[[Write], int],
        files: Callable[[], Files],
        clock: Clock,
        limits: Limits,
        *,
        wait: Callable[[float], bool] = _wait,
        owns_files: bool = False,
    ) -> None:
        self._store = store
        self._write = write
        self._files = files
        self._clock = clock
        self._limits = limits
        self.wait = wait
        self._owns_files = owns_files
        self._share = 20  #: how many executions go in one transaction
        self._stopped = False

    def sweep(self) -> Swept:
        """Remove what the limits say. For the engine that owns the database."""
        now, store = self._clock.now(), self._store()
        fires = store.forget_fires(now - FIRES_KEPT)
        pairs = 0
        while not self._stopped and (forgotten := store.kv_forget(now)):
            pairs += forgotten
            self._pause(QUICK)
        executions = files = 0
        for found in self._expendable():
            gone, freed = self._remove(found)
            executions, files = executions + gone, files + freed
        folders = self._remove_orphans() if self._owns_files else 0
        while not self._stopped and store.shrink():
            self._pause(QUICK)
        return Swept(executions=executions, files=files, folders=folders, fires=fires, pairs=pairs)

    def purge(self, where: ExecutionFilter) -> Swept:
        """Remove the executions that are meant, as far as they are over."""
        states = [state for state in where.states or TERMINAL if state in TERMINAL]
        page = replace(where, states=states, oldest_first=True, offset=0)
        executions = files = 0
        while states and not self._stopped:
            found, _ = self._store().executions(replace(page, limit=self._share))
            if not found:
                break
            gone, freed = self._remove(found)
            executions, files = executions + gone, files + freed
            page = replace(page, offset=page.offset + len(found) - gone)
        return Swept(executions=executions, files=files)

    # -- what is to go

    def _expendable(self) -> Iterator[list[ExecutionSummary]]:
        yield from self._too_old()
        yield from self._too_many()
        yield from self._too_much()

    def _too_old(self) -> Iterator[list[ExecutionSummary]]:
        if self._limits.age is None:
            return
        before = self._clock.now() - self._limits.age
        yield from self._while_it_helps(lambda: self._store().expendable(ended_before=before, limit=self._share))

    def _too_many(self) -> Iterator[list[ExecutionSummary]]:
        if self._limits.per_flow is None:
            return
        for flow, count in self._store().flow_sizes().items():
            excess = count - self._limits.per_flow
            while excess > 0 and not self._stopped:
                found = self._store().expendable(flow=flow, limit=min(self._share, excess))
                if not found:
                    break
                yield found
                excess -= len(found)

    def _too_much(self) -> Iterator[list[ExecutionSummary]]:
        limit = self._limits.size
        if limit is None:
            return
        before = self._clock.now() - RECENT

        def found() -> list[ExecutionSummary]:
            too_much = (self._store().size() or 0) > limit
            return self._store().expendable(ended_before=before, limit=self._share) if too_much else []

        yield from self._while_it_helps(found)

    def _while_it_helps(self, find: Callable[[], list[ExecutionSummary]]) -> Iterator[list[ExecutionSummary]]:
        """What is found again and again, until there is no more, or only what was found before."""
        before: list[ExecutionSummary] = []
        while not self._stopped and (found := find()) and found != before:
            yield found
            before = found

    # -- taking it away

    def _remove(self, found: Sequence[ExecutionSummary]) -> tuple[int, int]:
        """How many of them are gone, and how many files with them."""
        left = [each.id for each in found]
        removed = 1
        while left and removed and not self._stopped:
            removed = self._timed(PurgeExecutions(ids=tuple(left)))
            left = list(self._store().states(left))
        gone = [each for each in found if each.id not in left]
        # After the executions: one that a person restarts meanwhile keeps its files. A crash here leaves orphans.
        folders = [file_uri.execution_folder(each.namespace, each.flow_id, each.id) for each in gone]
        return len(gone), sum(len(self._files().delete_tree(folder)) for folder in folders)

    def _timed(self, write: Write) -> int:
        """Make it, let others write for as long, and from now on take more or less at once."""
        began = self._clock.monotonic()
        done = self._write(write)
        took = self._clock.monotonic() - began
        if took > SLOW:
            self._share = max(self._share // 2, FEWEST)
        elif took < QUICK:
            self._share = min(self._share * 2, MOST)
        self._pause(took)
        return done

    def _pause(self, seconds: float) -> None:
        self._stopped = self.wait(max(seconds, QUICK)) or self._stopped

    def _remove_orphans(self) -> int:
        """Remove the files of what was never stored, or is gone; how many folders.

        In a restored database, what is younger than the backup may belong to executions that only the other one knows.
        """
        before, removed = self._clock.now() - UPLOADS_KEPT, 0
        if (backed_up := self._store().meta("backup_of")) is not None:
            before = min(before, datetime.fromisoformat(backed_up))
        old = ((folder, file_uri.segments(folder)[-1]) for folder, at in self._files().executions() if at < before)
        while some := list(islice(old, MOST)):
            known = self._store().states([id_ for _, id_ in some])
            for folder in (folder for folder, id_ in some if id_ not in known):
                self._files().delete_tree(folder)
                removed += 1
            self._pause(QUICK)
            if self._stopped:
                break
        return removed


class Sweeper:
    """Has a `Retention` sweep again and again, in a thread of its own, until it is told to stop."""

    def __init__(self, retention: Retention, every: timedelta = timedelta(minutes=5)) -> None:
        self._retention = retention
        self._every = every.total_seconds()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="penstock-retention", daemon=True)
        retention.wait = self._stopping.wait

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Returns when what it was just doing is done."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                swept = self._retention.sweep()
                if swept != Swept():
                    counts = (f"{count:,} {what}" for what, count in asdict(swept).items() if count)
                    log.info("retention has removed %s", ", ".join(counts))
            except PenstockError as error:  # of the store or the files: the next time may do better
                log.warning("retention: %s", error.message)
            self._stopping.wait(self._every)
