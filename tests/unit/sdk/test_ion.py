"""Rows in ION: what comes in is plain, what goes out is one row a line, what is broken is told by its row."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from io import BytesIO
from typing import Any

import pytest
from amazon.ion import simpleion
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import TaskFailed
from engine.sdk import read_rows, write_rows
from engine.sdk.ion import from_ion, to_ion

CET = timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    ("ion", "value"),
    [
        ("true", True),
        ("noted::false", False),
        ("7", 7),
        ("metres::7", 7),
        ("123456789012345678901234567890", 123456789012345678901234567890),
        ("1.5", 1.5),
        ("15e-1", 1.5),
        ("euro::1.5", 1.5),
        ("12345678901234567890.5", Decimal("12345678901234567890.5")),
        ("symbol", "symbol"),
        ("noted::symbol", "symbol"),
        ("'''a long ''' '''text'''", "a long text"),
        ("null.timestamp", None),
        ("noted::null", None),
        ("2024-05T", date(2024, 5, 1)),
        ("2024-05-06", date(2024, 5, 6)),
        ("2024-05-06T07:08Z", datetime(2024, 5, 6, 7, 8, tzinfo=UTC)),
        ("2024-05-06T07:08:09.5-00:00", datetime(2024, 5, 6, 7, 8, 9, 500_000, tzinfo=UTC)),
        ("2024-05-06T07:08:09+02:00", datetime(2024, 5, 6, 7, 8, 9, tzinfo=CET)),
        ("{{aGVsbG8=}}", b"hello"),
        ('{{"hello"}}', b"hello"),
        ("(a (b) [1])", ["a", ["b"], [1]]),
        ("row::{a: x::{b: null.int}, a: 2, 'c d': y::sym}", {"a": 2, "c d": "sym"}),
    ],
)
def test_every_kind_of_value_is_read_as_a_plain_one(ion: str, value: Any) -> None:
    read = list(from_ion(ion))
    assert read == [value]
    assert type(read[0]) is type(value)


def test_text_bytes_and_lines_of_json_are_read_alike() -> None:
    rows = [{"id": 1, "name": "Ada"}, {"id": 2, "name": "Bob"}]
    binary = simpleion.dumps(rows, binary=True, sequence_as_stream=True)
    lines = "\n".join(json.dumps(row) for row in rows).encode()
    assert list(read_rows(BytesIO(binary))) == rows
    assert list(read_rows(BytesIO(lines))) == rows
    assert list(from_ion("{id: 1, name: Ada} {id: 2, name: Bob}")) == rows
    assert list(from_ion("")) == []


def test_reading_takes_no_more_of_a_file_than_it_needs() -> None:
    stream = BytesIO(b"{a:1}\n" * 100_000)
    assert next(read_rows(stream)) == {"a": 1}
    assert stream.tell() < 100_000


def test_a_row_is_a_line() -> None:
    stream = BytesIO()
    assert write_rows([{"text": "two\nlines"}, [1, None], "x"], stream) == 3
    assert stream.getvalue() == b'{text:"two\\nlines"}\n[1,null]\n"x"\n'


def test_what_flows_hold_can_be_written() -> None:
    moment = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    row = {
        "at": moment,
        "day": date(2024, 5, 6),
        "clock": time(7, 8),
        "took": timedelta(seconds=90),
        1: (Decimal("1.5"),),
    }
    assert list(from_ion(to_ion(row))) == [
        {"at": moment, "day": date(2024, 5, 6), "clock": "07:08:00", "took": "PT1M30S", "1": [1.5]}
    ]
    assert to_ion("x" * 10_000) == '"' + "x" * 10_000 + '"'


_data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary() | st.dates(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(_data, max_size=5))
def test_what_is_written_is_read_again(rows: list[Any]) -> None:
    stream = BytesIO()
    write_rows(rows, stream)
    assert stream.getvalue().count(b"\n") == len(rows)
    stream.seek(0)
    assert list(read_rows(stream)) == rows


@pytest.mark.parametrize(
    ("ion", "row"), [("{a:", 1), ("1 2 }", 3), ("[" * 5000, 1), ("$999", 1), (b"\xe0\x01\x00\xea\x71", 1), (b"\xff", 1)]
)
def test_a_broken_row_is_told_by_its_number(ion: str | bytes, row: int) -> None:
    with pytest.raises(TaskFailed, match=f"row {row} is not ION"):
        list(from_ion(ion))


def test_what_is_no_data_is_told_by_its_row() -> None:
    nested: list[Any] = []
    for _ in range(5000):
        nested = [nested]
    for broken in (object(), {"deep": [object]}, "\ud800", nested):
        with pytest.raises(TaskFailed, match="row 2 cannot be written as ION"):
            write_rows([1, broken], BytesIO())
