"""Conditions about an execution, about the flow that asks, and those that are made of others."""

from __future__ import annotations

from typing import Any

import pytest
from rpds import HashTrieMap

from engine.core import Facts
from engine.core.conditions import calls_out, holds, listener_applies, satisfied
from engine.errors import ExpressionError
from engine.expressions import Functions
from engine.model.conditions import CONDITION_TYPES, MultipleCondition
from engine.model.execution import Attempt, Execution, TaskRun
from engine.model.flow import RunnableTask
from engine.model.listeners import Condition, Listener
from engine.model.state import AttemptState, State
from tests.unit.conditions.asking import FLOW, START, condition, execution, subject

S = State


@pytest.mark.parametrize(
    ("name", "properties", "answer"),
    [
        ("ExecutionFlow", {"namespace": "acme.sales", "flowId": "daily"}, True),
        ("ExecutionFlow", {"namespace": "acme", "flowId": "daily"}, False),
        ("ExecutionFlow", {"namespace": "acme.sales", "flowId": "weekly"}, False),
        ("ExecutionFlow", {"namespace": "acme.sales", "flowId": "{{ vars.flow }}"}, True),
        ("ExecutionNamespace", {"namespace": "acme.sales"}, True),
        ("ExecutionNamespace", {"namespace": "acme"}, False),
        ("ExecutionNamespace", {"namespace": "acme", "prefix": True}, True),
        ("ExecutionNamespace", {"namespace": "acme.s", "comparison": "PREFIX"}, True),
        ("ExecutionNamespace", {"namespace": "sales", "comparison": "SUFFIX"}, True),
        ("ExecutionNamespace", {"namespace": "sales", "comparison": "EQUALS", "prefix": True}, False),
        ("ExecutionLabels", {"labels": {"env": "prod"}}, True),
        ("ExecutionLabels", {"labels": {"env": "prod", "team": "x"}}, True),
        ("ExecutionLabels", {"labels": [{"key": "env", "value": "prod"}]}, True),
        ("ExecutionLabels", {"labels": {"env": "dev"}}, False),
        ("ExecutionLabels", {"labels": {"env": "prod", "size": "5"}}, False),
        ("ExecutionLabels", {"labels": {}}, True),
        ("ExecutionStatus", {}, True),
        ("ExecutionStatus", {"in": ["SUCCESS", "WARNING"]}, True),
        ("ExecutionStatus", {"in": ["FAILED"]}, False),
        ("ExecutionStatus", {"in": []}, False),
        ("ExecutionStatus", {"notIn": ["FAILED"]}, True),
        ("ExecutionStatus", {"in": ["SUCCESS"], "notIn": ["SUCCESS"]}, False),
        ("ExecutionOutputs", {"expression": "{{ trigger.outputs.rows > 1 }}"}, True),
        ("ExecutionOutputs", {"expression": "{{ trigger.outputs.rows > 9 }}"}, False),
        ("ExecutionOutputs", {"expression": "{{ trigger.by == 'hand' and trigger.outputs.rows == 3 }}"}, True),
        ("FlowCondition", {"namespace": "acme.ops", "flowId": "watcher"}, True),
        ("FlowCondition", {"namespace": "acme.sales", "flowId": "daily"}, False),
        ("FlowNamespaceCondition", {"namespace": "acme.ops"}, True),
        ("FlowNamespaceCondition", {"namespace": "acme"}, False),
        ("FlowNamespaceCondition", {"namespace": "acme", "prefix": True}, True),
    ],
)
def test_conditions_about_an_execution(name: str, properties: dict[str, Any], answer: bool) -> None:
    world = subject({"vars": {"flow": "daily"}, "trigger": {"by": "hand"}}, about=execution(outputs={"rows": 3}))
    assert holds(condition(name, **properties), world) is answer


@pytest.mark.parametrize("outputs", [None, {}])
def test_without_outputs_the_expression_about_them_is_never_evaluated(outputs: dict[str, Any] | None) -> None:
    asked = condition("ExecutionOutputs", expression="{{ nonsense.here }}")
    assert holds(asked, subject(about=execution(outputs=outputs))) is False


