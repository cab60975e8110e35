"""Every operator of the filters of preconditions, on every field."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.triggering.upstreams import execution, fires, judged, watcher


def where(*filters: dict[str, Any], operand: str = "AND") -> dict[str, Any]:
    return {"preconditions": {"id": "p", "where": [{"id": "w", "operand": operand, "filters": list(filters)}]}}


#: (the field, the operator, its value or values, whether it holds for a SUCCESS of acme.sales/daily)
FILTERS: list[tuple[str, str, Any, bool]] = [
    ("FLOW_ID", "EQUAL_TO", "daily", True),
    ("FLOW_ID", "EQUAL_TO", "dail", False),
    ("FLOW_ID", "NOT_EQUAL_TO", "weekly", True),
    ("FLOW_ID", "NOT_EQUAL_TO", "daily", False),
    ("FLOW_ID", "IN", ["weekly", "daily"], True),
    ("FLOW_ID", "IN", ["weekly"], False),
    ("FLOW_ID", "NOT_IN", ["weekly"], True),
    ("FLOW_ID", "NOT_IN", ["daily"], False),
    ("NAMESPACE", "STARTS_WITH", "acme.", True),
    ("NAMESPACE", "STARTS_WITH", "sales", False),
    ("NAMESPACE", "ENDS_WITH", ".sales", True),
    ("NAMESPACE", "ENDS_WITH", "acme", False),
    ("NAMESPACE", "CONTAINS", "e.s", True),
    ("NAMESPACE", "CONTAINS", "x", False),
    ("NAMESPACE", "REGEX", r"acme\.(sales|ops)", True),
    ("NAMESPACE", "REGEX", "acme", False),
    ("NAMESPACE", "EQUAL_TO", "{{ flow.namespace }}", True),
    ("STATE", "EQUAL_TO", "SUCCESS", True),
    ("STATE", "IN", ["FAILED", "WARNING"], False),
    ("STATE", "IS_NULL", None, False),
    ("STATE", "IS_NOT_NULL", None, True),
    ("STATE", "IS_TRUE", None, True),
    ("STATE", "IS_FALSE", None, False),
    ("EXPRESSION", "IS_TRUE", "{{ outputs.rows.value == 7 }}", True),
    ("EXPRESSION", "IS_TRUE", "{{ outputs.rows.value == 8 }}", False),
    ("EXPRESSION", "IS_FALSE", "{{ outputs.rows.value == 8 }}", True),
    ("EXPRESSION", "IS_FALSE", "{{ 1 }}", False),
    ("EXPRESSION", "IS_NULL", "{{ outputs.rows.nothing }}", True),
    ("EXPRESSION", "IS_NULL", "{{ null }}", True),
    ("EXPRESSION", "IS_NULL", "{{ labels.env }}", False),
    ("EXPRESSION", "IS_NOT_NULL", "{{ labels.env }}", True),
    ("EXPRESSION", "IS_NOT_NULL", "{{ labels.nothing }}", False),
]


@pytest.mark.parametrize(("field", "type_", "value", "expected"), FILTERS)
def test_every_operator(field: str, type_: str, value: Any, expected: bool) -> None:
    given = {} if value is None else {"values": value} if isinstance(value, list) else {"value": value}
    assert fires(where({"field": field, "type": type_, **given}), execution()) is expected


@pytest.mark.parametrize(
    ("type_", "values", "expected"),
    [
        ("EQUAL_TO", ["7"], True),
        ("NOT_EQUAL_TO", ["7", "8"], False),
        ("IN", ["6", "7"], True),
        ("STARTS_WITH", ["8", "7"], True),
        ("REGEX", ["[0-9]"], True),
        ("CONTAINS", ["8"], False),
    ],
)
def test_an_expression_is_compared_with_the_values(type_: str, values: list[str], expected: bool) -> None:
    one = {"field": "EXPRESSION", "type": type_, "value": "{{ outputs.rows.value }}", "values": values}
    assert fires(where(one), execution()) is expected


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        ({"field": "EXPRESSION", "type": "EQUAL_TO", "value": "{{ 1 }}"}, "no `values`"),
        ({"field": "EXPRESSION", "type": "IS_TRUE", "value": "{{ outputs.nothing }}"}, "nothing"),
        ({"field": "EXPRESSION", "type": "IS_NOT_NULL", "value": "{{ 1 / 0 }}"}, "zero"),
        ({"field": "NAMESPACE", "type": "REGEX", "value": "(?=x)"}, "not valid"),
    ],
)
def test_a_filter_that_cannot_be_told(one: dict[str, Any], reason: str) -> None:
    verdict = judged(watcher(where(one)), execution())
    assert not verdict.fires
    assert reason in (verdict.problem or "")
    named = {"field": "FLOW_ID", "type": "IN", "values": ["daily"]}
    assert judged(watcher(where(named, one)), execution()).fires
    assert not judged(watcher(where({**named, "values": ["x"]}, one)), execution()).fires
    assert judged(watcher(where(one, named, operand="OR")), execution()).problem is None
