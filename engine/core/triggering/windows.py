"""The window of time in which something that happens counts together with what happened before.

Always true: a window is a function of its definition, an instant and a zone, so whoever asks about an instant is told
the same. It includes its start and not its end. Of windows in turns each instant is in exactly one; a time of the day
that clocks show twice counts the first time, and one that they leave out counts at the instant after the gap.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, tzinfo

from msgspec import Struct

from engine.core.schedule.zones import naive, stretches_from
from engine.expressions.dates import zone_of
from engine.model.conditions import TimeWindow
from engine.model.duration import parse_duration
from engine.model.triggers import Window

_INSTANT = timedelta(microseconds=1)
_DAY = timedelta(days=1)
#: Turns are counted from here, so that those of seven days are weeks.
_A_MONDAY = datetime(1970, 1, 5)
_MIDNIGHT = time()


class Span(Struct, frozen=True):
    """From `start` up to `end`, both in UTC."""

    start: datetime
    end: datetime

    def __contains__(self, at: datetime) -> bool:
        return self.start <= at < self.end


def span_at(window: TimeWindow | Window | None, at: datetime, zone: tzinfo) -> Span | None:
    """The window that an instant is in, on the clocks of `zone` unless it names its own; None where there is none.

    No definition at all means days.
    """
    if isinstance(window, Window):
        return _newer(window, at, zone_of(window.timezone, zone))
    return _older(window or TimeWindow(), at, zone)


def _newer(window: Window, at: datetime, zone: tzinfo) -> Span | None:
    if window.deadline is not None:
        return _daily(_MIDNIGHT, time.fromisoformat(window.deadline), at, zone)
    if window.from_ is not None and window.to is not None:
        return _daily(time.fromisoformat(window.from_), time.fromisoformat(window.to), at, zone)
    if window.lookback is not None:
        return _back(window.lookback, at)
    return _turn(window.every, window.offset, at, zone)


def _older(window: TimeWindow, at: datetime, zone: tzinfo) -> Span | None:
    match window.type:
        case "DAILY_TIME_DEADLINE":
            return _daily(_MIDNIGHT, time.fromisoformat(window.deadline or "00:00"), at, zone)
        case "DAILY_TIME_WINDOW":
            start, end = (time.fromisoformat(text or "00:00") for text in (window.start_time, window.end_time))
            return _daily(start, end, at, zone)
        case "SLIDING_WINDOW":
            return _back(window.window or "P1D", at)
        case "DURATION_WINDOW":
            return _turn(window.window, window.window_advance, at, zone)


def _back(length: str, at: datetime) -> Span:
    """What was exactly so long ago still counts."""
    return Span(at - parse_duration(length), at + _INSTANT)


def _turn(every: str | None, offset: str | None, at: datetime, zone: tzinfo) -> Span | None:
    length = parse_duration(every) if every is not None else _DAY
    if length <= timedelta(0):
        return None
    first = _A_MONDAY + (parse_duration(offset) if offset is not None else timedelta(0))
    start = first + (_clock(at, zone) - first) // length * length
    return Span(_instant(start, zone), _instant(start + length, zone))


def _daily(start: time, end: time, at: datetime, zone: tzinfo) -> Span | None:
    """From one time of the day to another, which is on the next day unless it is later.

    A time with an offset is one of the clocks there. If only one of them has it, both are.
    """
    zone = start.tzinfo or end.tzinfo or zone
    if start.tzinfo is not None and end.tzinfo is not None:
        end = datetime.combine(_A_MONDAY, end).astimezone(start.tzinfo).time()
    start, end = start.replace(tzinfo=None), end.replace(tzinfo=None)
    today = _clock(at, zone).date()
    for day in (today, today - _DAY):
        last = day if end > start else day + _DAY
        span = Span(_instant(datetime.combine(day, start), zone), _instant(datetime.combine(last, end), zone))
        if at in span:
            return span
    return None


def _clock(at: datetime, zone: tzinfo) -> datetime:
    """The latest time that clocks have shown by an instant: while they repeat an hour they show none that is new."""
    now = next(stretches_from(zone, naive(at), 1))
    return max(naive(at) + now.offset, now.start + now.offset_before - _INSTANT)


def _instant(clock: datetime, zone: tzinfo) -> datetime:
    """The first instant at which clocks show a time, or have passed it over."""
    around = stretches_from(zone, clock - 2 * _DAY, 1)
    found = next(stretch for stretch in around if clock < stretch.end + stretch.offset)
    return max(found.start, clock - found.offset).replace(tzinfo=UTC)