@pytest.mark.parametrize(
    ("rendered", "answer"),
    [
        ("true", True), ("false", False), (" false\n", False), ("", False), ("   ", False),
        ("0", True), ("null", True), ("False", True), ("anything", True), (0, True), (True, True), (False, False),
        ("{{ 1 == 2 }}", False), ("{{ 2 - 2 }}", True), ("{{ null }}", False),
    ],
)  # fmt: skip
def test_an_expression_holds_unless_it_is_blank_or_false(rendered: str | int, answer: bool) -> None:
    assert holds(condition("Expression", expression=rendered), subject()) is answer


def tried(*attempts: AttemptState) -> Execution:
    made = tuple(Attempt(epoch=n, state=state, started_at=START) for n, state in enumerate(attempts))
    once = (Attempt(epoch=1, state=AttemptState.KILLED, started_at=START),)
    runs = {
        name: TaskRun(id=name, execution_id="e1", task_id=name, seq=seq, state=S.SUCCESS, history=(), attempts=each)
        for seq, (name, each) in enumerate((("often", made), ("once", once), ("never", ())))
    }
    return execution(task_runs=HashTrieMap(runs))


A = AttemptState


@pytest.mark.parametrize(
    ("attempts", "properties", "answer"),
    [
        ((A.FAILED, A.SUCCEEDED), {}, True),
        ((A.FAILED, A.SUCCEEDED), {"in": ["FAILED"]}, True),
        ((A.FAILED, A.SUCCEEDED), {"in": ["SUCCESS"]}, True),
        ((A.FAILED, A.SUCCEEDED), {"in": ["KILLED"]}, False),
        ((A.LOST, A.SUCCEEDED), {"in": ["FAILED"]}, True),
        ((A.FAILED, A.FAILED), {"notIn": ["FAILED"]}, False),
        ((A.FAILED, A.SUCCEEDED), {"notIn": ["FAILED"]}, True),
        ((A.FAILED,), {}, False),  # it was tried once
        ((A.FAILED,), {"in": ["FAILED"]}, False),
        ((), {}, False),
    ],
)
def test_only_a_task_that_was_tried_again_counts(
    attempts: tuple[AttemptState, ...], properties: dict[str, Any], answer: bool
) -> None:
    assert holds(condition("HasRetryAttempt", **properties), subject(about=tried(*attempts))) is answer


YES, NO = condition("Expression", expression="true"), condition("Expression", expression="false")
FAILS = condition("Expression", expression="{{ nowhere }}")


@pytest.mark.parametrize(
    ("name", "inner", "answer"),
    [
        ("Not", (NO,), True), ("Not", (YES,), False), ("Not", (NO, YES), False), ("Not", (NO, NO), True),
        ("Or", (NO,), False), ("Or", (NO, YES), True), ("Or", (NO, NO), False), ("Or", (YES, FAILS), True),
    ],
)  # fmt: skip
def test_not_is_none_of_them_and_or_is_one_of_them(name: str, inner: tuple[Condition, ...], answer: bool) -> None:
    assert holds(condition(name, conditions=inner), subject()) is answer


def test_an_error_inside_is_an_error_of_the_whole() -> None:
    for name in ("Not", "Or"):
        with pytest.raises(ExpressionError, match="nowhere"):
            holds(condition(name, conditions=(NO, FAILS)), subject())


def test_many_conditions_are_satisfied_one_after_the_other() -> None:
    names = ("daily", "weekly")
    flows = {name: condition("ExecutionFlow", namespace="acme.sales", flowId=name) for name in names}
    asked = condition("MultipleCondition", id="both", conditions=flows)
    assert isinstance(asked, MultipleCondition)
    first = subject(about=execution())
    assert satisfied(asked, first) == {"daily"}
    assert holds(asked, first) is False
    second = subject(about=execution(flow_id="weekly"), satisfied={"both": frozenset({"daily"})})
    assert satisfied(asked, second) == {"daily", "weekly"}
    assert holds(asked, second) is True


