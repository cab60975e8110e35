"""Values of the key-value store: which type they have, and how they are read from text."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from engine.model.keyvalue import KEY, KeyValue, ValueType, fitted, parents

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "type_", "plain"),
    [
        ("1", "STRING", "1"),
        (True, "BOOLEAN", True),
        (1, "NUMBER", 1),
        (1.5, "NUMBER", 1.5),
        (NOON, "DATETIME", "2026-03-01T12:00:00Z"),
        (NOON.astimezone(timezone(timedelta(hours=2))), "DATETIME", "2026-03-01T12:00:00Z"),
        (NOON.date(), "DATE", "2026-03-01"),
        (timedelta(minutes=90), "DURATION", "PT1H30M"),
        ({"when": NOON.date(), 1: (2, None)}, "JSON", {"when": "2026-03-01", "1": [2, None]}),
        (None, "JSON", None),
    ],
)
def test_a_value_has_a_type_by_itself(value: Any, type_: str, plain: Any) -> None:
    assert fitted(value) == (type_, plain)


@pytest.mark.parametrize(
    ("text", "type_", "plain"),
    [
        ("x", "STRING", "x"),
        (" 12 ", "NUMBER", 12),
        ("-1.5e3", "NUMBER", -1500.0),
        ("TRUE", "BOOLEAN", True),
        ("2026-03-01T13:00:00+01:00", "DATETIME", "2026-03-01T12:00:00Z"),
        ("2026-03-01T12:00:00", "DATETIME", "2026-03-01T12:00:00Z"),
        ("2026-03-01", "DATE", "2026-03-01"),
        ("P1DT2H", "DURATION", "PT26H"),
        ('{"a": [1, "x"]}', "JSON", {"a": [1, "x"]}),
        (12, "STRING", "12"),
        (NOON.date(), "STRING", "2026-03-01"),
        ({"a": True}, "STRING", '{"a":true}'),
        (NOON, "DATE", "2026-03-01"),
    ],
)
def test_a_text_is_read_as_the_type_that_is_asked_for(text: Any, type_: str, plain: Any) -> None:
    assert fitted(text, ValueType(type_)) == (type_, plain)


@pytest.mark.parametrize(
    ("value", "type_", "why"),
    [
        ("one", "NUMBER", "not a number"),
        ("1_000", "NUMBER", "not a number"),
        ("nan", "NUMBER", "not a number"),
        (True, "NUMBER", "not a number"),
        (float("inf"), None, "not a number"),
        ("yes", "BOOLEAN", "neither true nor false"),
        ("tomorrow", "DATETIME", "not a moment"),
        ("0001-01-01T00:00:00+14:00", "DATETIME", "not a moment"),
        ("2026-02-30", "DATE", "not a date"),
        ("P1M", "DURATION", "ISO-8601 duration"),
        ("{", "JSON", "not JSON"),
        ("[NaN]", "JSON", "NaN"),
        ([float("nan")], None, "nan"),
        ([object()], None, "object"),
        ("[" * 100_000, "JSON", "nested too deeply"),
    ],
)
def test_what_does_not_fit_is_refused(value: Any, type_: str | None, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        fitted(value, ValueType(type_) if type_ else None)


@pytest.mark.parametrize("value", [NOON, NOON.date(), timedelta(seconds=5), "PT5S", {"a": 1}, 3])
def test_content_is_what_was_put_in(value: Any) -> None:
    type_, plain = fitted(value)
    pair = KeyValue(namespace="a", key="k", type=type_, value=plain, created_at=NOON, updated_at=NOON)
    assert pair.content == value
    assert isinstance(pair.content, datetime) == isinstance(value, datetime)
    assert isinstance(pair.content, date) == isinstance(value, date)


def test_a_pair_expires_at_its_moment() -> None:
    pair = KeyValue(namespace="a", key="k", type=ValueType.JSON, value=1, created_at=NOON, updated_at=NOON)
    assert not pair.is_expired(datetime.max.replace(tzinfo=UTC))


def test_the_parents_of_a_namespace_come_nearest_first() -> None:
    assert parents("acme.team.etl") == ("acme.team.etl", "acme.team", "acme")


@pytest.mark.parametrize(("key", "fits"), [("a", True), ("9.a-b_c", True), ("_a", False), ("", False), ("a b", False)])
def test_what_a_key_looks_like(key: str, fits: bool) -> None:
    assert bool(KEY.fullmatch(key)) is fits
