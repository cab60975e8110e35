"""A command whose database belongs to another engine: it hands its execution over, and follows it from here.

Always true: an execution is begun once, whoever dies in between, because its id is made here. While its owner lives it
is left alone; when the owner is gone, the next one goes on with it, and that may be this engine.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from time import monotonic
from typing import TypeVar

from engine.errors import IllegalState, StoreBusy
from engine.model.events import Event
from engine.model.execution import Execution
from engine.ports import Store
from engine.runtime.followers import OnChange
from engine.runtime.onlooker import Onlooker
from engine.runtime.peer import Away, Ending, Peer
from engine.runtime.wire import Replay, Submission
from engine.runtime.writes import Write

#: Seconds that an engine may take from owning its database to listening, or from closing its door to giving it up.
STARTING = 10.0
#: Seconds between two tries to reach an engine, or to take its place.
PAUSE = 0.02
#: Seconds between two looks at who owns the database, and without news, between two questions to it.
OWNER_EVERY = 0.25
ASK_EVERY = 5.0
#: Seconds of waiting after which a person is told why.
SILENT_WAIT = 1.0

T = TypeVar("T")


def patiently(attempt: Callable[[], T], seconds: float = STARTING) -> T:
    """The result of `attempt`, tried again while another engine is in the way, for so many seconds."""
    until = monotonic() + seconds
    while True:
        try:
            return attempt()
        except StoreBusy:
            if monotonic() > until:
                raise
        time.sleep(PAUSE)


class Guest:
    """`own` takes the database when nobody has it, and says whether this engine owns it now."""

    def __init__(self, store: Store, peer: Peer, own: Callable[[], bool]) -> None:
        self._store = store
        self._peer = peer
        self._own = own
        self._mine: set[str] = set()  #: the executions that began here
        self._asked: set[str] = set()  #: those of which something was asked here

    def hand_over(self, submission: Submission, on_wait: Callable[[str], None] = lambda why: None) -> bool:
        """Have the owner store and begin the execution; False if this engine owns the database now.

        Raises what the owner says about it, StoreBusy when it does not answer.
        """
        self._mine.add(submission.id)
        return self._done_there(lambda: self._peer.submit(submission), self._is_stored(submission.id), on_wait)

    def replay(self, replay: Replay, on_wait: Callable[[str], None]) -> bool:
        """Have the owner begin a replay, as `hand_over` does."""
        self._mine.add(replay.id)
        return self._done_there(lambda: self._peer.replay(replay), self._is_stored(replay.id), on_wait)

    def ask(self, execution_id: str, event: Event, on_wait: Callable[[str], None]) -> bool:
        """Have the owner ask something of an execution; False if this engine owns the database now."""
        self._asked.add(execution_id)
        return self._done_there(lambda: self._peer.ask(execution_id, event), lambda: False, on_wait)

    def _is_stored(self, execution_id: str) -> Callable[[], bool]:
        return lambda: self._store.execution(execution_id) is not None

    def _done_there(
        self, call: Callable[[], None], was_done: Callable[[], bool], on_wait: Callable[[str], None]
    ) -> bool:
        """Have the owner do something, as soon as it answers; False if this engine owns the database now."""
        begun = answered = monotonic()
        told = False
        while not self._own():
            try:
                call()
                return True
            except StoreBusy as busy:
                if was_done():
                    return True  # only the answer was lost
                if isinstance(busy, Ending):
                    answered = monotonic()
                elif not isinstance(busy, Away) or monotonic() - answered > STARTING:
                    raise
                if not told and monotonic() - begun > SILENT_WAIT:
                    on_wait(f"waiting: {busy.message}")
                    told = True
            time.sleep(PAUSE)
        return False

    def write(self, write: Write) -> int:
        """Make a small write: here if this engine owns the database now, else there."""
        return patiently(lambda: write.perform(self._store) if self._own() else self._peer.write(write))

    def began(self, execution_id: str) -> bool:
        """Whether the execution was handed over from here."""
        return execution_id in self._mine or execution_id in self._asked

    def adopt(self, execution_id: str) -> bool:
        """Have the owner go on with an execution; False when it does already, or nothing is left to do."""
        return patiently(lambda: self._peer.adopt(execution_id))

    def kill(self, execution_id: str, reason: str) -> None:
        """Have the owner kill an execution."""
        try:
            self._peer.kill(execution_id, reason)
        except Away:
            raise IllegalState(
                f"no engine runs execution {execution_id} now", hint="`penstock executions recover` goes on with it"
            ) from None

    def follow(
        self,
        execution_id: str,
        on_change: OnChange,
        *,
        kills: queue.SimpleQueue[str],
        until: float | None = None,
        first: Callable[[], object] | None = None,
    ) -> Execution | None:
        """Follow to the end; None when its owner died and this engine owns the database now, to go on with it.

        `kills` takes reasons to kill it, also from a signal handler; `first` is done when nothing can be missed. An
        execution of which nothing was asked here is not taken over either: IllegalState when its engine is gone, and
        what happened to it before is not told. TimeoutError when it has not ended by `until`, on the monotonic clock.
        """
        onlooker = Onlooker(self._store, execution_id)
        before = None if execution_id in self._mine else onlooker.look()  # what happened before is no news
        if first is not None:
            first()
            if self._own():
                return None
        elif before is not None and before.execution.is_over:
            return before.execution
        mine = execution_id in self._mine or execution_id in self._asked
        watch = _OwnerWatch(self._peer, execution_id, mine=mine)
        while True:
            look = onlooker.look()
            if look is not None:
                watch.rest()
                on_change(look.execution, look.task_runs, look.logs)
                if look.execution.is_over:
                    return look.execution
            elif watch.is_gone():
                if self._store_says_ended(execution_id):
                    continue
                if not mine:
                    raise _gone(execution_id)
                if self._own():
                    return self._last_look(onlooker, on_change)
                watch.try_next()
            if until is not None and monotonic() > until:
                raise TimeoutError(f"execution {execution_id} has not ended in time")
            self._pass_on(kills, execution_id, onlooker.pause)

    def _store_says_ended(self, execution_id: str) -> bool:
        execution = self._store.execution(execution_id)
        return execution is not None and execution.is_over

    def _last_look(self, onlooker: Onlooker, on_change: OnChange) -> Execution | None:
        """What the dead owner committed just before, now that nobody else writes."""
        look = onlooker.look()
        if look is None:
            return None
        on_change(look.execution, look.task_runs, look.logs)
        return look.execution if look.execution.is_over else None

    def _pass_on(self, kills: queue.SimpleQueue[str], execution_id: str, pause: float) -> None:
        """Wait for the next look, and meanwhile for a wish to kill."""
        try:
            reason = kills.get(timeout=pause)
        except queue.Empty:
            return
        try:
            self._peer.kill(execution_id, reason)
        except IllegalState:
            pass  # it has just ended
        except Away:
            kills.put(reason)  # for whoever goes on with it
            time.sleep(PAUSE)


class _OwnerWatch:
    """Whether the engine that took an execution still has it."""

    def __init__(self, peer: Peer, execution_id: str, *, mine: bool) -> None:
        self._peer = peer
        self._id = execution_id
        self._mine = mine
        self._owner = peer.owner()
        self.rest()

    def rest(self) -> None:
        """There are news, so all is well."""
        self._look_at = monotonic() + OWNER_EVERY
        self._ask_at = monotonic() + ASK_EVERY

    def is_gone(self) -> bool:
        """Whether the owner is another than the one that took the execution. Raises why the owner gave it up."""
        now = monotonic()
        if now < self._look_at:
            return False
        self._look_at = now + OWNER_EVERY
        if self._owner is None or self._peer.owner() != self._owner:
            return True
        if self._mine and now > self._ask_at:
            self._ask_at = now + ASK_EVERY
            self._ask()
        return False

    def try_next(self) -> None:
        """Have whoever owns the database now go on with the execution."""
        owner = self._peer.owner()
        if owner is not None and self._ask():
            self._owner = owner

    def _ask(self) -> bool:
        try:
            self._peer.adopt(self._id)
        except StoreBusy:  # it starts, ends, hangs or is gone: the next look tells
            return False
        return True


def _gone(execution_id: str) -> IllegalState:
    return IllegalState(
        f"the engine that ran execution {execution_id} is gone", hint="`penstock executions recover` goes on with it"
    )
