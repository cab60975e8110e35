"""How values are printed, compared and judged: the rules of Pebble, which are those of Java.

Three text forms: `printed` (what `{{ x }}` writes: maps and lists as compact JSON), `java_text` (what joining
text gives: `[a, b]`, `{k=v}`) and `json_text`. Mappings are read through `items()` only when they are printed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from json.encoder import encode_basestring
from typing import Any

from msgspec import Struct

from engine.errors import ExpressionError
from engine.expressions.faults import limit
from engine.expressions.limits import MAX_DEPTH, MAX_ITEMS, MAX_TEXT, MAX_WALKED


class MapEntry(Struct, frozen=True):
    """What a loop over a map gives."""

    key: Any
    value: Any


def printed(value: Any) -> str:
    """The text that `{{ value }}` writes."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, (Mapping, list, tuple)):
        return json_text(value)
    return java_text(value)


def java_text(value: Any) -> str:
    """Java's toString."""
    if isinstance(value, Enum):
        return java_text(value.value)
    if isinstance(value, str):
        return value
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return double_text(value)
    if isinstance(value, (Mapping, list, tuple, MapEntry)):
        return _java_collection(value, 0, [MAX_WALKED])
    if isinstance(value, (date, time, timedelta)):
        return time_text(value)
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode("utf-8", "replace")
    return str(value)


def _java_collection(value: Any, depth: int, budget: list[int]) -> str:
    if isinstance(value, str) or not isinstance(value, (Mapping, list, tuple, MapEntry)):
        return java_text(value)
    if depth >= MAX_DEPTH:
        raise limit(f"Data nested more than {MAX_DEPTH} levels deep")
    budget[0] -= 1 if isinstance(value, MapEntry) else len(value) + 1
    if budget[0] < 0:
        raise limit(f"Text of more than {MAX_WALKED} values")

    def inner(item: Any) -> str:
        return _java_collection(item, depth + 1, budget)

    if isinstance(value, MapEntry):
        return f"{inner(value.key)}={inner(value.value)}"
    if isinstance(value, Mapping):
        return "{" + bounded_join(", ", (f"{inner(key)}={inner(item)}" for key, item in value.items())) + "}"
    return "[" + bounded_join(", ", map(inner, value)) + "]"


def double_text(number: float) -> str:
    """A double as Java prints it: 1.0E8 from ten millions on and below a thousandth."""
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    if number == 0 or 1e-3 <= abs(number) < 1e7:
        return repr(number)
    sign, digits, exponent = Decimal(repr(number)).as_tuple()
    text = "".join(map(str, digits)).rstrip("0") or "0"
    power = len(digits) - 1 + int(exponent)
    return f"{'-' if sign else ''}{text[0]}.{text[1:] or '0'}E{power}"


