"""What an engine does for the others that share its database: it answers them, and takes over what they leave behind.

Always true: only an engine that is meant to (`penstock server`) takes over what others began; each takes back its own.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from time import monotonic

from engine.errors import Fenced, NotFound, PenstockError
from engine.model.execution import Execution
from engine.ports import Asked, Clock, SharingStore
from engine.runtime.membership import Membership, bury_the_dead, this_engine
from engine.runtime.neighbours import KEPT, Neighbours
from engine.runtime.shared_loop import SharedLoop
from engine.runtime.wire import error_message, event_from

#: Seconds between two looks: at what is asked, at what others may have moved that is waited for here.
ASKED_EVERY = 0.25
AROUND_EVERY = 0.25
#: Parts of the lease between two looks at what is left behind.
ORPHANS_EVERY = 0.1
STALE_EVERY = 60.0
#: Seconds that the last duty may take when the engine ends.
ENDS_WITHIN = 2.0
#: How many executions are taken over in one transaction.
PAGE = 100

#: Has the loop go on with stored executions that are this engine's now, and tells with which it does.
GoOn = Callable[[Sequence[str]], Iterable[str]]

log = logging.getLogger(__name__)


def adopt_orphans(sharing: SharingStore, go_on: GoOn) -> list[str]:
    """Go on with all executions that no engine moves. Their ids, the oldest first."""
    bury_the_dead(sharing)
    adopted: list[str] = []
    while found := sharing.adopt_orphans(PAGE):
        adopted += go_on(found)
    return adopted


class Duties:
    """Runs on a thread of its own, from `start` to `end`."""

    def __init__(self, sharing: SharingStore, loop: SharedLoop, clock: Clock, go_on: GoOn, *, takes_over: bool) -> None:
        self._sharing = sharing
        self._loop = loop
        self._clock = clock
        self._go_on = go_on
        self.membership = Membership(sharing, this_engine(takes_over=takes_over), self._fence, self._come_back)
        self._given_up = threading.Event()  #: set when the loop has given everything up
        self._is_back = threading.Event()
        self._over = threading.Event()
        self._wake = threading.Event()
        self._problem: PenstockError | None = None  #: why the last duty could not be done
        self._answers: dict[str, Future[Execution]] = {}
        self._thread = threading.Thread(target=self._run, name="penstock-duties", daemon=True)
        self._every: list[tuple[float, Callable[[], object]]] = [
            (ASKED_EVERY, self._hear),
            (AROUND_EVERY, loop.look_around),
            (STALE_EVERY, lambda: sharing.forget_requests(clock.now() - KEPT)),
        ]
        if takes_over:
            self._every.append((sharing.lease * ORPHANS_EVERY, lambda: adopt_orphans(sharing, go_on)))

    def join(self, neighbours: Neighbours) -> None:
        """Before the loop runs: from now on the others know this engine."""
        self.membership.join()
        neighbours.me = self.membership.engine

    def start(self) -> None:
        """The loop runs: from now on others are answered."""
        self.membership.start()
        self._thread.start()

    def rest(self) -> None:
        """The loop is about to end: nothing more is taken, and nobody is answered."""
        self._over.set()
        self._wake.set()
        self._thread.join(ENDS_WITHIN)

    def end(self) -> None:
        """The loop has ended: what it moved is free."""
        self.membership.leave()

    def _fence(self) -> None:
        self._given_up = self._loop.fence()

    def _come_back(self) -> None:
        self._is_back.set()
        self._wake.set()

    def _run(self) -> None:
        due = [0.0] * len(self._every)
        while not self._over.is_set():
            for place, (pause, duty) in enumerate(self._every):
                if monotonic() >= due[place]:
                    self._see_to(duty)
                    due[place] = monotonic() + pause
            if self._is_back.is_set():
                self._see_to(self._take_back)
            self._see_to(self._answer)
            self._wake.wait(ASKED_EVERY)
            self._wake.clear()

    def _see_to(self, duty: Callable[[], object]) -> None:
        try:
            duty()
            self._problem = None
        except PenstockError as error:  # the database is away; what is left undone is done the next time
            if self._problem is None:  # once, not several times a second
                log.warning("%s", error)
            self._problem = error
        except Exception:  # a bug of ours must not keep this engine from its other duties
            log.exception("a duty towards other engines cannot be done")

    def _hear(self) -> None:
        """Have the loop decide what others ask. What it does not run yet it will, unless it is over."""
        for wish in self._sharing.asked():
            if wish.id in self._answers:
                continue
            if not self._loop.runs(wish.execution_id):
                self._sharing.release(wish.execution_id)
                continue
            self._answers[wish.id] = answer = self._asked(wish)
            answer.add_done_callback(lambda _: self._wake.set())

    def _asked(self, wish: Asked) -> Future[Execution]:
        try:
            return self._loop.ask(None, wish.execution_id, event_from(wish.event))
        except PenstockError as error:
            refused: Future[Execution] = Future()
            refused.set_exception(error)
            return refused

    def _answer(self) -> None:
        for request_id in [id_ for id_, answer in self._answers.items() if answer.done()]:
            error = self._answers[request_id].exception()
            # One that has ended meanwhile is nobody's, one that was lost is another's: who asks finds that out.
            if not isinstance(error, Fenced | NotFound):
                self._sharing.answer(request_id, {} if error is None else error_message(error))
            del self._answers[request_id]

    def _take_back(self) -> None:
        """Go on with what was given up here and that nobody has taken since."""
        self._given_up.wait()
        self._is_back.clear()
        try:
            mine = self._sharing.mine()
        except PenstockError:
            self._is_back.set()
            raise
        for start in range(0, len(mine), PAGE):
            list(self._go_on(mine[start : start + PAGE]))
        for execution_id in self._loop.abandoned - set(mine):
            taken = Fenced(f"another engine has taken execution {execution_id} over")
            self._loop.followers.fail(execution_id, taken)
        self._loop.abandoned.clear()
