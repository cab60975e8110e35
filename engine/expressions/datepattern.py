"""Dates as Java's patterns write and read them: `yyyy-MM-dd HH:mm`, and the presets that flows use by name.

Names of months and days are English. Weeks begin on Sunday, and the first one holds January 1st, as where Java
runs in American English. Fractions have six digits: what is finer is zero.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import lru_cache

from engine.errors import ExpressionError
from engine.expressions.values import offset_text

MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
          "December")  # fmt: skip
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

#: Preset -> pattern. Those that no pattern can say are in SPECIAL, at the end.
PRESETS = {
    "iso": "uuuu-MM-dd'T'HH:mm:ss.SSSSSSXXX",
    "iso_milli": "uuuu-MM-dd'T'HH:mm:ss.SSSXXX",
    "iso_sec": "uuuu-MM-dd'T'HH:mm:ssXXX",
    "sql": "uuuu-MM-dd HH:mm:ss.SSSSSS",
    "sql_milli": "uuuu-MM-dd HH:mm:ss.SSS",
    "sql_seq": "uuuu-MM-dd HH:mm:ss",
    "sql_sec": "uuuu-MM-dd HH:mm:ss",
    "iso_date": "uuuu-MM-ddXXX",
    "iso_local_date": "uuuu-MM-dd",
    "iso_ordinal_date": "uuuu-DDDXXX",
    "full": "EEEE, MMMM d, uuuu 'at' h:mm:ss a z",
    "long": "MMMM d, uuuu 'at' h:mm:ss a z",
    "medium": "MMM d, uuuu, h:mm:ss a",
    "short": "M/d/yy, h:mm a",
}
_TOKEN = re.compile(r"'(?:[^']|'')*'|([A-Za-z])\1*|.", re.DOTALL)


@lru_cache(maxsize=512)
def _tokens(pattern: str) -> tuple[tuple[str, int], ...]:
    """(letter, how often), or (text, 0) for what is written as it is."""
    tokens: list[tuple[str, int]] = []
    for match in _TOKEN.finditer(pattern):
        text = match.group()
        if match.group(1):
            tokens.append((text[0], len(text)))
        elif len(text) > 1:
            tokens.append((text[1:-1].replace("''", "'") or "'", 0))
        elif text not in "[]":  # an optional section is written, and its brackets are not
            tokens.append((text, 0))
    return tuple(tokens)


def format_date(moment: datetime, pattern: str) -> str:
    """An aware moment by a preset or a pattern."""
    if pattern in SPECIAL:
        return SPECIAL[pattern](moment)
    return "".join(_field(moment, letter, count) for letter, count in _tokens(PRESETS.get(pattern, pattern)))


def _field(moment: datetime, letter: str, count: int) -> str:
    if not count:
        return letter
    write = _WRITERS.get(letter)
    if write is None:
        raise ExpressionError(f"`{letter * count}` means nothing in a date pattern,", code="date-pattern",
                              hint="Put text in single quotes: `'T'`.")  # fmt: skip
    return write(moment, count)


def _number(value: Callable[[datetime], int]) -> Callable[[datetime, int], str]:
    return lambda moment, count: str(value(moment)).zfill(count)


def _year(moment: datetime, count: int) -> str:
    return f"{moment.year % 100:02}" if count == 2 else str(moment.year).zfill(count)


def _named(names: tuple[str, ...], index: Callable[[datetime], int]) -> Callable[[datetime, int], str]:
    def write(moment: datetime, count: int) -> str:
        name = names[index(moment)]
        return name if count == 4 else name[:1] if count == 5 else name[:3]

    return write


def _month(moment: datetime, count: int) -> str:
    return str(moment.month).zfill(count) if count < 3 else _named(MONTHS, lambda m: m.month - 1)(moment, count)


def _quarter(moment: datetime, count: int) -> str:
    quarter = (moment.month + 2) // 3
    if count < 3:
        return str(quarter).zfill(count)
    return f"Q{quarter}" if count == 3 else f"{('1st', '2nd', '3rd', '4th')[quarter - 1]} quarter"


def _week(moment: datetime) -> tuple[int, int]:
    """Year and number of the American week: from Sunday, the first one holding January 1st."""
    saturday = moment + timedelta(days=(5 - moment.weekday()) % 7)
    return saturday.year, (saturday.timetuple().tm_yday + 6) // 7


def _weekday(moment: datetime, count: int) -> str:
    return str(moment.isoweekday() % 7 + 1) if count < 3 else _named(DAYS, datetime.weekday)(moment, count)


def _micros_of_day(moment: datetime) -> int:
    return ((moment.hour * 60 + moment.minute) * 60 + moment.second) * 1_000_000 + moment.microsecond


def _fraction(moment: datetime, count: int) -> str:
    return f"{moment.microsecond:06}000"[:count]


def _offset(moment: datetime, count: int, zero: str | None = None) -> str:
    """X and x: hours, with minutes if there are any (1), `+0200` (2, 4) or `+02:00` (3, 5)."""
    offset = moment.utcoffset() or timedelta(0)
    if not offset and zero is not None:
        return zero
    text = offset_text(offset, ":" if count in (3, 5) else "") or ("+00:00" if count in (3, 5) else "+0000")
    return text[:3] if count == 1 and text.endswith("00") else text


def _zone_offset(moment: datetime, count: int) -> str:
    if count == 4:
        return _gmt(moment, 4)
    return _offset(moment, 5, "Z") if count == 5 else _offset(moment, 2)


def _gmt(moment: datetime, count: int) -> str:
    text = offset_text(moment.utcoffset() or timedelta(0))
    if count < 4 and text:
        hours, _, minutes = text.partition(":")
        text = f"{hours[0]}{int(hours[1:])}" + (f":{minutes}" if minutes != "00" else "")
    return f"GMT{text}"


def zone_id(moment: datetime) -> str:
    """`Europe/Paris`, or the offset where there is no name."""
    name = getattr(moment.tzinfo, "key", None)
    return str(name) if name else offset_text(moment.utcoffset() or timedelta(0)) or "Z"


_WRITERS: dict[str, Callable[[datetime, int], str]] = {
    "y": _year,
    "u": _year,
    "Y": lambda moment, count: f"{_week(moment)[0] % 100:02}" if count == 2 else str(_week(moment)[0]).zfill(count),
    "M": _month,
    "L": _month,
    "d": _number(lambda moment: moment.day),
    "D": _number(lambda moment: moment.timetuple().tm_yday),
    "H": _number(lambda moment: moment.hour),
    "h": _number(lambda moment: moment.hour % 12 or 12),
    "k": _number(lambda moment: moment.hour or 24),
    "K": _number(lambda moment: moment.hour % 12),
    "m": _number(lambda moment: moment.minute),
    "s": _number(lambda moment: moment.second),
    "S": _fraction,
    "n": _number(lambda moment: moment.microsecond * 1000),
    "N": _number(lambda moment: _micros_of_day(moment) * 1000),
    "A": _number(lambda moment: _micros_of_day(moment) // 1000),
    "a": lambda moment, count: "AM" if moment.hour < 12 else "PM",
    "E": _named(DAYS, datetime.weekday),
    "e": _weekday,
    "c": _weekday,
    "w": _number(lambda moment: _week(moment)[1]),
    "W": _number(lambda moment: (moment.day + (moment.replace(day=1).isoweekday() % 7) + 6) // 7),
    "Q": _quarter,
    "q": _quarter,
    "G": lambda moment, count: "AD" if count < 4 else "Anno Domini",
    "X": lambda moment, count: _offset(moment, count, "Z"),
    "x": lambda moment, count: _offset(moment, count),
    "Z": _zone_offset,
    "O": _gmt,
    "z": lambda moment, count: moment.tzname() or zone_id(moment),
    "V": lambda moment, count: zone_id(moment),
}


def _iso_local(moment: datetime, *, date: bool = True) -> str:
    fraction = f".{moment.microsecond:06}".rstrip("0") if moment.microsecond else ""
    return moment.strftime("%Y-%m-%dT%H:%M:%S" if date else "%H:%M:%S") + fraction


def _iso_zoned(moment: datetime) -> str:
    name = getattr(moment.tzinfo, "key", None)
    return _iso_local(moment) + _offset(moment, 3, "Z") + (f"[{name}]" if name else "")


def _iso_week_date(moment: datetime) -> str:
    year, week, day = moment.isocalendar()
    return f"{year:04}-W{week:02}-{day}{_offset(moment, 3, 'Z')}"


#: Presets that no pattern can say: fractions as short as they go, ISO weeks, and `GMT` for no offset.
SPECIAL: dict[str, Callable[[datetime], str]] = {
    "iso_date_time": _iso_zoned,
    "iso_zoned_date_time": _iso_zoned,
    "iso_offset_date_time": lambda moment: _iso_local(moment) + _offset(moment, 3, "Z"),
    "iso_instant": lambda moment: _iso_local(moment - (moment.utcoffset() or timedelta(0))) + "Z",
    "iso_local_date_time": _iso_local,
    "iso_time": lambda moment: _iso_local(moment, date=False) + _offset(moment, 3, "Z"),
    "iso_offset_time": lambda moment: _iso_local(moment, date=False) + _offset(moment, 3, "Z"),
    "iso_local_time": lambda moment: _iso_local(moment, date=False),
    "iso_week_date": _iso_week_date,
    "rfc_1123_date_time": lambda moment: format_date(moment, "EEE, d MMM uuuu HH:mm:ss ") + (_offset(moment, 2, "GMT")),
}


def tokens(pattern: str) -> Iterator[tuple[str, int]]:
    """The parts of a preset or pattern: (letter, how often), or (text, 0)."""
    yield from _tokens(PRESETS.get(pattern, pattern))
