"""What is ahead of a timetable, for people: its next dates, and what becomes of them when clocks are next set."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import takewhile
from typing import Literal

from msgspec import Struct

from engine.core.schedule.timetable import Due, Timetable
from engine.core.schedule.zones import Change, next_change
from engine.model.cron import Cron
from engine.model.triggers import Schedule

#: Times of the day that are shown one by one.
_FEW = 4
_SECOND = timedelta(seconds=1)


class Effect(Struct, frozen=True, kw_only=True):
    """What a change of the clocks does to a cron.

    `moved`: what is left out fires once, after the gap. `passed over`: it does not. `once`: what comes twice fires the
    first time. `twice`: it fires both times. `times` are the first few of the `count` times of the day in question.
    """

    change: Change
    kind: Literal["none", "moved", "passed over", "once", "twice"]
    times: tuple[str, ...] = ()
    count: int = 0


def upcoming(timetable: Timetable, start: datetime, count: int) -> list[Due]:
    """The next dates, at most `count`. The last one does not hold where a long search was given up."""
    found: list[Due] = []
    while len(found) < count and (due := timetable.next(found[-1].at if found else start)) is not None:
        found.append(due)
        if not due.holds:
            break
    return found


def effect_of_next_change(timetable: Timetable, start: datetime) -> Effect | None:
    """What happens when clocks are next set; None where they are not, or where there is no cron."""
    change = next_change(timetable.zone, start)
    if change is None or not isinstance(timetable.trigger, Schedule):
        return None
    cron = Cron.parse(timetable.trigger.cron, with_seconds=timetable.trigger.with_seconds)
    first, end = sorted((change.before, change.after))
    clocks = list(takewhile(lambda clock: clock < end, cron.after(first - _SECOND)))
    if not clocks:
        return Effect(change=change, kind="none")
    is_gap = change.after > change.before
    rhythm: Literal["passed over", "twice"] = "passed over" if is_gap else "twice"
    named: Literal["moved", "once"] = "moved" if is_gap else "once"
    shown = tuple(f"{clock:%H:%M:%S}" if clock.second else f"{clock:%H:%M}" for clock in clocks[:_FEW])
    return Effect(change=change, kind=rhythm if cron.ticks else named, times=shown, count=len(clocks))
