"""The instants at which crons fire, above all where clocks are set."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import takewhile
from zoneinfo import ZoneInfo

import pytest

from bench.schedule_oracle import CRONS, compare, walked
from engine.core.schedule import Cron, fires_after, fires_before, next_change, next_fire, previous_fire

NEW_YORK = ZoneInfo("America/New_York")  # on 8 March 2026 from 2:00 to 3:00, on 1 November from 2:00 back to 1:00
APIA = ZoneInfo("Pacific/Apia")  # had no 30 December 2011

#: Gaps and repetitions of an hour and of half an hour, at midnight, by two hours, in Ramadan, none at all.
ZONES = ("America/New_York", "Australia/Lord_Howe", "America/Santiago", "Antarctica/Troll", "Africa/Casablanca", "UTC")
SOME = tuple(cron for cron in CRONS if cron != "* * * * *")[::2]


def walk(cron: str, zone: ZoneInfo, start: datetime, count: int, *, with_seconds: bool = False) -> list[str]:
    found, parsed = [], Cron.parse(cron, with_seconds=with_seconds)
    moment = start
    for _ in range(count):
        following = next_fire(parsed, moment, zone)
        assert following is not None
        assert following > moment
        assert following.tzinfo is UTC
        moment = following
        found.append(f"{moment.astimezone(zone):%d %H:%M%z}")
    backwards = [f"{moment.astimezone(zone):%d %H:%M%z}"]
    for _ in range(count - 1):
        previous = previous_fire(parsed, moment, zone)
        assert previous is not None
        moment = previous
        backwards.append(f"{moment.astimezone(zone):%d %H:%M%z}")
    assert backwards[::-1] == found
    return found


@pytest.mark.parametrize(
    ("cron", "dates"),
    [
        ("30 2 * * *", ["08 03:00-0400", "09 02:30-0400"]),  # not there: at the first instant after the gap
        ("*/15 2 * * *", ["08 03:00-0400", "09 02:00-0400", "09 02:15-0400"]),  # four times not there are one
        ("0 3 * * *", ["08 03:00-0400", "09 03:00-0400"]),
        ("0 2,3 * * *", ["08 03:00-0400", "09 02:00-0400", "09 03:00-0400"]),
        ("*/30 * * * *", ["08 00:30-0500", "08 01:00-0500", "08 01:30-0500", "08 03:00-0400", "08 03:30-0400"]),
        ("0 */2 * * *", ["08 04:00-0400", "08 06:00-0400"]),
    ],
)
def test_a_time_that_is_left_out(cron: str, dates: list[str]) -> None:
    assert walk(cron, NEW_YORK, datetime(2026, 3, 8, tzinfo=NEW_YORK), len(dates)) == dates


@pytest.mark.parametrize(
    ("cron", "dates"),
    [
        ("30 1 * * *", ["01 01:30-0400", "02 01:30-0500"]),  # twice: the first one
        ("*/30 1-2 * * *", ["01 01:00-0400", "01 01:30-0400", "01 02:00-0500", "01 02:30-0500", "02 01:00-0500"]),
        ("*/30 * * * *", ["01 00:30-0400", "01 01:00-0400", "01 01:30-0400", "01 01:00-0500", "01 01:30-0500"]),
        ("0 */2 * * *", ["01 02:00-0500", "01 04:00-0500"]),
    ],
)
def test_a_time_that_comes_twice(cron: str, dates: list[str]) -> None:
    assert walk(cron, NEW_YORK, datetime(2026, 11, 1, tzinfo=NEW_YORK), len(dates)) == dates


def test_a_day_that_is_left_out() -> None:
    start = datetime(2011, 12, 29, 12, tzinfo=APIA)
    assert walk("0 9 * * *", APIA, start, 3) == ["31 00:00+1400", "31 09:00+1400", "01 09:00+1400"]


def test_seconds_follow_the_same_policy() -> None:
    start = datetime(2026, 3, 8, 1, tzinfo=NEW_YORK)
    assert walk("30 0 2 * * *", NEW_YORK, start, 2, with_seconds=True) == ["08 03:00-0400", "09 02:00-0400"]
    ticks = Cron.parse("*/20 * * * * *", with_seconds=True)
    last = datetime(2026, 3, 8, 6, 59, 40, tzinfo=UTC)
    assert next_fire(ticks, last, NEW_YORK) == datetime(2026, 3, 8, 7, tzinfo=UTC)


def test_a_sample_against_a_walk_of_the_clock() -> None:
    assert compare(ZONES, SOME, 2026) == (len(ZONES) * len(SOME) * 2, [])
    assert compare(["Pacific/Apia"], SOME[::3], 2011) == (len(SOME[::3]) * 3, [])


@pytest.mark.parametrize("cron", ["30 1 * * *", "*/15 1-2 * * *", "*/20 * * * *", "0 */2 * * *"])
@pytest.mark.parametrize("day", [datetime(2026, 3, 8, 3, tzinfo=UTC), datetime(2026, 11, 1, 3, tzinfo=UTC)])
def test_from_whatever_instant_it_is_asked_the_answer_is_the_same(cron: str, day: datetime) -> None:
    end = day + timedelta(hours=32)
    dates = list(walked(cron, day, end, NEW_YORK))
    parsed = Cron.parse(cron)
    assert list(takewhile(lambda date: date <= end, fires_after(parsed, day, NEW_YORK))) == dates
    assert (
        list(takewhile(lambda date: date > day, fires_before(parsed, end + timedelta(seconds=1), NEW_YORK)))
        == dates[::-1]
    )
    for minutes in range(0, 8 * 60, 5):
        asked = day + timedelta(minutes=minutes)
        assert next_fire(parsed, asked, NEW_YORK) == next(date for date in dates if date > asked)
        if dates[0] < asked:
            assert previous_fire(parsed, asked, NEW_YORK) == [date for date in dates if date < asked][-1]


def test_an_instant_is_asked_about_in_any_zone_and_to_the_microsecond() -> None:
    cron = Cron.parse("0 9 * * *")
    at = datetime(2026, 6, 1, 9, tzinfo=NEW_YORK)
    for zone in (UTC, timezone(timedelta(hours=5, minutes=30)), ZoneInfo("Asia/Tokyo")):
        asked = at.astimezone(zone)
        assert next_fire(cron, asked - timedelta(microseconds=1), NEW_YORK) == at
        assert next_fire(cron, asked, NEW_YORK) == at + timedelta(days=1)
        assert previous_fire(cron, asked + timedelta(microseconds=1), NEW_YORK) == at
        assert previous_fire(cron, asked, NEW_YORK) == at - timedelta(days=1)


def test_dates_that_are_far() -> None:
    leap = Cron.parse("0 0 29 2 */7")  # a Sunday
    assert next_fire(leap, datetime(2033, 1, 1, tzinfo=UTC), NEW_YORK) == datetime(2060, 2, 29, 5, tzinfo=UTC)
    assert next_fire(Cron.parse("@yearly"), datetime(9998, 6, 1, tzinfo=UTC), UTC) is None
    assert previous_fire(Cron.parse("@yearly"), datetime(2, 1, 1, tzinfo=UTC), UTC) is None


def test_when_clocks_are_set_next() -> None:
    change = next_change(NEW_YORK, datetime(2026, 3, 1, tzinfo=UTC))
    assert change is not None
    assert change.at == datetime(2026, 3, 8, 7, tzinfo=UTC)
    assert (change.before, change.after) == (datetime(2026, 3, 8, 2), datetime(2026, 3, 8, 3))
    back = next_change(NEW_YORK, change.at)
    assert back is not None
    assert back.at == datetime(2026, 11, 1, 6, tzinfo=UTC)
    assert next_change(UTC, change.at) is None
    assert next_change(ZoneInfo("Asia/Tokyo"), change.at) is None