def time_text(value: date | time | timedelta) -> str:
    """A date, time or duration in ISO form; like Java, a time leaves out seconds that are zero."""
    if isinstance(value, timedelta):
        return _duration_text(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    text = _clock_text(value)
    if isinstance(value, datetime):
        text = f"{value.date().isoformat()}T{text}"
    offset = value.utcoffset()
    if offset is None:
        return text
    zone = getattr(value.tzinfo, "key", None)
    suffix = f"[{zone}]" if zone and zone != "UTC" else ""
    return f"{text}{offset_text(offset) or 'Z'}{suffix}"


def _clock_text(value: datetime | time) -> str:
    text = f"{value.hour:02}:{value.minute:02}"
    if value.second or value.microsecond:
        text += f":{value.second:02}"
    if value.microsecond:
        fraction = f"{value.microsecond:06}"
        text += f".{fraction[:3] if fraction.endswith('000') else fraction}"
    return text


def offset_text(offset: timedelta, separator: str = ":") -> str:
    """`+02:00`; empty for UTC."""
    seconds = int(offset.total_seconds())
    if not seconds:
        return ""
    sign, seconds = ("-", -seconds) if seconds < 0 else ("+", seconds)
    text = f"{sign}{seconds // 3600:02}{separator}{seconds // 60 % 60:02}"
    return f"{text}{separator}{seconds % 60:02}" if seconds % 60 else text


def _duration_text(value: timedelta) -> str:
    micros = (value.days * 86_400 + value.seconds) * 1_000_000 + value.microseconds
    if not micros:
        return "PT0S"
    sign, micros = (-1, -micros) if micros < 0 else (1, micros)
    minutes, micros = divmod(micros, 60_000_000)
    hours, minutes = divmod(minutes, 60)
    text = "PT"
    if hours:
        text += f"{sign * hours}H"
    if minutes:
        text += f"{sign * minutes}M"
    if micros:
        seconds, fraction = divmod(micros, 1_000_000)
        text += f"{'-' if sign < 0 else ''}{seconds}{f'.{fraction:06}'.rstrip('0') if fraction else ''}S"
    return text


def json_text(value: Any, *, nulls: bool = False) -> str:
    """Compact JSON. Null entries of maps are left out, as flows have always seen them, unless `nulls`."""
    writer = _JsonWriter(nulls)
    writer.write(value, 0)
    return "".join(writer.parts)


class _JsonWriter:
    """Collects the parts of a JSON text, and counts them."""

    __slots__ = ("nulls", "parts", "size", "values")

    def __init__(self, nulls: bool) -> None:
        self.nulls = nulls
        self.parts: list[str] = []
        self.size = 0
        self.values = 0

    def write(self, value: Any, depth: int) -> None:
        if isinstance(value, str):
            self.leaf(encode_basestring(value))
        elif isinstance(value, (list, tuple)):
            self.list(value, depth)
        elif isinstance(value, Mapping):
            self.map(value.items(), depth)
        elif isinstance(value, MapEntry):
            self.map([(value.key, value.value)], depth)
        else:
            self.leaf(_json_leaf(value))
            if isinstance(value, (date, time, timedelta)):
                self.values += 9  # it takes as long as ten numbers

    def leaf(self, text: str) -> None:
        self.parts.append(text)
        self.size += len(text)
        self.count()

    def count(self) -> None:
        self.values += 1
        if self.size > MAX_TEXT or self.values > MAX_ITEMS:
            raise limit(f"JSON of more than {MAX_TEXT} characters or {MAX_ITEMS} values")

    def map(self, pairs: Iterable[tuple[Any, Any]], depth: int) -> None:
        self.check(depth)
        lead = "{"
        for key, item in pairs:
            if item is not None or self.nulls:
                self.parts.append(lead)
                self.leaf(encode_basestring(java_text(key)))
                self.parts.append(":")
                self.write(item, depth + 1)
                lead = ","
        self.parts.append("{}" if lead == "{" else "}")

    def list(self, items: Iterable[Any], depth: int) -> None:
        self.check(depth)
        lead = "["
        for item in items:
            self.parts.append(lead)
            self.write(item, depth + 1)
            lead = ","
        self.parts.append("[]" if lead == "[" else "]")

    def check(self, depth: int) -> None:
        self.count()
        if depth >= MAX_DEPTH:
            raise limit(f"Data nested more than {MAX_DEPTH} levels deep")


def _json_leaf(value: Any) -> str:
    if isinstance(value, str):
        return encode_basestring(value)
    if value is None:
        return "null"
    if isinstance(value, (bool, int, Decimal)):
        return java_text(value)
    if isinstance(value, float):
        return double_text(value) if math.isfinite(value) else f'"{double_text(value)}"'
    return encode_basestring(_iso_text(value))


def _iso_text(value: Any) -> str:
    # Inside JSON a date keeps its seconds: it is read by programs.
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return java_text(value)


def bounded_join(separator: str, texts: Iterable[str]) -> str:
    """Join, and stop as soon as the result would be longer than a text may be."""
    parts: list[str] = []
    size = 0
    for text in texts:
        size += len(text) + len(separator)
        if size > MAX_TEXT:
            raise limit(f"Text longer than {MAX_TEXT} characters")
        parts.append(text)
    return separator.join(parts)


def replaced(text: str, old: str, new: str) -> str:
    """`text.replace`, if the result is not too long."""
    if len(new) > len(old) and len(text) + text.count(old) * (len(new) - len(old)) > MAX_TEXT:
        raise limit(f"Text longer than {MAX_TEXT} characters")
    return text.replace(old, new)


def is_number(value: Any) -> bool:
    """An int, float or Decimal; a boolean is no number here."""
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)


def is_list(value: Any) -> bool:
    """A list in the sense of the language."""
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes, bytearray))


def equal(left: Any, right: Any) -> bool:
    """`==`: numbers by value; a boolean never equals a number; lists and maps by what they hold."""
    if isinstance(left, (Mapping, list, tuple)) and isinstance(right, (Mapping, list, tuple)):
        return bool(frozen(left) == frozen(right))
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return bool(left == right)


def frozen(value: Any, budget: list[int] | None = None) -> Any:
    """A hashable stand-in: those of equal values are equal.

    The budget is for data that holds the same list many times over, level after level: small, and endless to walk.
    """
    if isinstance(value, bool):
        return (bool, value)
    if not isinstance(value, (Mapping, list, tuple)):
        return value
    budget = [MAX_WALKED] if budget is None else budget
    budget[0] -= len(value) + 1
    if budget[0] < 0:
        raise limit(f"A comparison of more than {MAX_WALKED} values")
    if isinstance(value, Mapping):
        return frozenset((key, frozen(item, budget)) for key, item in value.items())
    return (list, *[frozen(item, budget) for item in value])


def all_frozen(values: Iterable[Any], budget: list[int] | None = None) -> list[Any]:
    """Stand-ins for many values, within one budget for all."""
    budget = [MAX_WALKED] if budget is None else budget
    return [frozen(value, budget) for value in values]


def is_empty(value: Any) -> bool:
    """Null, blank text, and lists and maps without content."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or (isinstance(value, (Mapping, list, tuple)) and len(value) == 0)


def condition(value: Any) -> bool:
    """What `if` and the operators think of a value: text is true unless empty, a number unless zero."""
    if value is True or value is False:
        return bool(value)
    if isinstance(value, str) or is_number(value):
        return bool(value)
    raise ExpressionError(
        f"{kind(value).capitalize()} cannot be a condition,",
        code="expression-condition",
        hint="Compare it with something, or test it: `is empty`, `is defined`, `| length > 0`.",
    )


def kind(value: Any) -> str:
    """What a value is, in the words of an error message."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if is_number(value):
        return "a number"
    if isinstance(value, str):
        return "a text"
    if isinstance(value, Mapping):
        return "a map"
    if isinstance(value, (list, tuple)):
        return "a list"
    return f"a {type(value).__name__}"
