"""The scheduler: watches the triggers of all flows that are deployed, and has each dealt with when it is due.

One thread knows what is due next and waits for it; a few others deal with triggers, so that one which asks the world is
in nobody's way. The clock of the wall may jump: it is looked at again each second, and what is due is found from the
store's dates and not from how long was waited.
"""

from __future__ import annotations

import heapq
import logging
import queue
import threading
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from itertools import count

from msgspec import Struct
from msgspec.structs import replace

from engine.core.schedule.definition import definition_of
from engine.core.triggering import stops_after
from engine.errors import PenstockError, StoreError
from engine.model.flow import Flow
from engine.model.listeners import Trigger
from engine.model.scheduling import Deployment, TriggerKey, TriggerState
from engine.model.state import TERMINAL, State
from engine.model.triggers import FlowTrigger, HttpTrigger, TimedTrigger
from engine.runtime.followers import Followers, News
from engine.runtime.hands import Hands
from engine.runtime.heralds import LISTENING, Heralds
from engine.runtime.library import Library
from engine.runtime.listening import Listening
from engine.runtime.watched import FROM_NOW_ON, OWN, Bench, Watched

#: Seconds between two looks at the clock, and at executions that are waited for.
TICK = 1.0
#: Seconds between two looks at what is deployed: where other engines write as well, and where this one hears of it all.
SHARED_RELOAD, RELOAD = 5.0, 60.0
#: How many triggers are dealt with at once.
HANDS = 8
#: Seconds that what is being dealt with may take when the scheduler is to end. What takes longer is not committed.
STOPPING = 5.0

log = logging.getLogger(__name__)


class Dealt(Struct, frozen=True):
    """A trigger has been dealt with."""

    key: TriggerKey


class Ended(Struct, frozen=True):
    """An execution that a trigger started has ended."""

    key: TriggerKey
    lane: str
    execution_id: str
    state: State


class Changed(Struct, frozen=True):
    """Something about deployments or triggers is other than it was. `done` hears when it has been looked at."""

    done: threading.Event | None = None


class Announced(Struct, frozen=True):
    """There is something for those who listen to other flows."""


class Stop(Struct, frozen=True):
    """Start nothing more."""


Message = Dealt | Ended | Changed | Announced | Stop


