"""Has executions run and tells how they go: in this engine's loop, or in that of the engine that owns the database.

Always true: nobody who asks can tell which of the two it was; what began here goes on here when its engine dies.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from queue import Empty, SimpleQueue
from time import monotonic

from msgspec.structs import replace

from engine.core.calling import successor_id
from engine.errors import Fenced, NotFound, PenstockError, StoreError
from engine.model.events import KillRequested
from engine.model.execution import Execution
from engine.model.flow import Flow
from engine.model.state import State
from engine.ports import Clock, Store
from engine.runtime.creation import Creator, NewExecution
from engine.runtime.duties import adopt_orphans
from engine.runtime.followers import News, OnChange, until_it_ends
from engine.runtime.guest import Guest
from engine.runtime.library import Library
from engine.runtime.neighbours import Neighbours
from engine.runtime.onlooker import Onlooker
from engine.runtime.ownership import Ownership
from engine.runtime.survivors import is_at_work
from engine.runtime.wire import Submission

log = logging.getLogger(__name__)

#: How many executions are read at once that are to go on.
_AT_ONCE = 200


class Dispatcher:
    """`on_wait` hears why an execution cannot begin yet."""

    def __init__(
        self,
        ownership: Ownership,
        store: Callable[[], Store],
        library: Library,
        creator: Creator,
        clock: Clock,
        on_wait: Callable[[str], None],
    ) -> None:
        self._ownership = ownership
        self._store = store
        self._library = library
        self._creator = creator
        self._clock = clock
        self._on_wait = on_wait
        #: Wishes to kill an execution that is followed here while another engine runs it.
        self._kills: dict[str, SimpleQueue[str]] = {}
        #: Executions that were left behind and cannot go on, for reasons that have been told.
        self.refused: set[str] = set()

    def execution(self, execution_id: str) -> Execution:
        """An execution with its task runs. Raises NotFound."""
        execution = self._store().execution(execution_id)
        if execution is None:
            raise NotFound(f"there is no execution `{execution_id}`", hint="see `penstock executions list`")
        return execution

    def is_stored(self, execution_id: str) -> bool:
        return self._store().execution(execution_id) is not None

    # -- beginning

    def submit(self, new: NewExecution) -> Execution:
        """Store the flow as a revision and begin the execution. Returns once it is committed."""
        with new.uploaded(self.is_stored):
            return self.execution(new.execution.id) if self._hand_over(new) else self._begin(new)

    def run(self, new: NewExecution, on_change: OnChange | None = None) -> Execution:
        """Submit, and wait until it has ended; of one that is retried by others, until the last of them has."""
        ended = self._run(new, on_change)
        while ended.state is State.RETRIED:
            ended = self.follow(successor_id(ended.id), on_change)
        return ended

    def _run(self, new: NewExecution, on_change: OnChange | None) -> Execution:
        with new.uploaded(self.is_stored):
            if self._hand_over(new):
                return self._follow_there(new.execution.id, on_change)
            news, leave = self._ownership.loop.followers.add(new.execution.id)
            try:
                self._begin(new)
                try:
                    return until_it_ends(news.get, on_change)
                except Fenced:
                    if (neighbours := self._ownership.neighbours) is None:
                        raise  # it was removed
                    return self._follow_lost(neighbours, new.execution.id, on_change, None)
            finally:
                leave()

    def _begin(self, new: NewExecution) -> Execution:
        stored = replace(new.execution, flow_revision=self._library.keep(new.flow, new.source).revision)
        return self._ownership.loop.submit(new.flow, stored).result()

    def start(self, new: NewExecution) -> Execution:
        """Begin an execution of a revision that is stored, in the loop of this engine. Returns once it is committed."""
        with new.uploaded(self.is_stored):
            return self._ownership.loop.submit(new.flow, new.execution).result()

    def _hand_over(self, new: NewExecution) -> bool:
        """Have the engine that owns the database begin the execution; False when that is this one."""
        guest = self._ownership.guest
        return guest is not None and guest.hand_over(new.submission, self._on_wait)

    def begin_for_guest(self, submission: Submission) -> bool:
        """Begin what another command hands over, unless it was begun before."""
        if self.is_stored(submission.id):
            return self.resume(submission.id)
        flow = self._library.parse(submission.source, file=submission.file)
        self._begin(self._creator.create(flow, submission.inputs, submission.labels, submission.id))
        return True

    # -- following

    def follow(
        self,
        execution_id: str,
        on_change: OnChange | None = None,
        timeout: float | None = None,
        first: Callable[[], object] | None = None,
    ) -> Execution:
        """Wait until an execution has ended. Raises NotFound; TimeoutError after `timeout` seconds.

        `first` moves the execution, and is done as soon as nothing that follows from it can be missed.
        """
        until = None if timeout is None else monotonic() + timeout
        try:
            return self._follow(execution_id, on_change, until, first)
        except Empty:
            raise TimeoutError(f"execution {execution_id} has not ended within {timeout} s") from None

    def _follow(
        self, execution_id: str, on_change: OnChange | None, until: float | None, first: Callable[[], object] | None
    ) -> Execution:
        """As `follow`; raises Empty when `until` (on the monotonic clock) is over."""
        if (neighbours := self._ownership.neighbours) is not None:
            return self._follow_shared(neighbours, execution_id, on_change, until, first)
        if first is not None and self._ownership.elsewhere is not None:
            self._ownership.take()
        if self._ownership.elsewhere is not None:
            if first is None and (execution := self.execution(execution_id)).is_over:
                return execution
            return self._follow_there(execution_id, on_change, until, first)
        news, leave = self._ownership.loop.followers.add(execution_id)
        try:
            if first is not None:
                first()
            execution = self.execution(execution_id)
            if execution.is_over and first is None:
                return execution
            guest, loop = self._ownership.guest, self._ownership.loop
            begun_there = guest is not None and guest.began(execution_id) and not loop.runs(execution_id)
            if first is None and begun_there:
                self.resume(execution_id)  # the engine that had it died, and this one took its place
            return until_it_ends(partial(_next, news, until), on_change)
        finally:
            leave()

    def _follow_there(
        self,
        execution_id: str,
        on_change: OnChange | None,
        until: float | None = None,
        first: Callable[[], object] | None = None,
    ) -> Execution:
        """Follow an execution that another engine runs; should that engine die, go on here with what began here."""
        guest = self._ownership.guest
        assert guest is not None
        kills: SimpleQueue[str] = SimpleQueue()

        def begin() -> None:
            if first is not None:
                first()  # a wish to kill among them is asked, and perhaps refused, as any other
            self._kills[execution_id] = kills

        if first is None:
            begin()
        tell = on_change or (lambda execution, runs, logs: None)
        try:
            ended = guest.follow(execution_id, tell, kills=kills, until=until, first=begin if first else None)
            if ended is not None:
                return ended
            news, leave = self._ownership.loop.followers.add(execution_id)
            if not self.resume(execution_id):
                return self.execution(execution_id)
        finally:
            self._kills.pop(execution_id, None)
        try:
            tell(self.execution(execution_id), (), ())  # it may wait for a person since before anybody listened here
            while not kills.empty():
                self.kill(execution_id, kills.get())
            return until_it_ends(partial(_next, news, until), on_change)
        finally:
            leave()

    # -- following where several engines share the database

    def _follow_shared(
        self,
        neighbours: Neighbours,
        execution_id: str,
        on_change: OnChange | None,
        until: float | None,
        first: Callable[[], object] | None,
    ) -> Execution:
        """As `_follow`: here if it runs here, or does because of `first`, else by reading."""
        onlooker = neighbours.onlooker(execution_id)
        loop = self._ownership.loop if first is not None else self._ownership.running
        if loop is not None:
            news, leave = loop.followers.add(execution_id)
            try:
                if first is not None:
                    first()
                if loop.runs(execution_id) or not news.empty():
                    return until_it_ends(partial(_next, news, until), on_change)
            except Fenced:
                return self._follow_lost(neighbours, execution_id, on_change, until)
            finally:
                leave()
        return self._read(neighbours, onlooker, execution_id, on_change, until, mine=first is not None)

    def _follow_lost(
        self, neighbours: Neighbours, execution_id: str, on_change: OnChange | None, until: float | None
    ) -> Execution:
        """Follow one that this engine moved until another one took it."""
        return self._read(neighbours, neighbours.onlooker(execution_id), execution_id, on_change, until, mine=True)

    def _read(
        self,
        neighbours: Neighbours,
        onlooker: Onlooker,
        execution_id: str,
        on_change: OnChange | None,
        until: float | None,
        *,
        mine: bool,
    ) -> Execution:
        execution = self.execution(execution_id)
        if execution.is_over:
            return execution
        kills: SimpleQueue[str] = SimpleQueue()
        self._kills[execution_id] = kills
        try:
            ended = neighbours.follow(onlooker, execution_id, on_change, kills, until, mine=mine)
        finally:
            self._kills.pop(execution_id, None)
        if ended is not None:
            return ended
        return self._follow_shared(neighbours, execution_id, on_change, until, partial(self.resume, execution_id))

    # -- stopping, and going on

    def is_close(self, execution_id: str) -> bool:
        """Whether it is followed here, or runs here: then it can be killed from within a signal handler."""
        loop = self._ownership.running
        return execution_id in self._kills or (loop is not None and loop.runs(execution_id))

    def kill(self, execution_id: str, reason: str) -> None:
        """Ask a running execution to stop. In a signal handler, neither waits nor raises for one that is followed."""
        if execution_id in self._kills:
            self._kills[execution_id].put(reason)
        elif (loop := self._ownership.running) is None and (guest := self._ownership.guest) is not None:
            guest.kill(execution_id, reason)
        elif (neighbours := self._ownership.neighbours) is not None and not (loop and loop.runs(execution_id)):
            neighbours.tell(execution_id, KillRequested(at=self._clock.now(), reason=reason))
        else:
            loop = loop or self._ownership.loop  # which locks: not in a signal handler, then
            loop.post(execution_id, KillRequested(at=self._clock.now(), reason=reason))

    def recover(self) -> list[str]:
        """Go on with every execution whose engine is gone, in the engine that owns the database. Returns their ids."""
        if self._ownership.neighbours is not None:
            self._ownership.loop  # noqa: B018 - only who is known to the others may take over
            return adopt_orphans(self._ownership.neighbours.sharing, self.go_on)
        unfinished = self._store().unfinished()
        guest: Guest | None = self._ownership.guest
        if guest is not None and not self._ownership.take():
            return [execution_id for execution_id in unfinished if guest.adopt(execution_id)]
        batches = (unfinished[start : start + _AT_ONCE] for start in range(0, len(unfinished), _AT_ONCE))
        return [execution_id for batch in batches for execution_id in self.go_on(batch)]

    def go_on(self, execution_ids: Sequence[str]) -> Iterator[str]:
        """Go on with those that can be gone on with; what is wrong with one is told, and in nobody's way."""
        try:
            found = self._store().some(execution_ids)
        except StoreError as error:
            if len(execution_ids) == 1:
                self.refused.add(execution_ids[0])
                log.error("execution %s cannot be read, and is left as it is: %s", execution_ids[0], error.message)
                return
            for execution_id in execution_ids:
                yield from self.go_on([execution_id])
            return
        going_on: list[tuple[Flow, Execution]] = []
        for execution in found:
            try:
                if not execution.is_over:
                    going_on.append((self._library.flow_of(execution), execution))
            except PenstockError as error:
                self.refused.add(execution.id)
                log.error("execution %s cannot go on, and is left as it is: %s", execution.id, error.message)
        loop = self._ownership.loop
        left = [each for each in going_on if is_at_work(each[1])]  # what is left of these may take seconds to end
        with ThreadPoolExecutor(max_workers=max(len(left), 1)) as together:
            for each in left:
                together.submit(loop.adopt, *each)
            for each in going_on:
                if not is_at_work(each[1]):
                    loop.adopt(*each)
        yield from (execution.id for _, execution in going_on)

    def resume(self, execution_id: str) -> bool:
        """Go on with a stored execution that no engine runs; False when nothing is left to do."""
        execution = self.execution(execution_id)
        if execution.is_over:
            return False
        loop, neighbours = self._ownership.loop, self._ownership.neighbours
        if neighbours is not None and not neighbours.sharing.adopt(execution_id):
            return False
        loop.adopt(self._library.flow_of(execution), execution)
        return True


def _next(news: SimpleQueue[News], until: float | None) -> News:
    """What comes next, however often something comes. Raises Empty when `until` is over."""
    left = None if until is None else until - monotonic()
    if left is not None and left <= 0:
        raise Empty
    return news.get(timeout=left)
