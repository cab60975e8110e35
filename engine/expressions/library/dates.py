"""Filters and functions on dates."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Any

from engine.errors import ExpressionError
from engine.expressions.datepattern import DAYS, format_date
from engine.expressions.dates import epoch_micros, moment_of, moved, zone_of
from engine.expressions.entry import declare
from engine.expressions.library.outside import outside
from engine.expressions.library.text import integer
from engine.expressions.values import java_text

if TYPE_CHECKING:
    from engine.expressions.evaluation import Evaluation


def _zone(evaluation: Evaluation, name: Any) -> tzinfo:
    return zone_of(name, evaluation.functions.zone)


def _formatted(moment: datetime, zone: tzinfo, format_: Any, locale: Any) -> str:
    if locale is not None and not java_text(locale).lower().startswith("en"):
        raise ExpressionError(
            f"The locale `{java_text(locale)[:50]}` is not supported: names are English",
            code="date-locale",
            hint="Leave `locale` out, and use numbers in the pattern.",
        )
    return format_date(moment.astimezone(zone), "iso" if format_ is None else java_text(format_))


@declare(
    "filter",
    "date",
    "A date by a preset or a Java pattern.",
    "{{ '2024-05-06T07:08:09Z' | date('dd/MM/yyyy HH:mm', timeZone='Europe/Paris') }}",
    "06/05/2024 09:08",
    evaluation=True,
)
def date(
    evaluation: Evaluation,
    value: Any,
    format_: Any = None,
    time_zone: Any = None,
    existing_format: Any = None,
    locale: Any = None,
) -> Any:
    if value is None:
        return None
    zone = _zone(evaluation, time_zone)
    return _formatted(moment_of(value, zone, existing_format), zone, format_, locale)


@declare(
    "filter",
    "dateAdd",
    "A date so many units later; a negative amount is earlier.",
    "{{ '2024-01-31' | dateAdd(1, 'MONTHS', 'yyyy-MM-dd') }}",
    "2024-02-29",
    evaluation=True,
)
def date_add(
    evaluation: Evaluation,
    value: Any,
    amount: Any,
    unit: Any,
    format_: Any = None,
    time_zone: Any = None,
    existing_format: Any = None,
    locale: Any = None,
) -> Any:
    if value is None:
        return None
    zone = _zone(evaluation, time_zone)
    moment = moment_of(value, zone, existing_format).astimezone(zone)
    return _formatted(moved(moment, integer(amount, "amount"), unit), zone, format_, locale)


def _timestamp(name: str, unit: str, per_second: int) -> None:
    @declare(
        "filter",
        name,
        f"{unit} since 1970.",
        f"{{{{ '2024-01-01T00:00:00Z' | {name} }}}}",
        str(1_704_067_200 * per_second),
        evaluation=True,
    )
    def timestamp(evaluation: Evaluation, value: Any, time_zone: Any = None, existing_format: Any = None) -> Any:
        if value is None:
            return None
        micros = epoch_micros(moment_of(value, _zone(evaluation, time_zone), existing_format))
        return micros * (per_second // 1_000_000) if per_second >= 1_000_000 else micros // (1_000_000 // per_second)


for _name, _unit, _per_second in (
    ("timestamp", "Seconds", 1),
    ("timestampMilli", "Milliseconds", 1000),
    ("timestampMicro", "Microseconds", 1_000_000),
    ("timestampNano", "Nanoseconds", 1_000_000_000),
):
    _timestamp(_name, _unit, _per_second)


@declare(
    "function",
    "now",
    "The time: a date, or text where a `format` is given.",
    "{{ now() | date('yyyy') }}",
    evaluation=True,
)
def now(
    evaluation: Evaluation,
    format_: Any = None,
    time_zone: Any = None,
    existing_format: Any = None,
    locale: Any = None,
) -> Any:
    zone = _zone(evaluation, time_zone)
    moment: datetime = outside(evaluation, "now", "now")().astimezone(zone)
    return moment if format_ is None else _formatted(moment, zone, format_, locale)


# -- the calendar


def _day(evaluation: Evaluation, value: Any) -> datetime:
    return moment_of(value, evaluation.functions.zone)


@declare(
    "function",
    "isWeekend",
    "Whether a date is a Saturday or Sunday.",
    "{{ isWeekend('2024-05-04') }}",
    "true",
    evaluation=True,
)
def is_weekend(evaluation: Evaluation, date: Any) -> bool:
    return _day(evaluation, date).isoweekday() > 5


@declare("function", "dayOfWeek", "MONDAY to SUNDAY.", "{{ dayOfWeek('2024-05-06') }}", "MONDAY", evaluation=True)
def day_of_week(evaluation: Evaluation, date: Any) -> str:
    return DAYS[_day(evaluation, date).weekday()].upper()


@declare("function", "dayOfMonth", "1 to 31.", "{{ dayOfMonth('2024-05-06') }}", "6", evaluation=True)
def day_of_month(evaluation: Evaluation, date: Any) -> int:
    return _day(evaluation, date).day


@declare("function", "monthOfYear", "1 to 12.", "{{ monthOfYear('2024-05-06') }}", "5", evaluation=True)
def month_of_year(evaluation: Evaluation, date: Any) -> int:
    return _day(evaluation, date).month


@declare("function", "hourOfDay", "0 to 23.", "{{ hourOfDay('2024-05-06T07:08:09Z') }}", "7", evaluation=True)
def hour_of_day(evaluation: Evaluation, date: Any) -> int:
    return _day(evaluation, date).hour


def _weekday(name: Any) -> int:
    names = [day.upper() for day in DAYS]
    text = java_text(name).strip().upper()
    if text not in names:
        raise ExpressionError(
            f"`{text[:50]}` is no day of the week", code="unknown-weekday", hint=f"Days: {', '.join(names)}."
        )
    return names.index(text)


@declare(
    "function",
    "isDayWeekInMonth",
    "Whether a date is the FIRST, SECOND, THIRD, FOURTH or LAST such day of its month.",
    "{{ isDayWeekInMonth('2024-05-06', 'MONDAY', 'FIRST') }}",
    "true",
    evaluation=True,
)
def is_day_week_in_month(evaluation: Evaluation, date: Any, day_of_week: Any, day_in_month: Any) -> bool:
    places = {"FIRST": 1, "SECOND": 2, "THIRD": 3, "FOURTH": 4, "LAST": 0}
    place, moment = java_text(day_in_month).upper(), _day(evaluation, date)
    if place not in places:
        raise ExpressionError(
            f"`{place[:50]}` is no place in a month", code="expression-type", hint=f"Places: {', '.join(places)}."
        )
    if moment.weekday() != _weekday(day_of_week):
        return False
    if place == "LAST":
        return moved(moment, 7, "DAYS").month != moment.month
    return (moment.day + 6) // 7 == places[place]


@declare(
    "function",
    "isLastWorkingDay",
    "Whether a date is the last working day of its month; `workingDays` lists them, by default Monday to Friday.",
    "{{ isLastWorkingDay('2024-05-31') }}",
    "true",
    evaluation=True,
)
def is_last_working_day(evaluation: Evaluation, date: Any, working_days: Any = None) -> bool:
    days = [_weekday(name) for name in java_text(working_days).split(",")] if working_days else [0, 1, 2, 3, 4]
    moment = _day(evaluation, date)
    following = (moved(moment, ahead, "DAYS") for ahead in range(1, 8))
    later = [day for day in following if day.month == moment.month and day.weekday() in days]
    return moment.weekday() in days and not later


@declare(
    "function",
    "isDateBetween",
    "Whether a date lies strictly between two others, as instants.",
    "{{ isDateBetween('2024-05-06T00:00:00Z', '2024-05-01T00:00:00Z', '2024-06-01T00:00:00Z') }}",
    "true",
    evaluation=True,
)
def is_date_between(evaluation: Evaluation, date: Any, after: Any, before: Any) -> bool:
    moment, start, end = (_instant(value) for value in (date, after, before))
    return start < moment < end


def _instant(value: Any) -> datetime:
    moment = value if isinstance(value, datetime) else None
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            moment = None
    if moment is None or moment.tzinfo is None:
        raise ExpressionError(
            f"`isDateBetween` needs dates with an offset, and got `{java_text(value)[:100]}`",
            code="invalid-date",
            hint="Write `2024-05-06T07:08:09Z`.",
        )
    return moment


@declare(
    "function",
    "isPublicHoliday",
    "Whether a date is a public holiday of a country.",
    "{{ isPublicHoliday('2024-12-25', 'US') }}",
    "true",
    evaluation=True,
    outside=True,
)
def is_public_holiday(evaluation: Evaluation, date: Any, country: Any = None, sub_division: Any = None) -> bool:
    call = outside(evaluation, "is_public_holiday", "isPublicHoliday")
    return bool(call(_day(evaluation, date).date(), country, sub_division))
