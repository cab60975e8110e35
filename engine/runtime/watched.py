"""One trigger that is due by itself: what it has come to, and dealing with it when it is due.

Always true: one thread at a time deals with a trigger. How far it has come is in the store before anything follows from
it, and what it starts is stored together with that, so nothing is started twice and no date is lost, whoever dies.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from engine.core.facts import Facts
from engine.core.schedule import Due, Timetable, agenda
from engine.core.triggering.verdict import Verdict, furnished
from engine.errors import ExpressionError, Fenced, PenstockError, StoreError
from engine.expressions import Functions
from engine.model.duration import parse_duration
from engine.model.flow import Flow
from engine.model.listeners import Trigger
from engine.model.scheduling import Backfill, TriggerKey, TriggerState
from engine.model.triggers import HttpTrigger, TimedTrigger
from engine.ports import Clock, Store
from engine.runtime.firing import Firing, Reason

log = logging.getLogger(__name__)

#: What is remembered when a trigger is seen for the first time, or anew.
FROM_NOW_ON = (
    "definition", "next_at", "last_at", "execution_id", "backfill", "backfill_at", "memory", "failures", "retry_at",
    "problem",
)  # fmt: skip
#: A trigger that cannot be dealt with is tried again after so many seconds, and from the third failure on much later.
_SOON, _LATER, _LATEST = 2.0, 60.0, 3600.0
_PATIENCE = 3
#: The two lanes in which a trigger starts executions: by its dates, and those of a backfill.
OWN, BACKFILL = "own", "backfill"
_INSTANT = timedelta(microseconds=1)

#: Has the end of an execution told that belongs to a lane of a trigger; called before the execution begins.
AwaitEnd = Callable[[TriggerKey, str, str], None]
Poll = Callable[[Flow, HttpTrigger, Functions], Verdict]


class Bench(Struct, frozen=True, kw_only=True):
    """What dealing with a trigger needs."""

    store: Store
    clock: Clock
    firing: Firing
    poll: Poll  #: makes the request of a trigger, and judges its answer
    facts: Facts
    functions: Callable[[Flow], Functions]  #: what the expressions of a flow's triggers may call
    catch_up: int  #: how many missed dates are made up for, at most
    recover: str  #: what becomes of missed dates where a trigger does not say


class Watched:
    """A trigger with dates of its own: a TimedTrigger, by its timetable; an HttpTrigger, by its interval."""

    def __init__(
        self, bench: Bench, flow: Flow, trigger: Trigger, state: TriggerState, await_end: AwaitEnd, *, since: datetime
    ) -> None:
        self._bench = bench
        self._await_end = await_end
        self.flow = flow
        self.trigger = trigger
        self.state = state
        self.key = state.key
        self.functions = bench.functions(flow)
        self._since = since  #: it has been watched without a break since then
        self.waits_for: dict[str, str] = {}  #: lane -> the execution whose end it waits for
        self._timetable: Timetable | None = None

    @property
    def timetable(self) -> Timetable:
        """Of a TimedTrigger. Raises ExpressionError for dates that cannot be read."""
        if self._timetable is None:
            assert isinstance(self.trigger, TimedTrigger)
            self._timetable = Timetable(self.flow, self.trigger, facts=self._bench.facts, functions=self.functions)
        return self._timetable

    # -- when

    @property
    def due(self) -> datetime | None:
        """When it is to be dealt with next; None: not before something happens."""
        dates: list[datetime] = []
        if self.state.next_at is not None and OWN not in self.waits_for:
            dates.append(self.state.next_at)
        if self._backfills and BACKFILL not in self.waits_for:
            dates.append(self.state.updated_at)
        if not dates:
            return None
        return max(min(dates), self.state.retry_at or min(dates))

    @property
    def _backfills(self) -> bool:
        return self.state.backfill is not None and not self.state.backfill.paused

    def ended(self, lane: str, execution_id: str) -> None:
        """What it waited for has ended; dates that came meanwhile were missed."""
        if self.waits_for.get(lane) == execution_id:
            del self.waits_for[lane]
            self._since = self._bench.clock.now() if lane == OWN else self._since

    # -- seeing it for the first time, or anew

    def begin(self, definition: str, now: datetime) -> None:
        """Watch it from now on; nothing that was before counts. Its `state` is to be stored as `FROM_NOW_ON`."""
        state = TriggerState(**self.key._asdict(), disabled=self.state.disabled, definition=definition, updated_at=now)
        self.state = replace(state, next_at=self._first(now))

    def go_on(self, now: datetime) -> None:
        """Watch it again after it was off: what came meanwhile does not count."""
        self._move(next_at=self._first(now))

    def wait_for_what_runs(self) -> None:
        """What it started before may run still."""
        state = self.state
        if state.execution_id is not None:
            self.waits_for[OWN] = state.execution_id
        if state.backfill is not None and state.backfill_at is not None:
            key = _backfill_key(state.backfill, state.backfill_at)
            self.waits_for[BACKFILL] = self._bench.firing.id_of(self.key, key, state.backfill_at)
        for lane, execution_id in self.waits_for.items():
            self._await_end(self.key, lane, execution_id)

    def _first(self, now: datetime) -> datetime | None:
        if isinstance(self.trigger, HttpTrigger):
            return now
        if isinstance(self.trigger, TimedTrigger):
            following = self.timetable.next(now)
            return following.at if following is not None else None
        return None

    # -- dealing with it

    def deal(self) -> None:
        """Start what is due. An error is remembered, and it is tried again later: nobody else is harmed."""
        now = self._bench.clock.now()
        try:
            if self._backfills and BACKFILL not in self.waits_for:
                self._deal_with_backfill(now)
            if self.state.next_at is not None and self.state.next_at <= now and OWN not in self.waits_for:
                if isinstance(self.trigger, HttpTrigger):
                    self._ask(self.trigger, now)
                else:
                    self._deal_with_dates(self.state.next_at, now)
        except Fenced:  # it is off, or its flow is gone, since this was read
            self.state = self._bench.store.trigger_state(self.key) or replace(self.state, next_at=None, backfill=None)
            if self.state.disabled:
                self.state = replace(self.state, next_at=None)
        except StoreError as error:  # no fault of the trigger's: it is tried again as soon as it may work
            self.state = replace(self.state, retry_at=now + timedelta(seconds=_SOON))
            log.warning("the trigger %s could not be dealt with: %s", self.key, error.message)
        except PenstockError as error:
            self._failed(error.message, now)
        except Exception as error:  # a mistake of a plugin, or of ours
            log.exception("a mistake in dealing with the trigger %s", self.key)
            self._failed(f"{type(error).__name__}: {error}", now)

    def _deal_with_dates(self, start: datetime, now: datetime) -> None:
        bench = self._bench
        plan = agenda(self.timetable, start, since=self._since, now=now, most=bench.catch_up, otherwise=bench.recover)
        if not plan.dates:
            self._move(next_at=plan.next_at, problem=plan.let_go)
            return
        let_go = self._shown(plan.let_go)
        dates = plan.dates if self.trigger.allow_concurrent else plan.dates[:1]
        after = [due.at for due in plan.dates[1:]] + [plan.next_at]
        for due, next_at in zip(dates, after, strict=False):
            come = replace(self.state, next_at=next_at, last_at=due.at, problem=let_go)
            self._fire(OWN, self._reason(due, due.at.isoformat()), come, now)

    def _deal_with_backfill(self, now: datetime) -> None:
        stored = self._bench.store.trigger_state(self.key)
        backfill = stored.backfill if stored is not None else None
        if stored is None or backfill is None or backfill.paused:
            self.state = stored or self.state
            return
        after = stored.backfill_at or backfill.start - _INSTANT
        due = next(self.timetable.due_between(after, min(backfill.end, now)), None)
        if due is None:
            self.state = replace(stored, backfill=None, backfill_at=None, updated_at=now)
            self._bench.store.move_trigger(self.state, ["backfill", "backfill_at"])
            return
        reason = self._reason(due, _backfill_key(backfill, due.at))
        given = {"inputs": {**reason.inputs, **backfill.inputs}, "labels": {**reason.labels, **backfill.labels}}
        reason = replace(reason, **given)
        self._fire(BACKFILL, reason, replace(self.state, backfill=backfill, backfill_at=due.at), now)

    def _reason(self, due: Due, key: str) -> Reason:
        variables = self.timetable.variables(due.at)
        told = {"id": self.trigger.id, "type": self.trigger.type, **variables}
        reason = Reason(key=key, at=due.at, variables=variables, problem=due.problem)
        try:
            verdict = furnished(
                Verdict(), self.flow, self.trigger, self.timetable.context(told), self.timetable.functions
            )
        except ExpressionError as error:
            return replace(reason, problem=reason.problem or error.message)
        return replace(reason, inputs=verdict.inputs, labels=verdict.labels)

    def _ask(self, trigger: HttpTrigger, now: datetime) -> None:
        """Make the request of a polling trigger, and start what its answer wants."""
        verdict = self._bench.poll(self.flow, trigger, self.functions)
        next_at = now + parse_duration(trigger.interval)
        if not verdict.fires:
            self._move(next_at=next_at, last_at=now, problem=verdict.problem)
            return
        reason = Reason(
            key=now.isoformat(), at=now, variables=verdict.variables, inputs=verdict.inputs, labels=verdict.labels
        )
        self._fire(OWN, reason, replace(self.state, next_at=next_at, last_at=now, problem=None), now)

    def _fire(self, lane: str, reason: Reason, come: TriggerState, now: datetime) -> None:
        bench = self._bench
        execution_id = bench.firing.id_of(self.key, reason.key, reason.at)
        if not self.trigger.allow_concurrent:
            self.waits_for[lane] = execution_id
        if self.waits_for or self.trigger.stop_after:
            self._await_end(self.key, lane, execution_id)
        come = replace(come, failures=0, retry_at=None, updated_at=now)
        started = replace(come, execution_id=execution_id) if lane == OWN else come
        try:
            begun = bench.firing.begin(self.flow, self.trigger, reason, started)
        except BaseException:
            self.waits_for.pop(lane, None)
            raise
        if begun.blocked is not None:
            self.waits_for.pop(lane, None)
            self._move(next_at=come.next_at, last_at=come.last_at, backfill_at=come.backfill_at, problem=begun.blocked)
        elif begun.again:  # by another engine, which has come further
            self.waits_for.pop(lane, None)
            self.state = bench.store.trigger_state(self.key) or started
        else:
            self.state = started

    def _move(self, **changes: Any) -> None:
        """Remember how far it has come without starting anything."""
        changes = {"failures": 0, "retry_at": None, **changes, "problem": self._shown(changes.get("problem"))}
        self.state = replace(self.state, **changes, updated_at=self._bench.clock.now())
        self._bench.store.move_trigger(self.state, changes.keys())

    def _shown(self, problem: str | None) -> str | None:
        """A problem as it may be remembered. The next date makes it forgotten, so one that is new is logged as well."""
        shown = self._bench.firing.masker.text(problem) if problem is not None else None
        if shown is not None and shown != self.state.problem:
            log.warning("the trigger %s: %s", self.key, shown)
        return shown

    def _failed(self, why: str, now: datetime) -> None:
        failures = self.state.failures + 1
        seconds = _SOON if failures < _PATIENCE else min(_LATER * 2 ** (failures - _PATIENCE), _LATEST)
        retry_at = now + timedelta(seconds=seconds)
        why = self._bench.firing.masker.text(why)
        log.warning("the trigger %s could not be dealt with: %s", self.key, why)
        problem = why if failures == 1 else f"{why} ({failures} times in a row)"
        self.state = replace(self.state, failures=failures, retry_at=retry_at, problem=problem, updated_at=now)
        with suppress(StoreError):  # what is in memory keeps it from being tried too often
            self._bench.store.move_trigger(self.state, ["failures", "retry_at", "problem"])


def _backfill_key(backfill: Backfill, at: datetime) -> str:
    return f"backfill/{backfill.id}/{at.isoformat()}"
