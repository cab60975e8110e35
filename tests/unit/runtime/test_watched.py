"""One trigger from date to date: what it starts, what it waits for, and what becomes of it when things go wrong."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from engine.core import Facts
from engine.core.triggering import Verdict
from engine.errors import Fenced, PluginBroken, StoreError
from engine.expressions import Functions
from engine.model.flow import Flow, RunnableTask
from engine.model.listeners import Trigger
from engine.model.scheduling import Backfill, TriggerKey, TriggerState
from engine.model.triggers import HttpTrigger, Schedule, ScheduleOnDates
from engine.runtime.firing import Begun, Firing, Reason
from engine.runtime.masking import Masker
from engine.runtime.watched import BACKFILL, FROM_NOW_ON, OWN, Bench, Watched
from engine.store import MemoryStore

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
KEY = TriggerKey("acme", "f", "t")


class Clock:
    def __init__(self) -> None:
        self.time = NOON

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()


class Begins(Firing):
    """Remembers what was begun, as a store does."""

    def __init__(self, store: MemoryStore) -> None:
        self._kept = store
        self.masker = Masker()
        self.reasons: list[Reason] = []
        self.answers: list[Begun | Exception] = []

    def begin(self, flow: Flow, trigger: Trigger, reason: Reason, state: TriggerState | None = None) -> Begun:
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        if answer is None:
            self.reasons.append(reason)
            assert state is not None
            self._kept.move_trigger(state, ["next_at", "last_at", "execution_id", "backfill_at", "problem"])
        return answer or Begun(execution_id=self.id_of(KEY, reason.key, reason.at))

    @property
    def hours(self) -> str:
        return " ".join(f"{reason.at:%H}" for reason in self.reasons)


class Desk:
    """A trigger, and all that it is dealt with."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.store = MemoryStore()
        self.begins = Begins(self.store)
        self.polled: list[Verdict] = []
        self.awaited: list[tuple[str, str]] = []

    def watch(self, trigger: Trigger, state: TriggerState | None = None, **bounds: Any) -> Watched:
        bench = Bench(
            store=self.store,
            clock=self.clock,
            firing=self.begins,
            poll=lambda flow, trigger, functions: self.polled.pop(0),
            facts=Facts(),
            functions=lambda flow: Functions(),
            **{"catch_up": 100, "recover": "ALL", **bounds},
        )
        flow = Flow(id="f", namespace="acme", tasks=(RunnableTask(id="a", type="t"),), triggers=(trigger,))
        watched = Watched(
            bench,
            flow,
            trigger,
            state or TriggerState(**KEY._asdict(), updated_at=NOON),
            lambda key, lane, execution_id: self.awaited.append((lane, execution_id)),
            since=self.clock.time,
        )
        if state is None:
            watched.begin("d", self.clock.time)
            self.store.move_trigger(watched.state, FROM_NOW_ON)
        return watched

    def pass_time(self, hours: float) -> None:
        self.clock.time += hours * HOUR

    @property
    def stored(self) -> TriggerState:
        state = self.store.trigger_state(KEY)
        assert state is not None
        return state


@pytest.fixture
def desk() -> Iterator[Desk]:
    return Desk()


def hourly(**fields: Any) -> Schedule:
    return Schedule(id="t", type=Schedule.TYPES[0], cron="0 * * * *", **fields)


def end(watched: Watched, lane: str = OWN) -> None:
    watched.ended(lane, watched.waits_for[lane])


def test_the_first_date_is_ahead(desk: Desk) -> None:
    watched = desk.watch(hourly())
    assert watched.due == NOON + HOUR
    assert (desk.stored.next_at, desk.stored.definition) == (NOON + HOUR, "d")
    watched.deal()
    assert desk.begins.reasons == []


def test_a_date_is_started_with_its_variables_and_stored_with_how_far_it_has_come(desk: Desk) -> None:
    watched = desk.watch(hourly(inputs={"at": "{{ trigger.date }}"}, labels={"h": "{{ trigger.date | date('HH') }}"}))
    desk.pass_time(1)
    watched.deal()
    (reason,) = desk.begins.reasons
    assert reason.key == "2026-03-02T13:00:00+00:00"
    assert reason.variables["next"] == "2026-03-02T14:00:00+00:00"
    assert reason.inputs == {"at": "2026-03-02T13:00:00+00:00"}
    assert reason.labels == {"h": "13"}
    assert (desk.stored.last_at, desk.stored.next_at) == (NOON + HOUR, NOON + 2 * HOUR)
    assert desk.awaited == [(OWN, desk.stored.execution_id)]


