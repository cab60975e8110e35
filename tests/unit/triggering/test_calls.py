"""A webhook that is called: what its flow sees of it, and whether it starts the flow."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.facts import Facts
from engine.core.triggering import Memory, Verdict, body_of, called
from engine.errors import ExpressionError
from engine.expressions import Functions
from engine.model.triggers import Webhook
from tests.unit.triggering.upstreams import CONDITION, flow

TYPE = "io.kestra.plugin.core.trigger.Webhook"


def call(
    written: dict[str, Any],
    body: Any = None,
    headers: dict[str, list[str]] | None = None,
    parameters: dict[str, list[str]] | None = None,
    functions: Functions = Functions(),  # noqa: B008  a value that never changes
) -> Verdict:
    asking = flow(
        triggers=[{"id": "w", "type": TYPE, "key": "k", **written}], variables={"ref": "main"}, labels={"a": "b"}
    )
    (trigger,) = asking.triggers
    assert isinstance(trigger, Webhook)
    return called(asking, trigger, body, headers or {}, parameters or {}, functions, Facts())


@pytest.mark.parametrize(
    ("content", "body"),
    [
        (b"", None),
        (b'{"a": [1, null]}', {"a": [1, None]}),
        (b"[1]", [1]),
        (b" []\n", []),
        (b"5", "5"),
        (b'"text"', '"text"'),
        (b"null", "null"),
        (b"{a: 1}", "{a: 1}"),
        (b'{"a": NaN}', '{"a": NaN}'),
        (b"a=1&b=2", "a=1&b=2"),
        ("é".encode(), "é"),
        (b"\xff\x00", "/wA="),
        (b"[" * 100_000, "[" * 100_000),
    ],
)
def test_a_body(content: bytes, body: Any) -> None:
    assert body_of(content) == body


@given(st.binary(max_size=20) | st.text(max_size=20).map(str.encode))
def test_whatever_is_sent_can_be_kept(content: bytes) -> None:
    json.dumps(body_of(content), allow_nan=False)


def test_what_a_flow_sees_of_a_call() -> None:
    verdict = call({}, {"x": 1}, {"X-Event": ["push"], "accept": ["a", "b"]}, {"n": ["1", "2"]})
    assert verdict == Verdict(
        fires=True,
        variables={
            "body": {"x": 1},
            "headers": {"x-event": ["push"], "accept": ["a", "b"]},
            "parameters": {"n": ["1", "2"]},
        },
        memory=Memory(),
    )
    assert call({"fetchType": "NONE"}, {"x": 1}).variables["body"] is None


def expression(template: str) -> dict[str, Any]:
    return {"type": f"{CONDITION}.Expression", "expression": template}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({"when": "{{ trigger.body.ref == vars.ref }}"}, True),
        ({"when": "{{ trigger.headers['x-event'][0] == 'push' }}"}, True),
        ({"when": "{{ trigger.parameters.n[0] == '2' }}"}, False),
        ({"when": "{{ flow.id == 'watcher' and labels.a == 'b' and trigger.id == 'w' }}"}, True),
        ({"when": False}, False),
        ({"conditions": [expression("{{ trigger.body.ref == 'main' }}")]}, True),
        ({"conditions": [expression("{{ trigger.body.ref == 'x' }}")]}, False),
        ({"conditions": [{"type": f"{CONDITION}.Not", "conditions": [expression("{{ true }}")]}]}, False),
        ({"when": "{{ true }}", "conditions": [expression("{{ false }}")]}, False),
        ({"when": "{{ trigger.body.nothing }}", "conditions": [expression("{{ false }}")]}, False),
    ],
)
def test_conditions(written: dict[str, Any], expected: bool) -> None:
    verdict = call(written, {"ref": "main"}, {"X-Event": ["push"]}, {"n": ["1"]})
    assert (verdict.fires, verdict.problem) == (expected, None)


@pytest.mark.parametrize(
    "written",
    [
        {"when": "{{ trigger.body.nothing == 1 }}"},
        {"conditions": [expression("{{ trigger.body.nothing }}")]},
        {"conditions": [{"type": f"{CONDITION}.ExecutionStatus", "in": ["SUCCESS"]}]},
    ],
)
def test_what_cannot_be_told_starts_nothing(written: dict[str, Any]) -> None:
    verdict = call(written, {"ref": "main"})
    assert not verdict.fires
    assert verdict.problem


def test_inputs_and_labels() -> None:
    given = {
        "inputs": {"ref": "{{ trigger.body.ref }}", "n": "{{ trigger.body.n }}"},
        "labels": {"by": "{{ trigger.id }}"},
    }
    verdict = call(given, {"ref": "main", "n": 3})
    assert (verdict.inputs, verdict.labels) == ({"ref": "main", "n": 3}, {"by": "w"})
    with pytest.raises(ExpressionError, match="ref"):
        call(given, {})


def test_what_calls_out_is_answered_by_the_functions_that_are_given() -> None:
    asked = {"when": "{{ trigger.headers.token[0] == secret('TOKEN') }}"}
    assert "secret" in (call(asked, headers={"token": ["x"]}).problem or "")
    assert call(asked, headers={"token": ["x"]}, functions=Functions(secret=lambda key, **_: "x")).fires
