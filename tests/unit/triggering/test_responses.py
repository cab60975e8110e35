"""An answer from the web: whether it starts the flow that asked for it."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core.facts import Facts
from engine.core.triggering import Response, Verdict, responds, stops_after
from engine.expressions import Functions
from engine.model.state import State
from engine.model.triggers import HttpTrigger
from tests.unit.triggering.upstreams import CONDITION, flow

TYPE = "io.kestra.plugin.core.http.Trigger"
ANSWER = Response(uri="http://x/y", code=200, headers={"etag": ["1"]}, body='{"price": 99}')


def answered(written: dict[str, Any], response: Response = ANSWER) -> Verdict:
    asking = flow(triggers=[{"id": "h", "type": TYPE, "uri": "http://x", **written}], variables={"limit": 110})
    (trigger,) = asking.triggers
    assert isinstance(trigger, HttpTrigger)
    return responds(asking, trigger, response, Functions(), Facts())


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({}, True),
        ({"responseCondition": "{{ fromJson(response.body).price <= vars.limit }}"}, True),
        ({"responseCondition": "{{ fromJson(response.body).price > 99 }}"}, False),
        ({"responseCondition": "{{ response.headers.etag[0] == '1' }}"}, True),
        ({"responseCondition": "{{ response.statusCode == 404 }}"}, False),
        ({"responseCondition": "{{ 0 }}"}, False),
        ({"responseCondition": True}, True),
        ({"when": "{{ trigger.code == 200 }}"}, True),
        ({"when": "{{ trigger.code == 201 }}"}, False),
        ({"conditions": [{"type": f"{CONDITION}.Expression", "expression": "{{ trigger.body == '' }}"}]}, False),
    ],
)
def test_the_response_condition_and_all_others(written: dict[str, Any], expected: bool) -> None:
    verdict = answered(written)
    assert (verdict.fires, verdict.problem) == (expected, None)


def test_a_bad_answer_does_not_start_by_itself() -> None:
    gone = Response(uri="http://x/y", code=404, headers={}, body="")
    assert not answered({}, gone).fires
    assert answered({"responseCondition": "{{ response.statusCode == 404 }}"}, gone).fires


def test_what_a_flow_sees_of_an_answer() -> None:
    verdict = answered(
        {"inputs": {"price": "{{ fromJson(trigger.body).price }}"}, "labels": {"code": "{{ trigger.code }}"}}
    )
    assert verdict.variables == {
        "uri": "http://x/y",
        "code": 200,
        "headers": {"etag": ["1"]},
        "body": '{"price": 99}',
    }
    assert (verdict.inputs, verdict.labels) == ({"price": 99}, {"code": "200"})


@pytest.mark.parametrize(
    "written",
    [
        {"responseCondition": "{{ response.nothing }}"},
        {"when": "{{ response.statusCode }}"},
        {"inputs": {"x": "{{ trigger.nothing }}"}},
    ],
)
def test_what_cannot_be_told_starts_nothing(written: dict[str, Any]) -> None:
    verdict = answered(written)
    assert not verdict.fires
    assert verdict.problem


def test_an_end_that_disables_the_trigger() -> None:
    (trigger,) = flow(triggers=[{"id": "h", "type": TYPE, "uri": "http://x", "stopAfter": ["SUCCESS"]}]).triggers
    assert stops_after(trigger, State.SUCCESS)
    assert not stops_after(trigger, State.FAILED)
