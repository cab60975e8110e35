"""What people are told about the dates ahead, and about the next change of the clocks."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from engine.core.schedule import Due, Effect, Timetable, effect_of_next_change, upcoming
from engine.model.flow import Flow, RunnableTask
from engine.model.triggers import Schedule, ScheduleOnDates

FLOW = Flow(id="demo", namespace="acme", tasks=(RunnableTask(id="a", type="t"),))
MARCH, OCTOBER = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 10, 1, tzinfo=UTC)


def timetable(cron: str, zone: str = "America/New_York", **fields: object) -> Timetable:
    return Timetable(FLOW, Schedule(id="s", type=Schedule.TYPES[0], cron=cron, timezone=zone, **fields))  # type: ignore[arg-type]


def effect(cron: str, start: datetime, **fields: object) -> Effect:
    found = effect_of_next_change(timetable(cron, **fields), start)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("cron", "in_march", "in_november", "times"),
    [
        ("30 2 * * *", "moved", "none", ("02:30",)),
        ("*/15 2 * * *", "moved", "none", ("02:00", "02:15", "02:30", "02:45")),
        ("30 1 * * *", "none", "once", ("01:30",)),
        ("0 9 * * *", "none", "none", ()),
        ("30 2 * * MON", "none", "none", ()),
    ],
)
def test_times_of_the_day(cron: str, in_march: str, in_november: str, times: tuple[str, ...]) -> None:
    forward, back = effect(cron, MARCH), effect(cron, OCTOBER)
    assert (forward.kind, back.kind) == (in_march, in_november)
    assert forward.times + back.times == times
    assert forward.change.at == datetime(2026, 3, 8, 7, tzinfo=UTC)
    assert back.change.at == datetime(2026, 11, 1, 6, tzinfo=UTC)


def test_a_rhythm() -> None:
    forward, back = effect("*/10 * * * *", MARCH), effect("*/10 * * * *", OCTOBER)
    assert (forward.kind, forward.times, forward.count) == ("passed over", ("02:00", "02:10", "02:20", "02:30"), 6)
    assert (back.kind, back.times[0], back.count) == ("twice", "01:00", 6)
    seconds = effect("30 0 * * * *", MARCH, with_seconds=True)
    assert seconds.times == ("02:00:30",)


def test_where_clocks_are_never_set_nothing_happens() -> None:
    assert effect_of_next_change(timetable("@daily", "Asia/Tokyo"), MARCH) is None
    listed = ScheduleOnDates(id="s", type="t", dates=("2026-05-01",), timezone="Europe/Paris")
    assert effect_of_next_change(Timetable(FLOW, listed), MARCH) is None


def test_dates_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [due.at.day for due in upcoming(timetable("@daily", "UTC"), MARCH, 3)] == [2, 3, 4]
    monkeypatch.setattr("engine.core.schedule.timetable._MOST", 10)
    found = upcoming(timetable("@daily", "UTC", when="{{ dayOfMonth(trigger.date) == 3 }}"), MARCH, 3)
    assert found == [
        Due(at=datetime(2026, 3, 3, tzinfo=UTC)),
        Due(at=datetime(2026, 3, 13, tzinfo=UTC), holds=False),
    ]
