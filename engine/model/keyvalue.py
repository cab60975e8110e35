"""Key-value pairs: what flows remember between their runs, each with a type, by namespace and key.

Always true: `value` is plain JSON that fits `type`; moments, dates and durations are their ISO-8601 text in it, and
Python's own types in `content`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any

from msgspec import Struct

from engine.model.duration import format_duration, parse_duration

#: What flows and people may call a key. Keys that begin with `_` are free for what the engine keeps for tasks.
KEY = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]*")


class ValueType(StrEnum):
    """The types of values, by the names that Kestra gives them."""

    STRING = "STRING"
    NUMBER = "NUMBER"
    BOOLEAN = "BOOLEAN"
    DATETIME = "DATETIME"
    DATE = "DATE"
    DURATION = "DURATION"
    JSON = "JSON"


class KeyValue(Struct, frozen=True, kw_only=True):
    """A pair as it is stored. It may have expired: then it counts as absent."""

    namespace: str
    key: str
    type: ValueType
    value: Any
    created_at: datetime
    updated_at: datetime
    description: str | None = None
    expires_at: datetime | None = None

    @property
    def content(self) -> Any:
        """The value as expressions see it."""
        return _CONTENT[self.type](self.value) if self.type in _CONTENT else self.value

    def is_expired(self, at: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= at


def parents(namespace: str) -> tuple[str, ...]:
    """A namespace and those above it, nearest first: `a.b.c`, `a.b`, `a`."""
    parts = namespace.split(".")
    return tuple(".".join(parts[:end]) for end in range(len(parts), 0, -1))


def type_of(value: Any) -> ValueType:
    """The type that a value has by itself."""
    if isinstance(value, bool):
        return ValueType.BOOLEAN
    if isinstance(value, datetime):  # which is a date as well, so it comes first
        return ValueType.DATETIME
    for kind, type_ in _TYPES:
        if isinstance(value, kind):
            return type_
    return ValueType.JSON


def fitted(value: Any, type_: ValueType | None = None) -> tuple[ValueType, Any]:
    """The type and the plain value of a pair, from a value, or its text where a type is asked for.

    Raises ValueError with a message for people when the value does not fit the type.
    """
    type_ = type_ or type_of(value)
    try:
        return type_, _FITTED[type_](value)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _string(value: Any) -> str:
    plain = _plain(value)
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False, separators=(",", ":"))


def _number(value: Any) -> int | float:
    if isinstance(value, str):
        try:
            value = int(value) if re.fullmatch(r"\s*[-+]?[0-9]+\s*", value) else float(value.replace("_", "?"))
        except ValueError:
            raise ValueError(f"`{value}` is not a number") from None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"`{value}` is not a number")
    return value


def _boolean(value: Any) -> bool:
    known = {"true": True, "false": False}
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in known:
        return known[value.strip().lower()]
    raise ValueError(f"`{value}` is neither true nor false")


def _datetime(value: Any) -> str:
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
        aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except (ValueError, OverflowError):
        raise ValueError(f"`{value}` is not a moment such as 2024-12-31T23:59:59Z") from None


def _date(value: Any) -> str:
    if isinstance(value, date):
        return value.isoformat()[:10]
    try:
        return date.fromisoformat(str(value).strip()).isoformat()
    except ValueError:
        raise ValueError(f"`{value}` is not a date such as 2024-12-31") from None


def _duration(value: Any) -> str:
    if isinstance(value, timedelta):
        return format_duration(value)
    return format_duration(parse_duration(str(value)))


def _json(value: Any) -> Any:
    """JSON text becomes what it says; a value becomes plain."""
    if isinstance(value, str):
        try:
            return json.loads(value, parse_constant=_refused)
        except ValueError as error:
            raise ValueError(f"this is not JSON: {error}") from None
    return _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, datetime | date | timedelta):
        return _FITTED[type_of(value)](value)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"JSON knows no {value}")
    if value is not None and not isinstance(value, str | bool | int | float):
        raise ValueError(f"a {type(value).__name__} has no form in JSON")
    return value


def _refused(constant: str) -> Any:
    raise ValueError(f"JSON knows no {constant}")


_TYPES: tuple[tuple[type, ValueType], ...] = (
    (str, ValueType.STRING),
    (int, ValueType.NUMBER),
    (float, ValueType.NUMBER),
    (date, ValueType.DATE),
    (timedelta, ValueType.DURATION),
)
_FITTED: Mapping[ValueType, Callable[[Any], Any]] = {
    ValueType.STRING: _string,
    ValueType.NUMBER: _number,
    ValueType.BOOLEAN: _boolean,
    ValueType.DATETIME: _datetime,
    ValueType.DATE: _date,
    ValueType.DURATION: _duration,
    ValueType.JSON: _json,
}
_CONTENT: Mapping[ValueType, Callable[[str], Any]] = {
    ValueType.DATETIME: datetime.fromisoformat,
    ValueType.DATE: date.fromisoformat,
    ValueType.DURATION: parse_duration,
}
