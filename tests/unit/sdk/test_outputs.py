"""Outputs become plain data, or the task has failed: no live object reaches an expression or the database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from engine.errors import TaskFailed
from engine.sdk import Definition, Output
from engine.sdk.outputs import plain


class Part(Definition):
    max_size: int = 1


class Result(Output):
    rows: list[Part]
    path: Path


def test_nothing_stays_nothing() -> None:
    assert plain(None) is None


def test_plain_data_is_not_copied() -> None:
    outputs = {"a": 1, "b": "x", "c": None, "d": 0.5, "e": True}
    assert plain(outputs) is outputs


def test_names_are_those_of_the_fields() -> None:
    assert plain(Result(rows=[Part()], path=Path("/x"))) == {"rows": [{"max_size": 1}], "path": "/x"}


@pytest.mark.parametrize(
    ("value", "data"),
    [
        (datetime(2025, 1, 2, tzinfo=UTC), "2025-01-02T00:00:00Z"),
        (timedelta(seconds=90), "PT1M30S"),
        (Decimal("1.50"), "1.50"),
        ((1, 2), [1, 2]),
        ({1: {"x"}}, {"1": ["x"]}),
        (b"text", "text"),
        (2**70, 2**70),
    ],
)
def test_common_kinds_have_a_form_in_json(value: Any, data: Any) -> None:
    assert plain({"value": [value]}) == {"value": [data]}


def cycle() -> list[Any]:
    ring: list[Any] = []
    ring.append(ring)
    return ring


@pytest.mark.parametrize("value", [float("nan"), [float("inf")], object(), b"\xff", cycle(), lambda: None])
def test_what_is_no_data_fails_the_task(value: Any) -> None:
    with pytest.raises(TaskFailed, match="the task's outputs are not JSON data"):
        plain({"value": value})


def test_a_task_returns_an_output_a_map_or_nothing() -> None:
    with pytest.raises(TaskFailed, match="the task returned list"):
        plain([1])  # type: ignore[arg-type]
