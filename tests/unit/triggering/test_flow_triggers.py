"""When an execution starts another flow: by its state, by conditions, by `when`; and what cannot be told."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core.facts import Facts
from engine.core.triggering import Memory
from engine.expressions import Functions
from engine.model.state import State
from tests.unit.triggering.upstreams import CONDITION, execution, fires, judged, watcher


@pytest.mark.parametrize(
    ("trigger", "state", "expected"),
    [
        ({}, State.SUCCESS, True),
        ({}, State.PAUSED, True),
        ({}, State.KILLED, True),
        ({}, State.RUNNING, False),
        ({"states": ["RUNNING"]}, State.RUNNING, True),
        ({"states": ["FAILED", "WARNING"]}, State.SUCCESS, False),
        ({"states": ["CANCELED"]}, State.CANCELLED, True),
    ],
)
def test_the_state_that_an_execution_comes_to(trigger: dict[str, Any], state: State, expected: bool) -> None:
    assert fires(trigger, execution(state=state)) is expected


def test_the_state_is_the_one_that_is_asked_about_though_the_execution_has_gone_on() -> None:
    asking = watcher(
        {"states": ["PAUSED"], "when": "{{ execution.state == 'PAUSED' and trigger.endDate is not defined }}"}
    )
    verdict = judged(asking, execution(state=State.SUCCESS), state=State.PAUSED)
    assert verdict.fires
    assert verdict.variables["state"] == "PAUSED"


def test_never_by_an_execution_of_the_same_flow() -> None:
    asking = watcher({})
    assert not judged(asking, execution("watcher", namespace="acme.ops")).fires
    assert judged(asking, execution("watcher", namespace="acme")).fires


def condition(kind: str, **properties: Any) -> dict[str, Any]:
    return {"type": f"{CONDITION}.{kind}", **properties}


DAILY = condition("ExecutionFlow", namespace="acme.sales", flowId="daily")
WEEKLY = condition("ExecutionFlow", namespace="acme.sales", flowId="weekly")


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ([DAILY], True),
        ([WEEKLY], False),
        ([DAILY, WEEKLY], False),
        ([condition("Or", conditions=[WEEKLY, DAILY])], True),
        ([condition("Not", conditions=[WEEKLY])], True),
        ([condition("ExecutionNamespace", namespace="acme", comparison="PREFIX")], True),
        ([condition("ExecutionLabels", labels={"env": "dev"})], False),
        ([condition("ExecutionStatus", **{"in": ["SUCCESS"]})], True),
        ([condition("ExecutionOutputs", expression="{{ trigger.outputs.day == 'of daily-1' }}")], True),
        ([condition("HasRetryAttempt")], False),
        ([condition("Expression", expression="{{ outputs.rows.value == 7 }}")], True),
        ([condition("Expression", expression="{{ labels.env == 'dev' }}")], False),
        ([condition("FlowCondition", namespace="acme.ops", flowId="watcher")], True),
    ],
)
def test_all_conditions_must_hold(conditions: list[Any], expected: bool) -> None:
    assert fires({"conditions": conditions}, execution()) is expected


def test_what_when_sees() -> None:
    seen = (
        "flow.namespace == 'acme.sales'",
        "flow.id == flowId and namespace == flow.namespace",
        "execution.outputs.day == trigger.outputs.day",
        "execution.id == trigger.executionId",
        "tasks.rows.state == state",
        "not hasRetryAttempt",
        "vars.whose == 'mine'",
        "trigger.id == 't'",
        "globals.g == 1",
    )
    for each in seen:
        asking = watcher({"when": f"{{{{ {each} }}}}"}, variables={"whose": "mine"})
        assert judged(asking, execution(), facts=Facts(globals={"g": 1})).fires, each
    assert fires({"when": "{{ hasRetryAttempt }}"}, execution(attempts=2))
    assert not fires({"when": False}, execution())
    assert not fires({"when": "{{ 0 }}"}, execution())


WRONG = "{{ outputs.nothing.here }}"
RAISES = condition("Expression", expression=WRONG)


@pytest.mark.parametrize(
    "trigger",
    [
        {"conditions": [DAILY, RAISES]},
        {"conditions": [RAISES, DAILY]},
        {"conditions": [condition("Or", conditions=[DAILY]), RAISES]},
        {"dependsOn": [{"flowId": "daily"}], "when": WRONG},
        {"dependsOn": [{"flowId": "daily", "when": WRONG}]},
        {"preconditions": {"id": "p", "flows": [{"namespace": "acme.sales", "flowId": "daily"}]}, "when": WRONG},
        {"multipleConditions": {"conditions": {"a": DAILY}}, "conditions": [RAISES]},
        {"dependsOn": [{"flowId": "daily"}], "inputs": {"x": WRONG}},
        {"dependsOn": [{"flowId": "daily"}], "labels": {"x": WRONG}},
    ],
)
def test_what_cannot_be_told_of_a_flow_that_the_trigger_names_is_an_execution_that_failed(
    trigger: dict[str, Any],
) -> None:
    verdict = judged(watcher(trigger), execution())
    assert verdict.fires
    assert "nothing" in (verdict.problem or "")
    assert verdict.variables["executionId"] == "daily-1"
    assert verdict.inputs == verdict.labels == {}


@pytest.mark.parametrize(
    "trigger",
    [
        {"when": WRONG},
        {"conditions": [RAISES]},
        {"conditions": [RAISES, condition("Not", conditions=[WEEKLY])]},
        {"dependsOn": [{"namespace": "acme.sales", "when": WRONG}]},
        {"dependsOn": [{"flowId": "weekly"}, {"namespace": "acme.sales"}], "mode": "ANY", "inputs": {"x": WRONG}},
    ],
)
def test_what_cannot_be_told_of_any_other_flow_is_told_and_starts_nothing(trigger: dict[str, Any]) -> None:
    verdict = judged(watcher(trigger), execution())
    assert not verdict.fires
    assert "nothing" in (verdict.problem or "")


@pytest.mark.parametrize(
    "trigger",
    [
        {"conditions": [WEEKLY, RAISES]},
        {"conditions": [RAISES, WEEKLY]},
        {"dependsOn": [{"flowId": "weekly", "when": WRONG}]},
        {"when": WRONG, "conditions": [WEEKLY]},
        {"states": ["FAILED"], "when": WRONG},
    ],
)
def test_one_no_settles_it(trigger: dict[str, Any]) -> None:
    assert not fires(trigger, execution())


def test_an_entry_about_others_makes_nothing_fail() -> None:
    others = {"namespace": "acme.sales", "when": WRONG}
    verdict = judged(watcher({"dependsOn": [{"flowId": "daily"}, others]}), execution())
    assert (verdict.fires, verdict.problem) == (False, None)
    assert len(verdict.memory.satisfied["dependsOn"]) == 1
    verdict = judged(watcher({"dependsOn": [{"flowId": "weekly"}, others]}), execution())
    assert not verdict.fires
    assert "nothing" in (verdict.problem or "")
    worse = [others, {"flowId": "daily", "when": "{{ outputs.rows.none }}"}]
    assert "none" in (judged(watcher({"dependsOn": worse}), execution()).problem or "")
    both = [{"flowId": "daily", "when": WRONG}, {"namespace": "acme.sales"}]
    assert judged(watcher({"dependsOn": both}), execution()).fires


def test_one_entry_is_enough_whatever_the_others_cannot_tell() -> None:
    assert fires({"dependsOn": [{"flowId": "daily", "when": WRONG}, {"flowId": "daily"}], "mode": "ANY"}, execution())
    assert fires(
        {"conditions": [condition("Or", conditions=[DAILY]), condition("Not", conditions=[WEEKLY])]}, execution()
    )


def test_what_calls_out_is_answered_by_the_functions_that_are_given() -> None:
    asking = watcher({"when": "{{ kv('go') == 'yes' }}"})
    assert "kv" in (judged(asking, execution()).problem or "")
    assert judged(asking, execution(), functions=Functions(kv=lambda key, **_: "yes")).fires


def test_a_flow_may_be_written_in_jinja() -> None:
    asking = watcher({"when": "{{ labels['env'] in ['prod'] }}", "inputs": {"x": "{{ 1 + 1 }}"}}, expressions="jinja2")
    verdict = judged(asking, execution())
    assert (verdict.fires, verdict.inputs) == (True, {"x": 2})


def test_what_is_remembered_is_read_strictly() -> None:
    assert Memory.read(None) == Memory()
    assert Memory().stored() is None
    with pytest.raises(ValueError, match="Expected"):
        Memory.read({"satisfied": [1]})