class Scheduler:
    """`start`, `changed` and `stop` may be called from any thread."""

    def __init__(self, bench: Bench, library: Library, followers: Followers, heralds: Heralds) -> None:
        self._inbox: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._bench = bench
        self._store, self._clock = bench.store, bench.clock
        self._library = library
        self._followers = followers
        self._heralds = heralds
        self._listening = Listening(
            bench.store, bench.firing, bench.facts, library.flow_of, bench.functions, self._await_end
        )
        self._watched: dict[TriggerKey, Watched] = {}
        self._flows: dict[tuple[str, str], tuple[Deployment, Flow | None]] = {}
        self._heap: list[tuple[datetime, int, TriggerKey]] = []
        self._number = count()
        self._busy: set[TriggerKey] = set()
        self._hears = False  #: whether the announcements are being worked off
        self._reload_every = RELOAD if bench.store.sharing is None else SHARED_RELOAD
        self._reload_at = 0.0
        self._awaiting_load: list[threading.Event] = []
        self._look_at = 0.0
        self._stopping = False
        self._hands = Hands(HANDS, "penstock-trigger")
        self._thread = threading.Thread(target=self._run, name="penstock-scheduler", daemon=True)
        #: Flows that are deployed and cannot be read any more, with why.
        self.broken: Mapping[str, str] = {}

    # -- from outside

    def start(self) -> None:
        """Watch from now on; returns when all triggers have been looked at once."""
        self._heralds.on_announced = partial(self._inbox.put, Announced())
        ready = threading.Event()
        self._inbox.put(Changed(ready))
        self._thread.start()
        ready.wait()

    def changed(self) -> None:
        """Look at once at what was deployed, disabled, or asked for."""
        self._inbox.put(Changed())

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def stop(self) -> None:
        """Start nothing more; returns when what was being started is committed, if that is soon."""
        self._inbox.put(Stop())
        if self._thread.is_alive():
            self._thread.join()
        self._hands.stop(STOPPING)
        self._heralds.on_announced = lambda: None

    def started(self, key: TriggerKey, execution_id: str) -> None:
        """A call has started an execution for a trigger: hear of its end, also if that has been by now."""
        self._await_end(key, OWN, execution_id)
        state = self._store.states([execution_id]).get(execution_id)
        if state in TERMINAL:
            self._inbox.put(Ended(key, OWN, execution_id, state))

    def upcoming(self) -> list[tuple[datetime, TriggerKey]]:
        """What is due next by itself, the first one first."""
        dates = [(watched.due, key) for key, watched in self._watched.copy().items()]
        return sorted((due, key) for due, key in dates if due is not None)

    # -- the turn

    def _run(self) -> None:
        while not self._stopping:
            try:
                self._turn()
            except Exception:  # the store may be away for a while; the triggers are as they were
                log.exception("the scheduler could not look at its triggers, and will again")
                self._reload_at = self._clock.monotonic() + SHARED_RELOAD

    def _turn(self) -> None:
        if self._clock.monotonic() >= self._reload_at:
            self._load()  # what is in the inbox by now was written before
        self._start_due(self._clock.now())
        try:
            message = self._inbox.get(timeout=self._patience())
            while True:
                self._take(message)
                message = self._inbox.get_nowait()
        except queue.Empty:
            pass
        if self._clock.monotonic() >= self._look_at:
            self._look_at = self._clock.monotonic() + TICK
            self._look_for_ends()
            self._hear()

    def _patience(self) -> float:
        if not self._heap:
            return TICK
        return min(max((self._heap[0][0] - self._clock.now()).total_seconds(), 0.0), TICK)

    def _start_due(self, now: datetime) -> None:
        while self._heap and self._heap[0][0] <= now and not self._stopping:
            _, _, key = heapq.heappop(self._heap)
            watched = self._watched.get(key)
            if watched is not None and key not in self._busy and watched.due is not None and watched.due <= now:
                self._busy.add(key)
                self._hands.submit(self._deal, watched)

    def _deal(self, watched: Watched) -> None:
        try:
            watched.deal()
        finally:
            self._inbox.put(Dealt(watched.key))

    def _take(self, message: Message) -> None:
        match message:
            case Dealt():
                self._busy.discard(message.key)
                self._plan(message.key)
            case Ended():
                self._ended(message)
            case Changed():  # many may come at once; they are looked at together
                self._reload_at = 0.0
                if message.done is not None:
                    self._awaiting_load.append(message.done)
            case Announced():
                self._hear()
            case Stop():
                self._stopping = True

    def _plan(self, key: TriggerKey) -> None:
        """Have a trigger dealt with when it is due."""
        watched = self._watched.get(key)
        due = watched.due if watched is not None and key not in self._busy else None
        if due is not None:
            heapq.heappush(self._heap, (due, next(self._number), key))

    # -- what there is to watch

    def _load(self) -> None:
        """Read what is deployed and how far the triggers have come, and watch that."""
        self._reload_at = self._clock.monotonic() + self._reload_every
        awaiting, self._awaiting_load = self._awaiting_load, []
        states = {state.key: state for state in self._store.trigger_states()}
        broken: dict[str, str] = {}
        current: dict[TriggerKey, tuple[Flow, Trigger]] = {}
        deployed = {(each.namespace, each.flow_id): each for each in self._store.deployments()}
        for name, deployment in deployed.items():
            flow = self._read(deployment, broken)
            for trigger in flow.triggers if flow is not None and not flow.disabled else ():
                current[TriggerKey(*name, trigger.id)] = (flow, trigger)  # type: ignore[assignment]
        self._flows = {name: kept for name, kept in self._flows.items() if name in deployed}
        self.broken = broken
        for key in self._watched.keys() - current.keys():
            del self._watched[key]
        began: list[TriggerState] = []
        for key, (flow, trigger) in current.items():
            if key not in self._busy:
                self._watch(key, flow, trigger, states.get(key), began)
        self._remember(began)
        self._listen(current)
        for done in awaiting:
            done.set()

    def _read(self, deployment: Deployment, broken: dict[str, str]) -> Flow | None:
        name = (deployment.namespace, deployment.flow_id)
        known = self._flows.get(name)
        if known is not None and known[0] == deployment and known[1] is not None:
            return known[1]
        try:
            flow: Flow | None = self._library.find(*name, deployment.revision)
        except PenstockError as error:  # what it needs may be gone since; the others are not harmed
            flow, broken["/".join(name)] = None, error.message
            if known is None or known[0] != deployment:
                log.warning("the triggers of %s are off: %s", "/".join(name), error.message)
        self._flows[name] = (deployment, flow)
        return flow

    def _remember(self, began: list[TriggerState]) -> None:
        """From when on triggers are watched, before any of them is dealt with."""
        try:
            self._store.move_triggers(began, FROM_NOW_ON)
        except StoreError:
            for state in began:
                self._watched.pop(state.key, None)
            raise

    def _watch(
        self, key: TriggerKey, flow: Flow, trigger: Trigger, state: TriggerState | None, began: list[TriggerState]
    ) -> None:
        """Watch one trigger. What it has come to is added to `began` where nothing that was before counts."""
        now = self._clock.now()
        known = self._watched.get(key)
        if trigger.disabled or (state is not None and state.disabled):
            self._watched.pop(key, None)
            if state is not None and state.next_at is not None:  # what comes while it is off is not made up for
                self._store.move_trigger(replace(state, next_at=None, updated_at=now), ["next_at"])
            return
        if known is not None and known.flow is flow and state is not None:
            if state.updated_at > known.state.updated_at or state.backfill != known.state.backfill:
                known.state = state
                self._plan(key)
            return
        fresh = state or TriggerState(**key._asdict(), updated_at=now)
        watched = Watched(self._bench, flow, trigger, fresh, self._await_end, since=now)
        definition = definition_of(trigger)
        wants_date = isinstance(trigger, TimedTrigger | HttpTrigger) and fresh.next_at is None
        try:
            if state is None or state.definition != definition:
                watched.begin(definition, now)
                began.append(watched.state)
            elif wants_date:
                watched.go_on(now)
        except PenstockError as error:
            self._store.move_trigger(replace(fresh, problem=error.message, updated_at=now), ["problem"])
            return
        if known is not None:
            watched.waits_for = known.waits_for
        elif not trigger.allow_concurrent:
            watched.wait_for_what_runs()
        self._watched[key] = watched
        self._plan(key)

    def _listen(self, current: Mapping[TriggerKey, tuple[Flow, Trigger]]) -> None:
        listeners = {
            key: (flow, trigger)
            for key, (flow, trigger) in current.items()
            if isinstance(trigger, FlowTrigger) and key in self._watched
        }
        self._listening.attend(listeners)
        states = sorted({state for _, trigger in listeners.values() for state in trigger.states})
        self._heralds.listen_for(states)
        if sorted(self._store.meta(LISTENING) or ()) != states:
            self._store.set_meta(LISTENING, [state.value for state in states])

    def _hear(self) -> None:
        if not self._hears and not self._stopping:
            self._hears = True
            self._hands.submit(self._work_off)

    def _work_off(self) -> None:
        try:
            self._listening.work_off()
        except Exception:
            log.exception("what flows announced could not be looked at, and will be again")
        finally:
            self._hears = False

    # -- what it started

    def _await_end(self, key: TriggerKey, lane: str, execution_id: str) -> None:
        """Hear of the end of an execution, from now on."""

        def hear(news: News) -> None:
            if not isinstance(news, BaseException) and news.after.is_terminal:
                leave()
                self._inbox.put(Ended(key, lane, execution_id, news.after.state))

        leave = self._followers.listen(execution_id, hear)

    def _look_for_ends(self) -> None:
        """Whatever runs it: news may be lost, and another engine may have it."""
        waiting = {
            execution_id: (key, lane)
            for key, watched in self._watched.items()
            if key not in self._busy
            for lane, execution_id in watched.waits_for.items()
        }
        states = self._store.states([*waiting]) if waiting else {}
        for execution_id, (key, lane) in waiting.items():
            state = states.get(execution_id, State.CANCELLED)  # one that was deleted is in nobody's way
            if state in TERMINAL:
                self._inbox.put(Ended(key, lane, execution_id, state))

    def _ended(self, ended: Ended) -> None:
        watched = self._watched.get(ended.key)
        if watched is None:
            return
        watched.ended(ended.lane, ended.execution_id)
        if stops_after(watched.trigger, ended.state):
            log.info("the trigger %s is disabled, as %s ended %s", ended.key, ended.execution_id, ended.state)
            off = replace(watched.state, disabled=True, next_at=None, updated_at=self._clock.now())
            self._store.move_trigger(off, ["disabled", "next_at"])
            del self._watched[ended.key]
        self._plan(ended.key)