def test_nothing_is_started_while_what_it_started_runs(desk: Desk) -> None:
    watched = desk.watch(hourly())
    desk.pass_time(1)
    watched.deal()
    desk.pass_time(3)
    assert watched.due is None
    watched.deal()
    assert desk.begins.hours == "13"
    end(watched)
    for _ in range(4):
        watched.deal()
        if watched.waits_for:
            end(watched)
    assert desk.begins.hours == "13 14 15 16"
    assert watched.due == NOON + 5 * HOUR


@pytest.mark.parametrize(("recover", "hours"), [("ALL", "13 14"), ("LAST", "13 16"), ("NONE", "13")])
def test_what_came_while_it_waited_was_missed(desk: Desk, recover: str, hours: str) -> None:
    watched = desk.watch(hourly(recover_missed_schedules=recover))
    desk.pass_time(1)
    watched.deal()
    desk.pass_time(3.5)
    end(watched)
    watched.deal()
    assert desk.begins.hours == hours


def test_one_that_may_overlap_starts_all_that_are_due(desk: Desk) -> None:
    watched = desk.watch(hourly(allow_concurrent=True))
    desk.pass_time(3)
    watched.deal()
    assert desk.begins.hours == "13 14 15"
    assert desk.stored.next_at == NOON + 4 * HOUR
    assert watched.waits_for == {}


