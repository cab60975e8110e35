"""Rows in ION: how tasks hand tables to each other in files.

ION is a superset of JSON that knows dates and exact decimals, as text or as bytes; lines of JSON are ION too. A file is
read and written row by row, so its size does not matter. What is read is plain: dicts, lists, texts, numbers, dates.
What is written is text, one row a line, so that a file can be cut between lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from io import BytesIO
from typing import Any, BinaryIO

from engine.errors import TaskFailed

#: The longest text that a row may hold, in bytes.
MAX_TEXT = 10 * 1024 * 1024
_PLAIN = frozenset({str, int, float, bool, bytes, type(None)})


def read_rows(stream: BinaryIO) -> Iterator[Any]:
    """The rows of a file, one after the other.

    Timestamps are datetimes (in UTC where they name no offset), or dates where they name no time; symbols are texts;
    annotations are dropped. A decimal is a float, as in JSON, where that loses none of its digits.
    Raises TaskFailed for what is not ION, when it comes to it.
    """
    from amazon.ion import simpleion
    from amazon.ion.exceptions import IonException

    model = simpleion.IonPyValueModel
    values = simpleion.load(
        stream,
        single_value=False,
        parse_eagerly=False,
        text_buffer_size_limit=MAX_TEXT,
        value_model=model.MAY_BE_BARE | model.SYMBOL_AS_TEXT | model.STRUCT_AS_STD_DICT,
    )
    number = 0
    while True:
        number += 1
        try:
            row = _read(next(values))
        except StopIteration:
            return
        except (IonException, ValueError, RecursionError) as error:
            hint = "a row is an ION or JSON value; a text in it has at most 10 MiB, and a file one encoding"
            raise TaskFailed(f"row {number} is not ION ({error})", hint=hint) from None
        yield row


def write_rows(rows: Iterable[Any], stream: BinaryIO) -> int:
    """Write rows as ION text, one a line. Returns how many. Raises TaskFailed for what is no data."""
    from amazon.ion import simpleion
    from amazon.ion.exceptions import IonException

    count = 0
    for row in rows:
        count += 1
        try:
            simpleion.dump(_written(row), stream, binary=False, omit_version_marker=True)
        except (IonException, SystemError, TypeError, ValueError, RecursionError) as error:
            # The C library tells of a broken text by a SystemError; its cause says what is wrong.
            why = error.__cause__ or error
            hint = "rows are texts, numbers, truth values, dates, lists and maps"
            raise TaskFailed(f"row {count} cannot be written as ION: {why}", hint=hint) from None
        stream.write(b"\n")
    return count


def from_ion(ion: str | bytes) -> Iterator[Any]:
    """The rows of a text, or of bytes. Raises TaskFailed like `read_rows`."""
    return read_rows(BytesIO(ion.encode("utf-8", "surrogatepass") if isinstance(ion, str) else ion))


def to_ion(value: Any) -> str:
    """One value as ION text. Raises TaskFailed like `write_rows`."""
    stream = BytesIO()
    write_rows([value], stream)
    return stream.getvalue().decode("utf-8").removesuffix("\n")


def _read(value: Any) -> Any:
    """A value of the library as a plain one."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, dict):
        return {key: _read(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_read(item) for item in value]
    if isinstance(value, datetime):
        return _moment(value)
    if isinstance(value, Decimal):
        number = float(value)
        return number if Decimal(repr(number)) == value else Decimal(value)
    return _unwrapped(value)


def _unwrapped(value: Any) -> Any:
    """What the library wraps because it is annotated, or a null of a type."""
    from amazon.ion.simple_types import IonPyBool

    if isinstance(value, IonPyBool):
        return bool(value)
    plain = next((kind for kind in (str, int, float, bytes) if isinstance(value, kind)), None)
    return None if plain is None else plain(value)


def _moment(value: Any) -> date:
    precision = getattr(value, "precision", None)
    if precision is not None and not precision.includes_minute:
        return date(value.year, value.month, value.day)
    clock = (value.hour, value.minute, value.second, value.microsecond)
    return datetime(value.year, value.month, value.day, *clock, tzinfo=value.tzinfo or UTC)


def _written(value: Any) -> Any:
    """A plain value as one that the library knows."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, Enum):
        return _written(value.value)
    if isinstance(value, Mapping):
        return {str(key): _written(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_written(item) for item in value]
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        from amazon.ion.core import Timestamp, TimestampPrecision

        return Timestamp(value.year, value.month, value.day, precision=TimestampPrecision.DAY)
    if isinstance(value, time):
        return value.isoformat()
    if isinstance(value, timedelta):
        from isodate import duration_isoformat

        return duration_isoformat(value)
    if isinstance(value, (str, int, float, bytes, Decimal)):
        return value
    raise TypeError(f"it holds a value of the type {type(value).__name__}")