@pytest.mark.parametrize(
    ("name", "properties"),
    [
        ("ExecutionFlow", {"namespace": "a", "flowId": "b"}),
        ("ExecutionNamespace", {"namespace": "a"}),
        ("ExecutionLabels", {"labels": {}}),
        ("ExecutionStatus", {}),
        ("ExecutionOutputs", {"expression": "true"}),
        ("HasRetryAttempt", {}),
    ],
)
def test_where_there_is_no_execution_the_question_makes_no_sense(name: str, properties: dict[str, Any]) -> None:
    with pytest.raises(ExpressionError, match=f"{name} is about an execution, and there is none") as caught:
        holds(condition(name, **properties), subject())
    assert caught.value.hint is not None


def listener(*conditions: Condition) -> Listener:
    return Listener(conditions=conditions, tasks=(RunnableTask(id="tell", type="t"),))


def applies(ended: Execution, *conditions: Condition) -> bool:
    facts = Facts(envs={"stage": "live"})
    return listener_applies(FLOW, ended, listener(*conditions), facts, Functions())


def test_a_listener_applies_when_all_its_conditions_hold() -> None:
    failed = condition("ExecutionStatus", **{"in": ["FAILED"]})
    assert applies(execution()) is True
    assert applies(execution(), YES, YES) is True
    assert applies(execution(), YES, NO) is False
    assert applies(execution(S.FAILED), failed) is True
    assert applies(execution(S.KILLED), failed) is False


def test_a_listener_sees_what_the_execution_left() -> None:
    ended = execution(S.WARNING, inputs={"n": 1}, outputs={"rows": 3}, trigger={"id": "hook"})
    for seen in (
        "flow.id == 'watcher'", "execution.state == 'WARNING'", "inputs.n == 1", "labels.env == 'prod'",
        "trigger.id == 'hook'", "envs.stage == 'live'",
    ):  # fmt: skip
        assert applies(ended, condition("Expression", expression=f"{{{{ {seen} }}}}")) is True
    assert applies(ended, condition("ExecutionOutputs", expression="{{ trigger.outputs.rows == 3 }}")) is True
    with pytest.raises(ExpressionError, match="nowhere"):
        applies(ended, FAILS)


def test_a_condition_that_calls_out_is_known_by_its_texts() -> None:
    asks = condition("Expression", expression="{{ kv('go') }}")
    assert calls_out([YES, asks]) is True
    assert calls_out([condition("Not", conditions=(condition("Or", conditions=(asks,)),))]) is True
    assert calls_out([condition("MultipleCondition", id="m", conditions={"x": asks})]) is True
    assert calls_out([condition("PublicHoliday", country="FR")]) is True
    assert calls_out([condition("Weekend", date="{{ secret('DAY') }}")]) is True
    assert calls_out([YES, condition("Weekend"), condition("Not", conditions=(NO,))]) is False


def test_each_type_is_known_by_its_older_names() -> None:
    new, old = "io.kestra.plugin.core.condition", "io.kestra.core.models.conditions.types"
    for short in ("DateTimeBetween", "TimeBetween", "DayWeek", "DayWeekInMonth", "Weekend", "PublicHoliday",
                  "ExecutionFlow", "ExecutionNamespace", "ExecutionLabels", "ExecutionStatus", "ExecutionOutputs",
                  "HasRetryAttempt", "Not", "Or"):  # fmt: skip
        found = CONDITION_TYPES[f"{new}.{short}"]
        assert found.__name__ == short
        assert found.TYPES[0] == f"{new}.{short}"
        assert CONDITION_TYPES[f"{new}.{short}Condition"] is CONDITION_TYPES[f"{old}.{short}Condition"] is found
    for short in ("MultipleCondition", "FlowCondition", "FlowNamespaceCondition"):
        assert CONDITION_TYPES[f"{new}.{short}"] is CONDITION_TYPES[f"{old}.{short}"]
    for alias in ("ExpressionCondition", "VariableCondition"):
        assert (
            CONDITION_TYPES[f"{old}.{alias}"]
            is CONDITION_TYPES[f"{new}.{alias}"]
            is CONDITION_TYPES[f"{new}.Expression"]
        )