def test_what_is_let_go_is_told(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    watched = desk.watch(hourly(allow_concurrent=True), catch_up=2)
    desk.pass_time(100)
    watched.deal()
    assert len(desk.begins.reasons) == 2
    assert desk.stored.problem == "only the last 2 of the dates that were missed are made up for"
    assert [record.message.partition(": ")[2] for record in caplog.records] == [desk.stored.problem]


def test_a_clock_that_goes_back_starts_nothing_twice(desk: Desk) -> None:
    watched = desk.watch(hourly(allow_concurrent=True))
    desk.pass_time(2)
    watched.deal()
    desk.pass_time(-2)
    watched.deal()
    desk.pass_time(2)
    watched.deal()
    assert desk.begins.hours == "13 14"


def test_a_condition_that_cannot_be_answered_starts_one_that_failed(desk: Desk) -> None:
    watched = desk.watch(hourly(when="{{ nothing.like.it }}"))
    desk.pass_time(1)
    watched.deal()
    (reason,) = desk.begins.reasons
    assert reason.problem is not None
    assert "nothing" in reason.problem


def test_inputs_that_cannot_be_rendered_start_one_that_failed(desk: Desk) -> None:
    watched = desk.watch(hourly(inputs={"x": "{{ nothing }}"}))
    desk.pass_time(1)
    watched.deal()
    assert desk.begins.reasons[0].problem is not None


def test_what_another_engine_began_counts(desk: Desk) -> None:
    watched = desk.watch(hourly())
    desk.store.move_trigger(replace(desk.stored, next_at=NOON + 2 * HOUR), ["next_at"])
    desk.begins.answers = [Begun(execution_id="theirs", again=True)]
    desk.pass_time(1)
    watched.deal()
    assert watched.due == NOON + 2 * HOUR
    assert watched.waits_for == {}


def test_what_the_checks_of_a_flow_refuse_is_dealt_with(desk: Desk) -> None:
    watched = desk.watch(hourly())
    desk.begins.answers = [Begun(execution_id="x", blocked="not on Mondays")]
    desk.pass_time(1)
    watched.deal()
    assert (desk.stored.problem, desk.stored.next_at) == ("not on Mondays", NOON + 2 * HOUR)
    assert watched.due == NOON + 2 * HOUR


def test_one_that_was_switched_off_meanwhile_starts_nothing_more(desk: Desk) -> None:
    watched = desk.watch(hourly())
    desk.store.move_trigger(replace(desk.stored, disabled=True), ["disabled"])
    desk.begins.answers = [Fenced("off")]
    desk.pass_time(1)
    watched.deal()
    assert watched.due is None


def test_an_error_is_tried_again_soon_and_then_seldom(desk: Desk) -> None:
    watched = desk.watch(hourly())
    desk.pass_time(1)
    waits = []
    for _ in range(5):
        desk.begins.answers = [PluginBroken("no such plugin")]
        watched.deal()
        assert watched.due is not None
        waits.append((watched.due - desk.clock.time).total_seconds())
        desk.clock.time = watched.due
    assert waits == [2, 2, 60, 120, 240]
    assert desk.stored.problem == "no such plugin (5 times in a row)"
    watched.deal()
    assert desk.begins.hours == "13"
    assert (desk.stored.failures, watched.state.failures) == (5, 0)


def test_a_store_that_fails_is_asked_again_soon(desk: Desk) -> None:
    watched = desk.watch(hourly())
    desk.pass_time(1)
    for _ in range(5):
        desk.begins.answers = [StoreError("the disk is full")]
        watched.deal()
        assert watched.due == desk.clock.time + timedelta(seconds=2)
        desk.clock.time = watched.due
    watched.deal()
    assert desk.begins.hours == "13"


def test_a_mistake_of_ours_is_an_error_like_any_other(desk: Desk) -> None:
    watched = desk.watch(hourly())
    desk.pass_time(1)
    desk.begins.answers = [RuntimeError("oh")]
    watched.deal()
    assert desk.stored.problem == "RuntimeError: oh"


def test_dates_that_are_listed_come_once_each(desk: Desk) -> None:
    dates = ("2026-03-02T11:00:00Z", "2026-03-02T13:00:00Z", "2026-03-02T15:00:00Z")
    watched = desk.watch(ScheduleOnDates(id="t", type=ScheduleOnDates.TYPES[0], dates=dates, allow_concurrent=True))
    for _ in range(5):
        watched.deal()
        desk.pass_time(1)
    assert desk.begins.hours == "13 15"
    assert watched.due is None


def a_backfill(desk: Desk, **fields: Any) -> TriggerState:
    backfill = Backfill(id="b", start=NOON - 3 * HOUR, end=NOON - HOUR, inputs={"x": 2}, labels={"old": "yes"})
    state = TriggerState(
        **KEY._asdict(), definition="d", next_at=NOON + HOUR, updated_at=NOON, backfill=replace(backfill, **fields)
    )
    desk.store.move_trigger(state, ())
    return state


def test_a_backfill_starts_its_dates_one_after_the_other_beside_its_own(desk: Desk) -> None:
    watched = desk.watch(hourly(inputs={"x": 1, "y": 1}), a_backfill(desk))
    desk.pass_time(1)
    watched.deal()
    assert desk.begins.hours == "09 13"
    assert desk.begins.reasons[0].inputs == {"x": 2, "y": 1}
    assert desk.begins.reasons[0].labels == {"old": "yes"}
    while BACKFILL in watched.waits_for:
        end(watched, BACKFILL)
        watched.deal()
    assert desk.begins.hours == "09 13 10 11"
    assert (desk.stored.backfill, desk.stored.backfill_at) == (None, None)
    assert len({reason.key for reason in desk.begins.reasons}) == 4


def test_a_backfill_that_is_paused_starts_nothing(desk: Desk) -> None:
    watched = desk.watch(hourly(), a_backfill(desk, paused=True))
    watched.deal()
    assert desk.begins.reasons == []
    assert watched.due == NOON + HOUR


def test_a_backfill_goes_on_where_it_was(desk: Desk) -> None:
    state = replace(a_backfill(desk), backfill_at=NOON - 3 * HOUR)
    desk.store.move_trigger(state, ["backfill_at"])
    watched = desk.watch(hourly(), state)
    watched.wait_for_what_runs()
    assert watched.due == NOON + HOUR
    end(watched, BACKFILL)
    watched.deal()
    assert desk.begins.hours == "10"


def test_a_page_is_asked_until_it_answers_as_wanted(desk: Desk) -> None:
    watched = desk.watch(HttpTrigger(id="t", type=HttpTrigger.TYPES[0], interval="PT1H"))
    desk.polled = [Verdict(), Verdict(problem="no link"), Verdict(fires=True, variables={"code": 200})]
    for _ in range(3):
        assert watched.due == desk.clock.time
        watched.deal()
        problem = desk.stored.problem
        desk.pass_time(1)
        assert problem == ("no link" if len(desk.polled) == 1 else None)
    assert desk.begins.reasons[0].variables == {"code": 200}
