"""Whatever is submitted becomes a value of the declared type, or is refused with a reason; never a traceback."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.coercion import coerce, coerce_to, is_file_uri
from engine.model.inputs import INPUT_TYPES, Input

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)
PYTHON = (
    st.tuples(st.text())
    | st.dictionaries(st.integers(), st.none())
    | st.datetimes()
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.binary()
    | st.sets(st.integers())
)
NEAR = st.from_regex(r"[-+]?P?[0-9T:.,WDHMSZ+-]{0,24}", fullmatch=True)  #: nearly a time or a duration
ANYTHING = JSON | PYTHON | NEAR | JSON.map(lambda value: json.dumps(value))


def declare(type_: str, **options: Any) -> Input:
    required = {"ARRAY": {"itemType": "STRING"}, "SELECT": {"values": ["a"]}, "ENUM": {"values": ["a"]}}
    return INPUT_TYPES[type_].model_validate({"id": "x", "type": type_, **required.get(type_, {}), **options})


@pytest.mark.parametrize("type_", INPUT_TYPES)
@given(value=ANYTHING.filter(lambda value: value is not None))
def test_anything_is_taken_or_refused_and_what_is_taken_stays(type_: str, value: Any) -> None:
    declared = declare(type_)
    try:
        taken = coerce(declared, value)
    except ValueError:
        return
    stored = json.loads(json.dumps(taken, allow_nan=False))
    assert stored == taken
    if type_ not in ("JSON", "YAML"):  # there, text is what is parsed
        assert coerce(declared, stored) == taken


@given(st.integers(-(2**63), 2**63 - 1))
def test_whole_numbers(number: int) -> None:
    assert coerce_to("INT", number) == coerce_to("INT", f" {number} ") == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers(number: float) -> None:
    assert coerce_to("FLOAT", number) == coerce_to("FLOAT", repr(number)) == number


@given(st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 1, 1), timezones=st.just(UTC)))
def test_instants(at: datetime) -> None:
    text = coerce_to("DATETIME", at)
    assert datetime.fromisoformat(text) == at
    assert text == coerce_to("DATETIME", text) == coerce_to("DATETIME", at.isoformat())


@given(st.dates(), st.times())
def test_dates_and_times(day: date, at: time) -> None:
    assert date.fromisoformat(coerce_to("DATE", day)) == day
    assert time.fromisoformat(coerce_to("TIME", at)) == at


@given(st.timedeltas(min_value=timedelta(days=-3650), max_value=timedelta(days=3650)))
def test_durations(length: timedelta) -> None:
    text = coerce_to("DURATION", length)
    assert coerce_to("DURATION", text) == text


@given(JSON)
def test_json_as_text_is_as_good_as_it_is(value: Any) -> None:
    try:
        text = json.dumps(value, allow_nan=False)
    except ValueError:
        return
    assert coerce_to("JSON", text) == value


@pytest.mark.parametrize("value", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:00-14:00"])
def test_an_instant_beyond_the_calendar(value: str) -> None:
    with pytest.raises(ValueError, match="between the years"):
        coerce_to("DATETIME", value)


@pytest.mark.parametrize(
    ("text", "is_uri"),
    [("kestra:///a", True), ("nsfile://n/a", True), ("file:///a", True), ("a.csv", False), ("kestra", False)],
)
def test_what_is_stored_already(text: str, is_uri: bool) -> None:
    assert is_file_uri(text) is is_uri
