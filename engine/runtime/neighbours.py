"""The other engines on a shared database: how to have them do something, and how to follow what they run.

Always true: an execution that a living engine moves is left to it; what is asked of one is decided once, whoever dies
in between, because the event tells itself from any other.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from datetime import timedelta
from time import monotonic

from engine.errors import IllegalState, StoreBusy, StoreUnreachable
from engine.model.events import Event, KillRequested
from engine.model.execution import Execution
from engine.ports import Asked, Clock, EngineRecord, SharingStore, Store
from engine.runtime.followers import OnChange
from engine.runtime.ids import new_id
from engine.runtime.membership import bury_the_dead
from engine.runtime.onlooker import Onlooker
from engine.runtime.wire import error_from, event_message

#: Seconds between two looks for an answer, and at who moves an execution.
ANSWER_EVERY = 0.05
OWNER_EVERY = 1.0
#: Seconds that an engine which lives may take to answer.
ANSWERS_WITHIN = 30.0
#: Seconds of waiting after which a person is told why.
SILENT_WAIT = 1.0
#: How long a request may lie about that nobody waits for.
KEPT = timedelta(minutes=10)


class Neighbours:
    """`store` is for following, which waits for a server that is away; `sharing` for what persons wait for."""

    def __init__(self, store: Store, sharing: SharingStore, clock: Clock) -> None:
        self._store = store
        self.sharing = sharing
        self._clock = clock
        #: How this engine is known to the others, while its loop runs.
        self.me: EngineRecord | None = None

    def mover(self, execution_id: str) -> EngineRecord | None:
        """The other engine that moves an execution; None when none does, or it is this one."""
        bury_the_dead(self.sharing)
        owner = self.sharing.owner(execution_id)
        return None if owner is None or owner == self.me else owner

    # -- asking

    def ask(self, execution_id: str, event: Event, on_wait: Callable[[str], None]) -> bool:
        """Have the engine that moves an execution decide an event; False when no other one does.

        Raises what that engine says about it, StoreBusy when it does not answer.
        """
        owner = self.mover(execution_id)
        if owner is None:
            return False
        wish = self._put(execution_id, event, new_id())
        try:
            return self._answered(wish, owner, on_wait)
        finally:
            self.sharing.withdraw([wish.id])

    def tell(self, execution_id: str, event: Event, request_id: str | None = None) -> None:
        """As `ask`, but nobody waits for the answer. Told again with the same id, it is asked once."""
        self._put(execution_id, event, request_id or new_id())

    def _put(self, execution_id: str, event: Event, request_id: str) -> Asked:
        wish = Asked(id=request_id, execution_id=execution_id, event=event_message(event))
        self.sharing.ask(wish, at=self._clock.now())
        return wish

    def _answered(self, wish: Asked, owner: EngineRecord | None, on_wait: Callable[[str], None]) -> bool:
        """Wait for the answer; False when nobody is left who might give it."""
        begun = looked = monotonic()
        told = False
        while True:
            answer = self.sharing.answer_to(wish.id)
            if answer is not None:
                if "error" in answer:
                    raise error_from(answer)
                return True
            if owner is None:
                return False
            now = monotonic()
            if now - begun > ANSWERS_WITHIN:
                raise StoreBusy(f"{owner} runs execution {wish.execution_id}, and does not answer")
            if not told and now - begun > SILENT_WAIT:
                on_wait(f"waiting: {owner} runs execution {wish.execution_id}")
                told = True
            if now - looked > OWNER_EVERY:
                owner, looked = self.mover(wish.execution_id), now
            time.sleep(ANSWER_EVERY)

    # -- following

    def onlooker(self, execution_id: str) -> Onlooker:
        """Sees what becomes of an execution from now on."""
        onlooker = Onlooker(self._store, execution_id)
        onlooker.look()  # what happened before is no news
        return onlooker

    def follow(
        self,
        onlooker: Onlooker,
        execution_id: str,
        on_change: OnChange | None,
        kills: queue.SimpleQueue[str],
        until: float | None,
        *,
        mine: bool,
    ) -> Execution | None:
        """Follow an execution to its end. `kills` takes reasons to kill it, also from a signal handler.

        When no engine is left that goes on with it: None if it is `mine`, to be gone on with here, else IllegalState.
        TimeoutError when it has not ended by `until`, on the monotonic clock.
        """
        looked = monotonic()
        while True:
            look = onlooker.look()
            if look is not None:
                looked = monotonic()
                if on_change is not None:
                    on_change(look.execution, look.task_runs, look.logs)
                if look.execution.is_over:
                    return look.execution
            elif monotonic() - looked > OWNER_EVERY:
                looked = monotonic()
                execution = self._store.execution(execution_id)
                if execution is not None and execution.is_over:
                    return execution
                if not self._is_cared_for(execution_id):
                    if mine:
                        return None
                    raise IllegalState(
                        f"no engine runs execution {execution_id} now",
                        hint="`penstock executions recover` goes on with it",
                    )
            if until is not None and monotonic() > until:
                raise TimeoutError(f"execution {execution_id} has not ended in time")
            try:
                reason = kills.get(timeout=onlooker.pause)
            except queue.Empty:
                continue
            self.tell(execution_id, KillRequested(at=self._clock.now(), reason=reason))

    def _is_cared_for(self, execution_id: str) -> bool:
        """Whether an engine moves it, or will, as far as anybody can say."""
        try:
            if any(engine.takes_over for engine in bury_the_dead(self.sharing)):
                return True
            return self.sharing.owner(execution_id) is not None
        except StoreUnreachable:
            return True
