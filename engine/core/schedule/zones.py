"""Time zones as stretches of time in which clocks keep one offset from UTC.

Always true: the stretches of a year lie end to end, and each knows the offset of the one before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

from msgspec import Struct

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
#: The years in which any zone can be asked about any instant.
YEARS = range(2, 9999)


class Stretch(Struct, frozen=True, kw_only=True):
    """From `start` up to `end`, both in UTC and naive, clocks show UTC plus `offset`."""

    start: datetime
    end: datetime
    offset: timedelta
    offset_before: timedelta  #: what clocks showed until `start`


class Change(Struct, frozen=True, kw_only=True):
    """The instant, in UTC, at which clocks are set, and what they show at it before and after."""

    at: datetime
    before: datetime
    after: datetime


def naive(moment: datetime) -> datetime:
    """An aware moment in UTC, without saying so."""
    return moment.astimezone(UTC).replace(tzinfo=None)


def stretches_from(zone: tzinfo, moment: datetime, years: int) -> Iterator[Stretch]:
    """Those that are not over at a naive moment in UTC, in their order, for so many years."""
    for year in range(moment.year, min(moment.year + years + 1, YEARS.stop)):
        yield from (stretch for stretch in stretches(zone, year) if stretch.end > moment)


def stretches_until(zone: tzinfo, moment: datetime, years: int) -> Iterator[Stretch]:
    """Those that have begun before a naive moment in UTC, the last one first, for so many years back."""
    for year in range(moment.year, max(moment.year - years - 1, YEARS.start - 1), -1):
        yield from (stretch for stretch in reversed(stretches(zone, year)) if stretch.start < moment)


def next_change(zone: tzinfo, after: datetime, years: int = 2) -> Change | None:
    """The next time that clocks are set; None when they are not within so many years."""
    for stretch in stretches_from(zone, naive(after), years):
        if stretch.start > naive(after) and stretch.offset != stretch.offset_before:
            start = stretch.start
            return Change(
                at=start.replace(tzinfo=UTC), before=start + stretch.offset_before, after=start + stretch.offset
            )
    return None


@lru_cache(maxsize=1024)
def stretches(zone: tzinfo, year: int) -> tuple[Stretch, ...]:
    """The stretches of a year of UTC. The first begins with the year, whether or not clocks are set then."""
    if year not in YEARS:
        return ()
    begin, end = datetime(year, 1, 1), datetime(year + 1, 1, 1)
    before = _offset(zone, begin - _SECOND)
    found: list[Stretch] = []
    start, offset, day = begin, _offset(zone, begin), begin
    while day < end:
        tomorrow = day + _DAY
        if _offset(zone, tomorrow) != offset and (change := _change_between(zone, day, tomorrow)) < end:
            found.append(Stretch(start=start, end=change, offset=offset, offset_before=before))
            before, start, offset = offset, change, _offset(zone, change)
        day = tomorrow
    found.append(Stretch(start=start, end=end, offset=offset, offset_before=before))
    return tuple(found)


def _offset(zone: tzinfo, moment: datetime) -> timedelta:
    offset = moment.replace(tzinfo=UTC).astimezone(zone).utcoffset()
    assert offset is not None  # a moment in a zone has one
    return offset


def _change_between(zone: tzinfo, low: datetime, high: datetime) -> datetime:
    """The second at which the offset of `low` ends."""
    offset = _offset(zone, low)
    while high - low > _SECOND:
        middle = low + timedelta(seconds=(high - low) // _SECOND // 2)
        low, high = (middle, high) if _offset(zone, middle) == offset else (low, middle)
    return high
