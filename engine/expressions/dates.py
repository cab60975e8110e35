"""Reading, moving and measuring dates. Every moment here is aware; `zone` is that of a date that names none."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from email.utils import parsedate_to_datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from engine.errors import ExpressionError
from engine.expressions.datepattern import DAYS, MONTHS, tokens
from engine.expressions.faults import did_you_mean
from engine.expressions.values import java_text, kind

_ZONE_SUFFIX = re.compile(r"\[([^\]]+)\]$")
_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2}):?(\d{2})?$")


def zone_of(name: Any, default: tzinfo) -> tzinfo:
    """The zone of a name such as `Europe/Paris`, `UTC` or `+02:00`."""
    if name is None:
        return default
    text = java_text(name)
    if text == "Z":
        return UTC
    if match := _OFFSET.match(text):
        minutes = int(match.group(2)) * 60 + int(match.group(3) or 0)
        if minutes < 24 * 60:
            return timezone(timedelta(minutes=-minutes if match.group(1) == "-" else minutes))
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ExpressionError(f"Unable to find the time zone `{text[:100]}`", code="unknown-time-zone",
                              hint="Write it as `Europe/Paris`, `UTC` or `+02:00`.") from None  # fmt: skip


def moment_of(value: Any, zone: tzinfo, existing_format: Any = None) -> datetime:
    """A value as an aware moment: a date, ISO text, text in a given format, or seconds since 1970."""
    try:
        if isinstance(value, datetime):
            return value if value.tzinfo else value.replace(tzinfo=zone)
        if isinstance(value, date):
            return datetime.combine(value, time(12), zone)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, zone)
        if isinstance(value, str):
            return _read(value, zone, existing_format)
    except (OverflowError, OSError, ValueError) as error:
        hint = "A number counts seconds; milliseconds have to be divided by 1000."
        raise ExpressionError(f"Unable to read a date ({error})", code="invalid-date", hint=hint) from None
    raise ExpressionError(f"A date is needed, and this is {kind(value)},", code="invalid-date")


def _read(text: str, zone: tzinfo, existing_format: Any) -> datetime:
    if existing_format == "rfc_1123_date_time":
        return parsedate_to_datetime(text)
    if existing_format is not None and not java_text(existing_format).startswith("iso"):
        return _Reading(text, java_text(existing_format)).moment(zone)
    suffix = _ZONE_SUFFIX.search(text)
    plain = text[: suffix.start()] if suffix else text
    try:
        moment = datetime.fromisoformat(plain.strip())
    except ValueError:
        raise ExpressionError(f"Unable to read `{text[:100]}` as a date,", code="invalid-date",
                              hint="Say how it is written with `existingFormat`.") from None  # fmt: skip
    if suffix:
        named = zone_of(suffix.group(1), zone)
        return moment.astimezone(named) if moment.tzinfo else moment.replace(tzinfo=named)
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


class _Reading:
    """Reads a text by a pattern, field after field."""

    def __init__(self, text: str, pattern: str) -> None:
        self.text = text
        self.pattern = pattern
        self.at = 0
        self.fields: dict[str, int] = {}
        self.zone: tzinfo | None = None
        parts = list(tokens(pattern))
        for index, (letter, count) in enumerate(parts):
            # `yyyyMMdd`: a number that touches the next one has exactly as many digits as letters.
            touching = index + 1 < len(parts) and parts[index + 1][1] > 0 and parts[index + 1][0] not in "XxZzVOaE"
            self.field(letter, count, touching)
        if self.at != len(text):
            self.fail()

    def fail(self) -> None:
        raise ExpressionError(f"Unable to read `{self.text[:100]}` as `{self.pattern[:100]}`", code="invalid-date")

    def take(self, regex: str) -> str:
        match = re.compile(regex, re.IGNORECASE).match(self.text, self.at)
        if match is None:
            self.fail()
            raise AssertionError
        self.at = match.end()
        return match.group()

    def field(self, letter: str, count: int, touching: bool) -> None:
        if not count:
            if not self.text.startswith(letter, self.at):
                self.fail()
            self.at += len(letter)
        elif letter in "MLE" and count >= 3:
            names = DAYS if letter == "E" else MONTHS
            shown = names if count == 4 else [name[:3] for name in names]
            name = self.take("|".join(shown)).casefold()
            self.fields[letter] = [word.casefold() for word in shown].index(name) + 1
        elif letter == "a":
            self.fields["a"] = int(self.take("AM|PM").upper() == "PM")
        elif letter in "XxZ":
            self.zone = zone_of(self.take(r"Z|[+-]\d{2}(?::?\d{2})?"), UTC)
        elif letter in "zVO":
            self.zone = zone_of(
                self.take(r"[A-Za-z_]+(?:/[A-Za-z_]+)*(?:[+-]\d{1,2}(?::\d{2})?)?|[+-]\d{2}:\d{2}"), UTC
            )
        elif letter == "S":
            self.fields["micro"] = int(self.take(rf"\d{{{count}}}")[:6].ljust(6, "0"))
        else:
            digits = self.take(rf"\d{{{count}}}" if touching or count == 2 else rf"\d{{{count},9}}")
            value = int(digits)
            self.fields[letter] = 2000 + value if letter in "yu" and count == 2 else value

    def moment(self, zone: tzinfo) -> datetime:
        get = self.fields.get
        hour = get("H", get("k", 0) % 24)
        if "h" in self.fields or "K" in self.fields:
            hour = get("h", get("K", 0)) % 12 + 12 * get("a", 0)
        try:
            moment = datetime(
                get("y", get("u", 1970)),
                get("M", get("L", 1)),
                get("d", 1),
                hour,
                get("m", 0),
                get("s", 0),
                get("micro", get("n", 0) // 1000),
                self.zone or zone,
            )
        except ValueError as error:
            raise ExpressionError(f"`{self.text[:100]}` is no date ({error})", code="invalid-date") from None
        return moment + timedelta(days=get("D") or 1, milliseconds=get("A", 0)) - timedelta(days=1)


def _months(count: int) -> Callable[[datetime, int], datetime]:
    def move(moment: datetime, amount: int) -> datetime:
        year, month = divmod(moment.year * 12 + moment.month - 1 + amount * count, 12)
        if not 1 <= year <= 9999:
            raise OverflowError
        day = min(moment.day, calendar.monthrange(year, month + 1)[1])
        return moment.replace(year=year, month=month + 1, day=day)

    return move


def _span(**unit: float) -> Callable[[datetime, int], datetime]:
    step = timedelta(**unit)
    # Days and weeks keep the hour on the wall; shorter units count time that really passes.
    if step >= timedelta(days=1):
        return lambda moment, amount: moment + step * amount
    return lambda moment, amount: (moment.astimezone(UTC) + step * amount).astimezone(moment.tzinfo)


UNITS: dict[str, Callable[[datetime, int], datetime]] = {
    "NANOS": lambda moment, amount: _span(microseconds=1)(moment, int(amount / 1000)),
    "MICROS": _span(microseconds=1),
    "MILLIS": _span(milliseconds=1),
    "SECONDS": _span(seconds=1),
    "MINUTES": _span(minutes=1),
    "HOURS": _span(hours=1),
    "HALF_DAYS": _span(hours=12),
    "DAYS": _span(days=1),
    "WEEKS": _span(weeks=1),
    "MONTHS": _months(1),
    "YEARS": _months(12),
    "DECADES": _months(120),
    "CENTURIES": _months(1200),
}


def moved(moment: datetime, amount: int, unit: Any) -> datetime:
    """A moment so many units later."""
    name = java_text(unit).upper()
    move = UNITS.get(name)
    if move is None:
        raise ExpressionError(f"Unable to find the unit `{name[:50]}`", code="unknown-unit",
                              hint=did_you_mean(name, UNITS) or f"Units: {', '.join(UNITS)}.")  # fmt: skip
    try:
        return move(moment, amount)
    except (OverflowError, ValueError):
        raise ExpressionError("The date is outside the years 1 to 9999", code="invalid-date") from None


def epoch_micros(moment: datetime) -> int:
    """Microseconds since 1970."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
