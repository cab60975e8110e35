"""What a trigger is to start now, of the dates that it has not dealt with.

A date that comes while its trigger is watched is due. One that came while it was not, because nothing ran or because
the execution before it was still running, is a missed one, and what becomes of it the trigger says. Found backwards
from now and never more than so many: after a year without a scheduler, or when a clock jumps, this costs no more than
after a minute.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct

from engine.core.schedule.timetable import Due, Timetable

#: How many dates are looked at, at most, for those that satisfy the conditions.
_LOOKED_AT = 10_000
_INSTANT = timedelta(microseconds=1)


class Agenda(Struct, frozen=True, kw_only=True):
    """`dates` are to be started, the oldest first; `next_at` is the first date after all of them, None for never.

    `let_go` tells why some dates are not among them, for people.
    """

    dates: tuple[Due, ...] = ()
    next_at: datetime | None = None
    let_go: str | None = None


def agenda(
    timetable: Timetable, start: datetime, *, since: datetime, now: datetime, most: int, otherwise: str = "ALL"
) -> Agenda:
    """What is to be started at `now`, of the dates from `start` on. It has been watched `since`.

    `most` bounds how many, and `otherwise` is what the instance does with missed dates where the trigger does not say.
    """
    found, all_seen = timetable.latest(start, now, most, _LOOKED_AT)
    missed, due = [date for date in found if date.at < since], [date for date in found if date.at >= since]
    match timetable.trigger.recover_missed_schedules or otherwise:
        case "LAST":
            missed, all_seen = missed[-1:], True
        case "NONE":
            missed, all_seen = [], True
    wanted = [*missed, *due]
    kept = tuple(date for date in wanted if not timetable.is_late(date.at, now))
    following = timetable.next(now)
    return Agenda(
        dates=kept,
        next_at=following.at if following is not None else None,
        let_go=_let_go(len(wanted) - len(kept), all_seen=all_seen, most=most),
    )


def _let_go(late: int, *, all_seen: bool, most: int) -> str | None:
    if late:
        return f"{late} dates are longer ago than `lateMaximumDelay` allows"
    return None if all_seen else f"only the last {most} of the dates that were missed are made up for"
