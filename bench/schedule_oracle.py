"""Compare the dates of crons with a walk of the clock, around every change of the clocks in every time zone.

The oracle looks at each minute of UTC and at what a clock shows then. It knows nothing of how dates are found.

    python -m bench.schedule_oracle [YEAR ...]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

from engine.core.schedule import Cron, next_fire, previous_fire

CRONS = (
    "* * * * *", "*/15 * * * *", "*/7 * * * *", "0 * * * *", "30 * * * *", "59 * * * *", "0 */2 * * *", "15 */3 * * *",
    "0 */6 * * *", "45 */23 * * *", "0 0 * * *", "30 0 * * *", "59 23 * * *", "0 1 * * *", "30 1 * * *", "0 2 * * *",
    "1 2 * * *", "30 2 * * *", "59 2 * * *", "0 3 * * *", "30 3 * * *", "0 12 * * *", "*/15 1 * * *", "*/15 2 * * *",
    "*/20 0-3 * * *", "0 0-23 * * *", "0,30 0,1,2,3 * * *", "5/10 1-2 * * *", "0 22-23 * * *", "30 2 * * 0",
    "30 1 * * SUN", "0 0 * * 6,7", "0 1 29 3 *", "30 0 25-31 10 *", "0 2 8 * *", "15 2 1 11 *", "30 2 L * *",
    "30 2 * * SUN#1", "30 1 * * 7L", "0 9 1 * MON",
)  # fmt: skip
_MINUTE = timedelta(minutes=1)
_BEFORE, _AFTER = timedelta(hours=4), timedelta(hours=14)
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


def matches(cron: str, clock: datetime) -> bool:
    """Whether a clock shows a time that a cron of five fields names."""
    minute, hour, day, month, weekday = cron.split()
    if not (_in(minute, clock.minute, 59) and _in(hour, clock.hour, 23) and _in(month, clock.month, 12)):
        return False
    of_month = _in(day, clock.day, 31) if day != "L" else (clock + timedelta(days=1)).day == 1
    of_week = any(_is_weekday(part, clock) for part in weekday.split(","))
    return of_month and of_week if "*" in (day[0], weekday[0]) else of_month or of_week


def _in(field: str, value: int, highest: int) -> bool:
    for part in field.split(","):
        span, _, step = part.partition("/")
        low, _, high = span.partition("-")
        first = 0 if low == "*" else int(low)
        last = int(high) if high else highest if step or low == "*" else first
        if first <= value <= last and (value - first) % int(step or 1) == 0:
            return True
    return False


def _is_weekday(part: str, clock: datetime) -> bool:
    if part == "*":
        return True
    name, _, nth = part.partition("#")
    last = name.endswith("L")
    name = name.removesuffix("L")
    wanted = _DAYS.index(name) if name in _DAYS else int(name) % 7
    if clock.isoweekday() % 7 != wanted:
        return False
    return (not nth or (clock.day - 1) // 7 + 1 == int(nth)) and (
        not last or (clock + timedelta(days=7)).month != clock.month
    )


def walked(cron: str, start: datetime, end: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """The minutes of UTC, later than `start` and up to `end`, at which a cron is due by the written policy."""
    rhythm = cron.split()[1].startswith("*") or cron.split()[1] == "0-23"
    shown = start.astimezone(zone).replace(tzinfo=None)
    latest, now = shown, start
    while now < end:
        now += _MINUTE
        clock = now.astimezone(zone).replace(tzinfo=None)
        if rhythm:
            due = matches(cron, clock)
        else:  # each time of the day that went by since the latest one so far, in a gap or not
            due = False
            while latest < clock:
                latest += _MINUTE
                due = due or matches(cron, latest)
        if due:
            yield now


def windows(zone: ZoneInfo, year: int) -> list[datetime]:
    """The instants of a year at which clocks are set; where they never are, two dates at which they often are."""
    found = []
    now, end = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
    offset = now.astimezone(zone).utcoffset()
    while now < end:
        now += timedelta(minutes=15)
        if now.astimezone(zone).utcoffset() != offset:
            offset = now.astimezone(zone).utcoffset()
            found.append(now)
    return found or [datetime(year, 3, 29, 1, tzinfo=UTC), datetime(year, 10, 25, 1, tzinfo=UTC)]


def compare(zones: Iterable[str], crons: Sequence[str], year: int) -> tuple[int, list[str]]:
    """How many pairs of a cron and a change of the clocks were compared, in both directions; and all differences."""
    compared, wrong = 0, []
    expected: dict[tuple[object, ...], list[datetime]] = {}
    for name in zones:
        zone = ZoneInfo(name)
        for change in windows(zone, year):
            start, end = change - _BEFORE, change + _AFTER
            clocks = tuple((change + timedelta(hours=hour)).astimezone(zone).utcoffset() for hour in range(-4, 15))
            for text in crons:
                key = (text, change, *clocks)  # zones that agree are walked once
                if key not in expected:
                    expected[key] = list(walked(text, start, end, zone))
                cron = Cron.parse(text)
                forwards, backwards = list(_forwards(cron, start, end, zone)), list(_backwards(cron, start, end, zone))
                compared += 1
                if not expected[key] == forwards == backwards[::-1]:
                    wrong.append(f"{name}, {change:%Y-%m-%d}, {text}")
    return compared, wrong


def _forwards(cron: Cron, start: datetime, end: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    found = next_fire(cron, start, zone)
    while found is not None and found <= end:
        yield found
        found = next_fire(cron, found, zone)


def _backwards(cron: Cron, start: datetime, end: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    found = previous_fire(cron, end + timedelta(seconds=1), zone)
    while found is not None and found > start:
        yield found
        found = previous_fire(cron, found, zone)


def main(years: Sequence[int]) -> None:
    zones = sorted(available_timezones())
    for year in years:
        begun = time.monotonic()
        compared, wrong = compare(zones, CRONS, year)
        print(
            f"{year}: {len(zones)} zones x {len(CRONS)} crons, {compared} comparisons each way, "
            f"{len(wrong)} differences, {time.monotonic() - begun:.0f} s"
        )
        for line in wrong[:20]:
            print(f"  {line}")


if __name__ == "__main__":
    main([int(year) for year in sys.argv[1:]] or [datetime.now(UTC).year])
