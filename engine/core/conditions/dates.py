"""Conditions about a date. A date is read on the clock that it names; bounds never belong to what they bound."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, datetime, time
from typing import Any, get_args

from engine.core.conditions.subject import Subject
from engine.errors import ExpressionError, PenstockError
from engine.expressions.dates import moment_of
from engine.expressions.faults import Unavailable
from engine.model.conditions import (
    DateCondition,
    DateTimeBetween,
    DayInMonth,
    DayOfWeek,
    DayWeek,
    DayWeekInMonth,
    PublicHoliday,
    TimeBetween,
    Weekend,
)

_DAYS: tuple[str, ...] = get_args(DayOfWeek)
_PLACES: tuple[str, ...] = get_args(DayInMonth)
_LAST = "LAST"
_SATURDAY = 5


def date_time_between(condition: DateTimeBetween, subject: Subject) -> bool:
    moment = _instant(_date(condition, subject))
    after, before = (_instant(_moment(text, subject)) if text else None for text in _bounds(condition))
    return (after is None or moment > after) and (before is None or moment < before)


def time_between(condition: TimeBetween, subject: Subject) -> bool:
    moment = _date(condition, subject)
    after, before = (_clock_time(text, subject) if text else None for text in _bounds(condition))
    return (after is None or _on_its_clock(moment, after, subject) > after.replace(tzinfo=None)) and (
        before is None or _on_its_clock(moment, before, subject) < before.replace(tzinfo=None)
    )


def day_week(condition: DayWeek, subject: Subject) -> bool:
    return _DAYS[_date(condition, subject).weekday()] == subject.word(condition.day_of_week, _DAYS)


def day_week_in_month(condition: DayWeekInMonth, subject: Subject) -> bool:
    moment = _date(condition, subject)
    day, place = subject.word(condition.day_of_week, _DAYS), subject.word(condition.day_in_month, _PLACES)
    if _DAYS[moment.weekday()] != day:
        return False
    if place == _LAST:
        return moment.day + 7 > monthrange(moment.year, moment.month)[1]
    return (moment.day - 1) // 7 == _PLACES.index(place)


def weekend(condition: Weekend, subject: Subject) -> bool:
    return _date(condition, subject).weekday() >= _SATURDAY


def public_holiday(condition: PublicHoliday, subject: Subject) -> bool:
    call = subject.functions.is_public_holiday
    if call is None:
        raise Unavailable("The calendar of public holidays is not available here", code="function-unavailable")
    country, sub_division = (
        subject.text(text) if text is not None else None for text in (condition.country, condition.sub_division)
    )
    try:
        return bool(call(_date(condition, subject).date(), country, sub_division))
    except ExpressionError:
        raise
    except PenstockError as error:
        raise ExpressionError(error.message, code="public-holiday", hint=error.hint) from error


def _bounds(condition: DateTimeBetween | TimeBetween) -> tuple[str | None, str | None]:
    if condition.after is None and condition.before is None:
        name = type(condition).__name__
        raise ExpressionError(f"{name} has neither `after` nor `before`", code="no-bounds", hint="Write one of them.")
    return condition.after, condition.before


def _date(condition: DateCondition, subject: Subject) -> datetime:
    return _moment(condition.date, subject)


def _moment(template: str, subject: Subject) -> datetime:
    return moment_of(subject.value(template), subject.functions.zone)


def _instant(moment: datetime) -> datetime:
    # Two moments of one zone are compared by their hands on the clock, and an hour of each autumn comes twice.
    return _moved(moment, UTC)


def _clock_time(template: str, subject: Subject) -> time:
    text = subject.text(template).strip()
    try:
        return time.fromisoformat(text)
    except ValueError:
        hint = "Write it as `08:30:00+02:00`."
        raise ExpressionError(
            f"Unable to read `{text[:50]}` as a time of day", code="invalid-time", hint=hint
        ) from None


def _on_its_clock(moment: datetime, bound: time, subject: Subject) -> time:
    """What a clock in the zone of a bound shows at a moment."""
    return _moved(moment, bound.tzinfo or subject.functions.zone).time()


def _moved(moment: datetime, zone: Any) -> datetime:
    try:
        return moment.astimezone(zone)
    except OverflowError:
        raise ExpressionError("The date is outside the years 1 to 9999", code="invalid-date") from None
