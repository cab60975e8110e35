"""The instants at which a cron fires in a time zone, also where clocks are set.

Two kinds of cron meet a change of the clocks in two ways. One that names hours (`30 2 * * *`) means what a clock shows
on a day: a time that the day does not have counts at the first instant after the gap, and one that it has twice counts
the first time. One whose hours start with a star, or are all of them (`*/15 * * * *`), means a rhythm: it fires
whenever a clock shows a matching time, so the rhythm neither stops nor doubles.

Always true: what is found is later (or earlier) than what was asked about, and nothing in between was passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo

from engine.core.schedule.zones import Stretch, naive, stretches_from, stretches_until
from engine.model.cron import Cron

_SECOND = timedelta(seconds=1)
#: As far as a cron itself looks.
_YEARS = 50


def fires_after(cron: Cron, after: datetime, zone: tzinfo) -> Iterator[datetime]:
    """The instants, in UTC, later than `after` at which a cron fires, until there is none for fifty years."""
    start = naive(after)
    latest = start
    for stretch in stretches_from(zone, start, _YEARS):
        since = _first_clock(cron, stretch) - _SECOND
        if start >= stretch.start:
            since = max(since, start + stretch.offset)
        for clock in cron.after(since):
            if clock >= stretch.end + stretch.offset:
                break
            found = max(stretch.start, clock - stretch.offset)
            if found > latest:  # the times of a gap are all due at one instant
                yield found.replace(tzinfo=UTC)
                latest = found


def fires_before(cron: Cron, before: datetime, zone: tzinfo) -> Iterator[datetime]:
    """The instants, in UTC, earlier than `before` at which a cron fired, the last one first."""
    start = naive(before)
    latest = start
    for stretch in stretches_until(zone, start, _YEARS):
        first = _first_clock(cron, stretch)
        for clock in cron.before(min(start, stretch.end) + stretch.offset):
            if clock < first:
                break
            found = max(stretch.start, clock - stretch.offset)
            if found < latest:
                yield found.replace(tzinfo=UTC)
                latest = found


def next_fire(cron: Cron, after: datetime, zone: tzinfo) -> datetime | None:
    """The first instant, in UTC, later than `after` at which a cron fires; None: there is none within fifty years."""
    return next(fires_after(cron, after, zone), None)


def previous_fire(cron: Cron, before: datetime, zone: tzinfo) -> datetime | None:
    """The last instant, in UTC, earlier than `before` at which a cron fired; None: there is none within fifty years."""
    return next(fires_before(cron, before, zone), None)


def _first_clock(cron: Cron, stretch: Stretch) -> datetime:
    """The first time of a clock that counts in a stretch.

    For a rhythm it is what clocks show when the stretch begins. For times of the day it is what they would have shown
    without being set: so the times of a gap belong to what follows it, and those of a repetition to what was before.
    """
    return stretch.start + (stretch.offset if cron.ticks else stretch.offset_before)
