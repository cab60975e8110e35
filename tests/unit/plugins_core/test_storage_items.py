"""The tasks about rows, on ION and on lines of JSON."""

from __future__ import annotations

from typing import Any

import pytest

from engine.sdk.ion import from_ion
from engine.sdk.testing import TaskResult, run_task
from plugins.core.storage_items import DeduplicateItems, FilterItems

ROWS = '{"id": 1, "name": "a"}\n{id: 2, name: null}\n{"id": 3}\n{"id": 1, "name": "{{ secret(\'K\') }}"}\n'


def run(type_: type, content: str = ROWS, **properties: Any) -> TaskResult:
    return run_task({"type": type_, "from": "rows.ion", **properties}, inputs={"least": 2}, files={"rows.ion": content})


def ids(result: TaskResult) -> list[Any]:
    assert result.state == "SUCCESS", result.error
    return [row["id"] for row in from_ion(result.files[result.outputs["uri"]])]


@pytest.mark.parametrize(
    ("properties", "kept"),
    [
        ({"filterCondition": "{{ id >= inputs.least }}"}, [2, 3]),
        ({"filterCondition": "{{ id >= inputs.least }}", "filterType": "EXCLUDE"}, [1, 1]),
        ({"filterCondition": "{{ id - 1 }}"}, [2, 3]),
        ({"filterCondition": "{{ id }}{{ name ?? '' }}"}, [1, 2, 3, 1]),
        ({"filterCondition": "{{ name }}", "errorOrNullBehavior": "INCLUDE"}, [1, 2, 3, 1]),
        ({"filterCondition": "{{ name }}", "errorOrNullBehavior": "EXCLUDE"}, [1, 1]),
        ({"filterCondition": "{{ name }}", "filterType": "EXCLUDE", "errorOrNullBehavior": "INCLUDE"}, [2, 3]),
        ({"filterCondition": "false"}, []),
    ],
)
def test_filter_items(properties: dict[str, Any], kept: list[int]) -> None:
    result = run(FilterItems, **properties)
    assert ids(result) == kept
    assert (result.outputs["processedItemsTotal"], result.outputs["droppedItemsTotal"]) == (4, 4 - len(kept))


def test_filter_items_fails_at_the_row_that_it_cannot_judge() -> None:
    assert run(FilterItems, filterCondition="{{ name }}").error == "row 2: the condition is null"
    assert str(run(FilterItems, filterCondition="{{ nme ?? id.x }}").error).startswith("row 1: ")


def test_what_is_in_a_row_is_data() -> None:
    result = run(FilterItems, filterCondition="{{ id == 1 }}")
    assert b"{{ secret('K') }}" in result.files[result.outputs["uri"]]


def test_deduplicate_items_keeps_the_last_of_each_key() -> None:
    result = run(DeduplicateItems, expr="{{ id }}")
    assert ids(result) == [2, 3, 1]
    assert {**result.outputs, "uri": ""} == {
        "uri": "",
        "numKeys": 3,
        "processedItemsTotal": 4,
        "droppedItemsTotal": 1,
    }
    assert "{{ secret" in str(list(from_ion(result.files[result.outputs["uri"]]))[-1])


def test_deduplicate_items_of_nothing() -> None:
    result = run(DeduplicateItems, "", expr="{{ id }}")
    assert (ids(result), result.outputs["numKeys"]) == ([], 0)


@pytest.mark.parametrize(
    ("content", "error"), [("1\n", "row 1 of `rows.ion` has no fields"), ("{", "row 1 is not ION")]
)
def test_rows_are_maps(content: str, error: str) -> None:
    assert error in str(run(DeduplicateItems, content, expr="{{ id }}").error)
