"""When a trigger is due: by its conditions, over the dates that were missed, and what its flow sees of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from engine.core.facts import Facts
from engine.core.schedule import Due, Timetable
from engine.core.triggering.verdict import Verdict, furnished
from engine.errors import ExpressionError
from engine.expressions import Functions
from engine.model.conditions import DateTimeBetween, DayWeek, Expression, PublicHoliday, Weekend
from engine.model.flow import Flow, RunnableTask
from engine.model.triggers import Schedule, ScheduleOnDates

FRIDAY = datetime(2026, 1, 2, 12, tzinfo=UTC)
NOON = timedelta(hours=12)
DAY = timedelta(days=1)


def flow(**fields: Any) -> Flow:
    return Flow(id="demo", namespace="acme", tasks=(RunnableTask(id="a", type="t"),), **fields)


def schedule(cron: str = "@daily", **fields: Any) -> Schedule:
    return Schedule(id="s", type=Schedule.TYPES[0], cron=cron, **fields)


def timetable(cron: str = "@daily", of: Flow | None = None, **fields: Any) -> Timetable:
    return Timetable(of or flow(), schedule(cron, **fields))


def days(dues: Iterable[Due]) -> list[str]:
    return [f"{due.at:%m-%d}" for due in dues]


def weekend() -> Weekend:
    return Weekend(type=Weekend.TYPES[0])


@pytest.mark.parametrize(
    "conditions",
    [
        {"conditions": (weekend(),)},
        {"schedule_conditions": (weekend(),)},
        {"when": "{{ isWeekend(trigger.date) }}"},
        {"when": "{{ vars.days contains dayOfWeek(schedule.date) }}"},
    ],
)
def test_only_dates_that_satisfy_all_conditions_are_due(conditions: dict[str, Any]) -> None:
    table = timetable(of=flow(variables={"days": ["SATURDAY", "SUNDAY"]}), **conditions)
    assert days(table.due_between(FRIDAY, FRIDAY + 10 * DAY)) == ["01-03", "01-04", "01-10", "01-11"]
    following, previous = table.next(FRIDAY + 2 * DAY), table.previous(FRIDAY)
    assert following == Due(at=datetime(2026, 1, 10, tzinfo=UTC))
    assert previous == Due(at=datetime(2025, 12, 28, tzinfo=UTC))
    assert not table.judged(datetime(2026, 1, 5, tzinfo=UTC)).holds


def test_conditions_and_when_must_all_hold() -> None:
    table = timetable(conditions=(weekend(),), when="{{ dayOfMonth(trigger.date) > 10 }}")
    assert days(table.due_between(FRIDAY, FRIDAY + 20 * DAY)) == ["01-11", "01-17", "01-18"]


def test_dates_are_those_of_the_trigger_s_zone() -> None:
    table = timetable(timezone="Asia/Tokyo", when="{{ trigger.date == '2026-01-04T00:00:00+09:00' }}")
    assert table.next(FRIDAY) == Due(at=datetime(2026, 1, 3, 15, tzinfo=UTC))
    by_instance = Timetable(flow(), schedule(), zone=ZoneInfo("Asia/Tokyo"))
    assert by_instance.next(FRIDAY) == Due(at=datetime(2026, 1, 2, 15, tzinfo=UTC))


def test_the_search_is_bounded() -> None:
    assert timetable(when="{{ false }}").next(FRIDAY) is None
    assert timetable(when=False).previous(FRIDAY) is None
    far = DateTimeBetween(type=DateTimeBetween.TYPES[0], after="2035-12-01T00:00:00Z")
    found = timetable("@monthly", conditions=(far,)).next(FRIDAY)
    assert found == Due(at=datetime(2036, 1, 1, tzinfo=UTC))
    farther = DateTimeBetween(type=DateTimeBetween.TYPES[0], after="2036-02-01T00:00:00Z")
    assert timetable("@monthly", conditions=(farther,)).next(FRIDAY) is None
    assert timetable("0 0 29 2 */7").next(datetime(2033, 1, 1, tzinfo=UTC)) == Due(at=datetime(2060, 2, 29, tzinfo=UTC))


def test_a_long_search_says_where_it_was_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.core.schedule.timetable._MOST", 5)
    table = timetable("* * * * *", when="{{ hourOfDay(trigger.date) == 13 }}")
    given_up = table.next(FRIDAY)
    assert given_up == Due(at=FRIDAY + timedelta(minutes=5), holds=False)
    assert "next" not in table.variables(FRIDAY)
    assert table.next(FRIDAY + timedelta(minutes=58)) == Due(at=FRIDAY + timedelta(hours=1))


def test_a_condition_that_cannot_be_told_lets_the_date_through_with_the_reason() -> None:
    broken = Expression(type=Expression.TYPES[0], expression="{{ vars.nothing }}")
    found = timetable(conditions=(broken,)).next(FRIDAY)
    assert found is not None
    assert (found.at, found.holds) == (datetime(2026, 1, 3, tzinfo=UTC), True)
    assert found.problem is not None
    assert "nothing" in found.problem


def test_what_calls_out_is_answered_by_the_functions_that_are_given() -> None:
    free = PublicHoliday(type=PublicHoliday.TYPES[0], country="FR")
    with pytest.raises(ExpressionError, match="calendar"):
        timetable(conditions=(free,)).next(FRIDAY)

    def is_free(day: date, country: str, part: str | None) -> bool:
        return day == date(2026, 5, 1) and country == "FR"

    table = Timetable(flow(), schedule(conditions=(free,)), functions=Functions(is_public_holiday=is_free))
    assert table.next(FRIDAY) == Due(at=datetime(2026, 5, 1, tzinfo=UTC))


def test_dates_between_two_instants_include_the_last_and_not_the_first() -> None:
    begin, end = datetime(2026, 1, 3, tzinfo=UTC), datetime(2026, 1, 5, tzinfo=UTC)
    assert days(timetable().due_between(begin, end)) == ["01-04", "01-05"]
    assert days(timetable().due_between(begin - timedelta(microseconds=1), end)) == ["01-03", "01-04", "01-05"]


def test_a_year_of_minutes_is_found_as_it_is_asked_for() -> None:
    dates = timetable("* * * * *").due_between(FRIDAY, FRIDAY + 3650 * DAY)
    assert [due.at - FRIDAY for due in islice(dates, 2)] == [timedelta(minutes=1), timedelta(minutes=2)]


def test_a_date_may_be_too_late() -> None:
    patient, strict = timetable(), timetable(late_maximum_delay="PT10M")
    assert not patient.is_late(FRIDAY, FRIDAY + 300 * DAY)
    assert not strict.is_late(FRIDAY, FRIDAY + timedelta(minutes=10))
    assert strict.is_late(FRIDAY, FRIDAY + timedelta(minutes=10, microseconds=1))


def test_listed_dates() -> None:
    listed = ("2026-01-10T09:00:00", "2026-01-03T09:00:00+01:00", "2026-01-03T08:00:00Z", "{{ vars.day }}")
    trigger = ScheduleOnDates(id="s", type="t", dates=listed, timezone="Europe/Paris")
    table = Timetable(flow(variables={"day": "2026-02-01"}), trigger)
    assert days(table.due_between(FRIDAY, FRIDAY + 365 * DAY)) == ["01-03", "01-10", "01-31"]
    assert table.previous(FRIDAY) is None
    assert table.variables(datetime(2026, 1, 10, 8, tzinfo=UTC)) == {
        "date": "2026-01-10T09:00:00+01:00",
        "next": "2026-02-01T00:00:00+01:00",
        "previous": "2026-01-03T09:00:00+01:00",
    }
    told = ScheduleOnDates(id="s", type="t", dates="{{ vars.days }}")
    assert days(Timetable(flow(variables={"days": ["2026-03-01"]}), told).due_between(FRIDAY, FRIDAY + 99 * DAY)) == [
        "03-01"
    ]
    for wrong in ("soon", ["soon"], ["0001-01-01"], ["9999-12-31T23:59:59Z"], [None]):
        with pytest.raises(ExpressionError):
            Timetable(flow(variables={"days": wrong}), told)


def test_what_a_flow_sees_of_its_trigger() -> None:
    new_york = schedule("0 9 * * *", timezone="America/New_York", conditions=(weekend(),))
    saturday = datetime(2026, 3, 7, 14, tzinfo=UTC)
    assert Timetable(flow(), new_york).variables(saturday) == {
        "date": "2026-03-07T09:00:00-05:00",
        "next": "2026-03-08T09:00:00-04:00",
        "previous": "2026-03-01T09:00:00-05:00",
    }


def test_while_a_date_is_judged_its_neighbours_are_those_of_the_cron() -> None:
    monday = DayWeek(type=DayWeek.TYPES[0], day_of_week="MONDAY", date="{{ trigger.next }}")
    assert days(timetable(conditions=(monday,)).due_between(FRIDAY, FRIDAY + 9 * DAY)) == ["01-04", "01-11"]
    table = timetable(when="{{ trigger.previous is defined and trigger.id == 's' and trigger.nothing is not defined }}")
    assert table.next(FRIDAY) == Due(at=datetime(2026, 1, 3, tzinfo=UTC))


def test_inputs_see_the_dates_and_the_flow() -> None:
    table = Timetable(
        flow(labels={"env": "prod"}, variables={"n": 3}),
        schedule(
            inputs={"day": "{{ trigger.date | date('yyyy-MM-dd') }}", "n": "{{ vars.n }}", "{{ labels.env }}": [1]}
        ),
        facts=Facts(globals={"x": 1}),
    )
    context = table.context(table.variables(datetime(2026, 1, 3, tzinfo=UTC)))
    given = furnished(Verdict(), table.flow, table.trigger, context, table.functions).inputs
    assert given == {"day": "2026-01-03", "n": 3, "prod": [1]}
    assert table.context({})["globals"] == {"x": 1}
