"""Values to columns and back, exactly: instants, text, JSON.

Always true:
* An instant is a whole number of microseconds since 1970 in UTC: exact, eight bytes, sorts and compares as time does.
* JSON is compact text. NaN and the infinities are refused: no two readers of JSON agree on what they are.
* Text that a database cannot hold (NUL, lone surrogates) is escaped: U+001A, then four hexadecimal digits. U+001A
  itself is escaped too, so the way back is unambiguous, and all other text stays as it was written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from json import JSONDecoder, JSONEncoder
from typing import Any

from engine.errors import StoreError

#: What encoding raises for a value that cannot be stored, and decoding for a row that is damaged.
UNSTORABLE = (TypeError, ValueError, AttributeError, RecursionError)
DAMAGED = (TypeError, ValueError, KeyError, OverflowError, RecursionError)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNSTORABLE = re.compile("[\x00\x1a\ud800-\udfff]")
_ESCAPED = re.compile("\x1a([0-9a-f]{4})")


def to_micros(at: datetime) -> int:
    """An aware datetime as microseconds since 1970. A naive one is a TypeError: nobody knows when it was."""
    since = at - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def from_micros(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)


def to_text(text: str) -> str:
    """Text that every database can hold. Printable text, nearly all there is, passes at the speed of a look."""
    if text.isprintable():
        return text
    return _UNSTORABLE.sub(lambda match: f"\x1a{ord(match[0]):04x}", text)


def from_text(text: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text) if "\x1a" in text else text


def maybe_text(text: str | None) -> str | None:
    return None if text is None else to_text(text)


def maybe_from_text(text: str | None) -> str | None:
    return None if text is None else from_text(text)


def maybe_micros(at: datetime | None) -> int | None:
    return None if at is None else to_micros(at)


def maybe_from_micros(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)


def _as_dict(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a {type(value).__name__} is not JSON")


_encode = JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_as_dict).encode
_decode = JSONDecoder().decode


def to_json(value: Any) -> str:
    """Compact JSON text. Raises TypeError, ValueError or RecursionError for what JSON cannot hold."""
    text = _encode(value)
    # The encoder itself escapes control characters, so only lone surrogates can be left to escape here.
    return text if text.isascii() else to_text(text)


def from_json(text: str) -> Any:
    return _decode(from_text(text))


def maybe_json(value: Any) -> str | None:
    return None if value is None else to_json(value)


def maybe_from_json(text: str | None) -> Any:
    return None if text is None else from_json(text)


def map_json(value: Mapping[str, Any]) -> str:
    return to_json(value) if value else "{}"


def refusal(who: str, error: Exception, values: Mapping[str, Any]) -> StoreError:
    culprit = next((f"{name}{path}" for name, value in values.items() if (path := _culprit(value)) is not None), None)
    reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
    return StoreError(
        f"{who} cannot be stored: {f'{culprit}: ' if culprit else ''}{reason}",
        hint="Give only what JSON can hold: text, finite numbers, true, false, null, lists, and maps with text keys.",
    )


def _culprit(value: Any) -> str | None:
    """The path, inside the value, of the innermost thing that JSON cannot hold; None when all can be held."""
    try:
        _encode(value)
    except RecursionError:
        return ""
    except (TypeError, ValueError):
        inner: Iterable[tuple[Any, Any]] = ()
        if isinstance(value, Mapping):
            inner = ((f".{key}", child) for key, child in value.items())
        elif isinstance(value, list | tuple):
            inner = ((f"[{index}]", child) for index, child in enumerate(value))
        return next((f"{step}{path}" for step, child in inner if (path := _culprit(child)) is not None), "")
    return None


def damage(what: str, fault: Exception) -> StoreError:
    return StoreError(
        f"the stored {what} is damaged: {type(fault).__name__}: {fault}",
        hint="Restore a backup, or delete this execution; `penstock db check` looks for more.",
    )
