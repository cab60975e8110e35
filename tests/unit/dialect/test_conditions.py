"""Conditions in listeners and triggers: which nouns they become, and what is said about those that are wrong."""

from __future__ import annotations

from typing import Any

import pytest

from engine.dialect import unsupported
from engine.model.conditions import (
    DateTimeBetween,
    ExecutionStatus,
    Expression,
    MultipleCondition,
    Not,
    Or,
)
from engine.model.diagnostic import Severity
from engine.model.flow import Flow, PluginDefault
from engine.model.state import State
from tests.unit.dialect.flows import RETURN, read_flow, tasks_flow

C = "io.kestra.plugin.core.condition"
OLD = "io.kestra.core.models.conditions.types"
TASK = f"  - {{id: a, type: {RETURN}}}\n"
WEEKEND = f"{{type: {C}.Weekend}}"


@pytest.fixture(autouse=True)
def listeners_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the engine runs them is another matter."""
    monkeypatch.delitem(unsupported.FLOW_PROPERTIES, "listeners", raising=False)


def listening(*conditions: str, tasks: str = f"[{{id: tell, type: {RETURN}}}]") -> str:
    """A flow with a listener: its first condition is in line 5 from column 9."""
    listed = "".join(f"\n      - {condition}" for condition in conditions)
    return tasks_flow(TASK, listeners=f"\n  - conditions:{listed}\n    tasks: {tasks}")


def triggered(*conditions: str, under: str = "conditions") -> str:
    """A flow with a trigger: its first condition is in line 7 from column 9."""
    listed = "".join(f"\n      - {condition}" for condition in conditions)
    head = "\n  - id: t\n    type: io.kestra.plugin.core.trigger.Schedule"
    return tasks_flow(TASK, triggers=f"{head}\n    {under}:{listed}\n    cron: '@daily'")


def flow_of(source: str, **options: Any) -> Flow:
    parsed = read_flow(source, **options)
    assert parsed.diagnostics == []
    assert parsed.flow is not None
    return parsed.flow


def test_a_listener_holds_its_conditions_and_its_tasks() -> None:
    flow = flow_of(
        listening(
            f"{{type: {OLD}.ExecutionStatusCondition, in: [FAILED, KILLED]}}",
            f'{{type: {C}.Not, conditions: [{{type: {OLD}.VariableCondition, expression: "{{{{ inputs.quiet }}}}"}}]}}',
        )
    )
    (listener,) = flow.listeners
    status, negation = listener.conditions
    assert isinstance(status, ExecutionStatus)
    assert status.type == f"{C}.ExecutionStatus"
    assert status.in_ == (State.FAILED, State.KILLED)
    assert isinstance(negation, Not)
    assert isinstance(negation.conditions[0], Expression)
    assert [task.id for task in listener.tasks] == ["tell"]
    place = flow.tree.places["tell"]
    assert (place.parent, place.branch) == (None, "listeners.0")
    assert [task.id for task in flow.walk()] == ["a", "tell"]
    assert flow.branches_after()[-1] == "listeners.0"


def test_a_listener_needs_no_conditions() -> None:
    flow = flow_of(tasks_flow(TASK, listeners=f"[{{description: all, tasks: [{{id: x, type: {RETURN}}}]}}]"))
    assert flow.listeners[0].conditions == ()


def test_conditions_nest_in_each_other_and_in_maps() -> None:
    flow = flow_of(
        listening(
            f"{{type: {C}.Or, conditions: [{{type: {C}.Weekend}}, {{type: {C}.DateTimeBetween, after: 2024-01-01}}]}}"
        )
    )
    (either,) = flow.listeners[0].conditions
    assert isinstance(either, Or)
    assert isinstance(either.conditions[1], DateTimeBetween)
    assert either.conditions[1].date == "{{ trigger.date }}"
    several = f"{{type: {OLD}.MultipleCondition, id: m, window: P1D, conditions: {{x: {{type: {C}.Weekend}}}}}}"
    (waiting,) = flow_of(triggered(several)).triggers[0].conditions
    assert isinstance(waiting, MultipleCondition)
    assert (waiting.id, [type(inner).__name__ for inner in waiting.inner]) == ("m", ["Weekend"])


@pytest.mark.parametrize("type_", [f"{C}.ExecutionStatus", f"{OLD}.ExecutionStatusCondition", f"{C}.Execution"])
def test_defaults_apply_to_conditions_too_under_any_name(type_: str) -> None:
    defaults = [PluginDefault(type=type_, values={"in": ["FAILED"]})]
    flow = flow_of(listening(f"{{type: {C}.ExecutionStatus}}"), defaults=defaults)
    assert flow.listeners[0].conditions[0].in_ == (State.FAILED,)  # type: ignore[attr-defined]


def test_a_word_may_be_given_by_an_expression() -> None:
    asked = f'{{type: {C}.DayWeekInMonth, dayOfWeek: "{{{{ vars.day }}}}", dayInMonth: "{{{{ vars.place }}}}"}}'
    assert read_flow(triggered(asked)).diagnostics == []
    assert read_flow(triggered(f'{{type: {C}.DateTimeBetween, after: "{{{{ vars.start }}}}"}}')).diagnostics == []


#: name: (a condition with ^ before what is wrong, code, a part of the message)
BAD = {
    "text": ("^hello", "wrong-type", "a condition must be a map with a type"),
    "no type": ("^{expression: x}", "missing-property", 'a condition needs the property "type"'),
    "a type that is a number": ("{type: ^5}", "wrong-type", '"type" must be text'),
    "an unknown type": (f"{{type: ^{C}.Weekends}}", "unknown-type", "no condition type"),
    "an unknown property": (f"{{type: {C}.Weekend, ^day: x}}", "unknown-property", 'Weekend has no property "day"'),
    "no expression": (f"^{{type: {C}.Expression}}", "missing-property", 'Expression needs the property "expression"'),
    "an unknown day": (f"{{type: {C}.DayWeek, dayOfWeek: ^Monday}}", "invalid-choice", "MONDAY, TUESDAY"),
    "an unknown place": (
        f"{{type: {C}.DayWeekInMonth, dayOfWeek: MONDAY, dayInMonth: ^FIFTH}}", "invalid-choice", "FOURTH, LAST",
    ),
    "an unknown state": (f"{{type: {C}.ExecutionStatus, in: [^FAILD]}}", "invalid-choice", "FAILED"),
    "states that are no list": (f"{{type: {C}.ExecutionStatus, in: ^FAILED}}", "wrong-type", "must be a list"),
    "an unknown comparison": (
        f"{{type: {C}.ExecutionNamespace, namespace: a, comparison: ^LIKE}}", "invalid-choice", "SUFFIX",
    ),
    "labels that are text": (f"{{type: {C}.ExecutionLabels, labels: ^x}}", "wrong-type", "must be a map"),
    "nothing to negate": (f"{{type: {C}.Not, conditions: ^[]}}", "empty-list", "at least 1 entry"),
    "a wrong one inside": (
        f"{{type: {C}.Or, conditions: [{{type: {C}.Weekend}}, {{type: ^{C}.Nope}}]}}", "unknown-type", "Nope",
    ),
    "a wrong one in a map": (
        f"{{type: {C}.MultipleCondition, id: m, conditions: {{x: ^{{type: {C}.DayWeek}}}}}}",
        "missing-property", '"dayOfWeek"',
    ),
    "a map of none": (f"{{type: {C}.MultipleCondition, id: m, conditions: ^{{}}}}", "empty-list", "at least 1 entry"),
    "a window of no length": (
        f"{{type: {C}.MultipleCondition, id: m, window: ^1 day, conditions: {{x: {{type: {C}.Weekend}}}}}}",
        "invalid-duration", "1 day",
    ),
    "no bound of a date": (f"^{{type: {C}.DateTimeBetween}}", "missing-property", '"after" or "before"'),
    "no bound of a time": (f"^{{type: {C}.TimeBetween}}", "missing-property", '"after" or "before"'),
    "a bound that is no date": (f"{{type: {C}.DateTimeBetween, after: ^soon}}", "invalid-value", "`soon`"),
    "a bound that is no time": (f"{{type: {C}.TimeBetween, before: ^25:00}}", "invalid-value", "`25:00`"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("under", ["conditions", "scheduleConditions"])
def test_a_mistake_in_a_trigger_gets_one_finding_at_its_place(name: str, under: str) -> None:
    condition, code, part = BAD[name]
    parsed = read_flow(triggered(condition.replace("^", ""), under=under))
    assert parsed.flow is None
    place = (code, 7, 9 + condition.index("^"))
    assert [(found.code, found.line, found.column) for found in parsed.diagnostics] == [place]
    assert part in parsed.diagnostics[0].message


@pytest.mark.parametrize("name", BAD)
def test_a_mistake_in_a_listener_gets_its_finding_too(name: str) -> None:
    condition, code, part = BAD[name]
    diagnostics = read_flow(listening(condition.replace("^", ""))).diagnostics
    found = next(each for each in diagnostics if each.code == code)
    assert (found.line, found.column) == (5, 9 + condition.index("^"))
    assert part in found.message


def test_all_mistakes_are_found_at_once() -> None:
    found = read_flow(listening(*(condition.replace("^", "") for condition, *_ in BAD.values()))).diagnostics
    assert {(each.code, each.line) for each in found} >= {
        (code, 5 + index) for index, (_, code, *_) in enumerate(BAD.values())
    }


@pytest.mark.parametrize(
    ("condition", "hint"),
    [
        (f"{{type: {C}.Weekends}}", f'did you mean "{C}.Weekend"?'),
        (f"{{type: {OLD}.ExecutionStatus, in: [FAILED]}}", f'did you mean "{C}.ExecutionStatus"?'),
        (f"{{type: {OLD}.VariablesCondition, expression: x}}", f'did you mean "{C}.Expression"?'),
        (f"{{type: {C}.ExecutionFlow, namespace: a, flowId: b, flowid: c}}", 'did you mean "flowId"?'),
        (f"{{type: {C}.DayWeek, dayOfWeek: monday}}", 'did you mean "MONDAY"?'),
        (f"{{type: {C}.ExecutionStatus, in: [FAILD]}}", 'did you mean "FAILED"?'),
    ],
)
def test_what_was_meant_is_suggested(condition: str, hint: str) -> None:
    assert [found.hint for found in read_flow(triggered(condition)).diagnostics] == [hint]


@pytest.mark.parametrize(
    ("properties", "empty"),
    [
        (f"{C}.TimeBetween, after: '22:00:00Z', before: '06:00:00Z'", True),
        (f"{C}.TimeBetween, after: '06:00:00Z', before: '22:00:00Z'", False),
        (f"{C}.TimeBetween, after: '22:00:00Z', before: '06:00:00+09:00'", False),
        (f"{C}.DateTimeBetween, after: 2024-06-01, before: 2024-05-01", True),
        (f"{C}.DateTimeBetween, after: 2024-05-01, before: 2024-06-01", False),
    ],
)
def test_bounds_that_leave_nothing_are_a_warning(properties: str, empty: bool) -> None:
    parsed = read_flow(triggered(f"{{type: {properties}}}"))
    assert parsed.flow is not None
    assert [found.severity for found in parsed.diagnostics] == [Severity.WARNING] * empty
    assert all("this never holds" in found.message for found in parsed.diagnostics)


def test_a_listener_cannot_wait_for_several_executions() -> None:
    several = f"{{type: {C}.MultipleCondition, id: m, conditions: {{x: {{type: {C}.Weekend}}}}}}"
    (found,) = read_flow(listening(several)).diagnostics
    assert (found.code, found.line, found.hint) == ("invalid-value", 5, "it belongs to a Flow trigger")


def test_conditions_nest_32_deep_and_no_deeper() -> None:
    def nested(depth: int) -> str:
        return f"{{type: {C}.Not, conditions: [" * depth + f"{{type: {C}.Weekend}}" + "]}" * depth

    assert read_flow(triggered(nested(31))).diagnostics == []
    for depth in (32, 80):
        assert [found.code for found in read_flow(triggered(nested(depth))).diagnostics] == ["too-deep"]


@pytest.mark.parametrize(
    ("source", "code", "line"),
    [
        (listening(WEEKEND, tasks="[]"), "empty-list", 6),
        (listening(WEEKEND, tasks=f"[{{id: a, type: {RETURN}}}]"), "duplicate-id", 8),
        (listening(WEEKEND, tasks="[{id: b, type: nope}]"), "unknown-type", 6),
        (tasks_flow(TASK, listeners="{tasks: []}"), "wrong-type", 3),
        (tasks_flow(TASK, listeners="[{conditions: []}]"), "missing-property", 3),
        (tasks_flow(TASK, listeners=f"[{{condition: [], tasks: [{{id: x, type: {RETURN}}}]}}]"), "unknown-property", 3),
        (triggered(under="conditions").replace("conditions:", "conditions: {a: b}"), "wrong-type", 6),
    ],
)
def test_what_holds_the_conditions_is_checked_like_all_else(source: str, code: str, line: int) -> None:
    assert [(found.code, found.line) for found in read_flow(source).diagnostics] == [(code, line)]
