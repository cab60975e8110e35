"""Conditions of triggers -> `when`, `dependsOn` and `window`, and back where 1.x can say it."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engine.core.conditions import holds
from engine.dialect.document import read
from engine.dialect.source import decode
from engine.expressions import Functions, render, truthy
from engine.model.conditions import CONDITION_TYPES
from engine.model.listeners import Condition
from tests.unit.conditions.asking import subject
from tests.unit.migrate.pairs import CORE, HEAD, left_in, migrated, rewritten

CONDITION = f"{CORE}.condition"
OLD_CONDITION = "io.kestra.core.models.conditions.types"


def schedule(*conditions: dict[str, Any]) -> str:
    """A trigger in block style, with its conditions in flow style."""
    return (
        f"triggers:\n  - id: s\n    type: {CORE}.trigger.Schedule\n    conditions: {json.dumps(list(conditions))}\n"
        "    cron: '@daily'\n"
    )


def trigger_of(text: str) -> dict[str, Any]:
    data: dict[str, Any] = read(decode(HEAD + text, "x")).data
    [trigger] = data["triggers"]
    return {name: value for name, value in trigger.items() if name not in ("id", "type", "cron")}


def condition(kind: str, **properties: Any) -> dict[str, Any]:
    return {"type": f"{CONDITION}.{kind}", **properties}


MONDAY, HOLIDAY = condition("DayWeek", dayOfWeek="MONDAY"), condition("PublicHoliday", country="FR", subDivision="FR-A")
SCHEDULES: list[tuple[list[dict[str, Any]], str]] = [
    ([MONDAY], "dayOfWeek(trigger.date) == 'MONDAY'"),
    ([{"type": f"{OLD_CONDITION}.DayWeekCondition", "dayOfWeek": "MONDAY"}], "dayOfWeek(trigger.date) == 'MONDAY'"),
    ([condition("Weekend", date="{{ now() }}")], "isWeekend(now())"),
    (
        [condition("DayWeekInMonth", dayOfWeek="MONDAY", dayInMonth="LAST")],
        "isDayWeekInMonth(trigger.date, 'MONDAY', 'LAST')",
    ),
    ([HOLIDAY], "isPublicHoliday(trigger.date, 'FR', 'FR-A')"),
    (
        [condition("DateTimeBetween", after="2024-01-01T00:00:00Z", before="2025-01-01T00:00:00+01:00")],
        "isDateBetween(trigger.date, '2024-01-01T00:00:00Z', '2025-01-01T00:00:00+01:00')",
    ),
    (
        [condition("DateTimeBetween", after="2024-01-01T00:00:00Z")],
        "isDateBetween(trigger.date, '2024-01-01T00:00:00Z', '9999-12-31T23:59:59Z')",
    ),
    ([condition("Not", conditions=[HOLIDAY])], "not isPublicHoliday(trigger.date, 'FR', 'FR-A')"),
    ([condition("Not", conditions=[MONDAY])], "not (dayOfWeek(trigger.date) == 'MONDAY')"),
    (
        [condition("Or", conditions=[MONDAY, condition("Weekend")])],
        "(dayOfWeek(trigger.date) == 'MONDAY' or isWeekend(trigger.date))",
    ),
    ([MONDAY, HOLIDAY], "dayOfWeek(trigger.date) == 'MONDAY' and isPublicHoliday(trigger.date, 'FR', 'FR-A')"),
    ([condition("Expression", expression="{{ a or b }}")], "a or b"),
    ([condition("Not", conditions=[condition("Expression", expression="{{ a or b }}")])], "not (a or b)"),
    (
        [condition("Expression", expression="{{ a or b }}"), condition("Weekend")],
        "(a or b) and isWeekend(trigger.date)",
    ),
]


@pytest.mark.parametrize(("conditions", "when"), SCHEDULES, ids=[when for _, when in SCHEDULES])
def test_conditions_of_a_schedule(conditions: list[dict[str, Any]], when: str) -> None:
    assert trigger_of(rewritten(schedule(*conditions))) == {"when": f"{{{{ {when} }}}}"}


DATES = [
    datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=13 * count, minutes=11 * count, seconds=count)
    for count in range(200)
]
FUNCTIONS = Functions(is_public_holiday=lambda date, country, part: (date.day, date.month) in ((1, 1), (1, 5)))
JUDGED = [
    *(
        conditions
        for conditions, _ in SCHEDULES
        if "Expression" not in str(conditions) and "now()" not in str(conditions)
    ),
    [condition("TimeBetween", after="08:30:00+02:00", before="17:00Z")],
    [condition("TimeBetween", before="00:30:00-05:00")],
    [condition("Not", conditions=[condition("TimeBetween", after="08:30:00Z", before="17:00:00Z"), MONDAY])],
    [condition("Or", conditions=[condition("TimeBetween", after="22:00:00Z"), condition("Not", conditions=[MONDAY])])],
    [condition("Not", conditions=[condition("Or", conditions=[MONDAY, HOLIDAY])]), condition("Weekend")],
]


@pytest.mark.parametrize("conditions", JUDGED)
def test_the_expression_holds_whenever_the_conditions_do(conditions: list[dict[str, Any]]) -> None:
    when = trigger_of(rewritten(schedule(*conditions)))["when"]
    nouns = [noun(one) for one in conditions]
    answers = set()
    for date in DATES:
        context = {"trigger": {"date": date}}
        expected = all(holds(one, subject(context, functions=FUNCTIONS)) for one in nouns)
        assert truthy(render(when, context, FUNCTIONS)) == expected, date
        answers.add(expected)
    assert answers == {True, False}


def noun(written: dict[str, Any]) -> Condition:
    """A condition as the engine has it."""
    inner = {"conditions": tuple(map(noun, written["conditions"]))} if "conditions" in written else {}
    return CONDITION_TYPES[written["type"]].model_validate({**written, **inner})


@pytest.mark.parametrize(
    "refused",
    [
        condition("TimeBetween", after="08:00:00"),
        condition("HasRetryAttempt"),
        condition("DateTimeBetween", after="2024-01-01T00:00:00"),
        condition("Expression", expression="{{ a }} and {{ b }}"),
        condition("DayWeek"),
        {"type": "acme.Condition"},
        condition("Not", conditions=[condition("TimeBetween", after="08:00:00")]),
    ],
)
def test_conditions_without_a_counterpart_are_left(refused: dict[str, Any]) -> None:
    text = schedule(MONDAY, refused)
    assert [line for line, _ in left_in(text)] == [4]
    assert migrated(text).text == HEAD + text


def test_comments_stay_and_so_does_the_rest() -> None:
    before = (
        f"triggers:\n  - id: s # daily\n    type: {CORE}.trigger.Schedule\n    conditions: # when\n"
        f"      # no holidays\n      - type: {CONDITION}.Weekend # or Sundays\n\n    cron: '@daily'\n"
    )
    assert rewritten(before) == (
        f"triggers:\n  - id: s # daily\n    type: {CORE}.trigger.Schedule\n    # when\n    # no holidays\n"
        "    # or Sundays\n    when: \"{{ isWeekend(trigger.date) }}\"\n\n    cron: '@daily'\n"
    )


def flow(**properties: Any) -> str:
    return f"triggers:\n  - {json.dumps({'id': 'f', 'type': f'{CORE}.trigger.Flow', **properties})}\n"


AFTER_A = condition("ExecutionFlow", namespace="n", flowId="a")
FLOWS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (
        {"conditions": [AFTER_A, condition("ExecutionStatus", **{"in": ["FAILED"]})]},
        {"dependsOn": [{"namespace": "n", "flowId": "a", "states": ["FAILED"]}]},
    ),
    (
        {
            "conditions": [
                condition("ExecutionNamespace", namespace="n", comparison="EQUALS"),
                condition("ExecutionLabels", labels={"k": "v"}),
            ]
        },
        {"dependsOn": [{"namespace": "n", "labels": {"k": "v"}}]},
    ),
    (
        {"conditions": [condition("Expression", expression="{{ labels.a == 'b' }}"), AFTER_A]},
        {"when": "{{ labels.a == 'b' }}", "dependsOn": [{"namespace": "n", "flowId": "a"}]},
    ),
    (
        {
            "preconditions": {
                "id": "f",
                "timeWindow": {"type": "SLIDING_WINDOW", "window": "PT1H"},
                "flows": [{"namespace": "n", "flowId": "a"}, {"namespace": "n", "flowId": "b", "states": ["SUCCESS"]}],
                "resetOnSuccess": True,
            }
        },
        {
            "dependsOn": [{"namespace": "n", "flowId": "a"}, {"namespace": "n", "flowId": "b", "states": ["SUCCESS"]}],
            "window": {"lookback": "PT1H"},
            "fireOnce": True,
        },
    ),
    (
        {
            "preconditions": {
                "id": "f",
                "timeWindow": {"type": "DAILY_TIME_DEADLINE", "deadline": "09:00:00Z"},
                "flows": [{"namespace": "n"}],
                "resetOnSuccess": False,
            }
        },
        {"dependsOn": [{"namespace": "n"}], "window": {"deadline": "09:00:00", "timezone": "UTC"}, "fireOnce": False},
    ),
    (
        {
            "preconditions": {
                "id": "f",
                "timeWindow": {"type": "DURATION_WINDOW", "window": "PT6H", "windowAdvance": "PT1H"},
                "flows": [{"namespace": "n"}],
                "resetOnSuccess": True,
            }
        },
        {"dependsOn": [{"namespace": "n"}], "window": {"every": "PT6H", "offset": "PT1H"}, "fireOnce": True},
    ),
]


@pytest.mark.parametrize(("old", "new"), FLOWS)
def test_flow_triggers_and_back(old: dict[str, Any], new: dict[str, Any]) -> None:
    after = rewritten(flow(**old))
    assert trigger_of(after) == new
    back = trigger_of(rewritten(after, "1.x"))
    as_before = {**old, "conditions": sorted(old.get("conditions", []), key=str)}
    assert {**back, "conditions": sorted(back.get("conditions", []), key=str)} == as_before


def test_a_status_that_is_not_wanted_names_the_others() -> None:
    not_failed = flow(conditions=[condition("ExecutionStatus", notIn=["FAILED", "KILLED"])])
    [entry] = trigger_of(rewritten(not_failed))["dependsOn"]
    assert entry["states"] == ["SUCCESS", "WARNING", "CANCELLED", "RETRIED", "SKIPPED", "PAUSED"]


def test_multiple_conditions() -> None:
    multiple = condition("MultipleCondition", id="m", window="PT12H", conditions={"x": AFTER_A, "y": MONDAY})
    assert trigger_of(rewritten(flow(conditions=[multiple]))) == {
        "dependsOn": [{"namespace": "n", "flowId": "a"}, {"when": "{{ dayOfWeek(trigger.date) == 'MONDAY' }}"}],
        "window": {"every": "PT12H"},
        "fireOnce": True,
    }


def test_a_prefix_of_a_namespace() -> None:
    prefixed = condition("ExecutionNamespace", namespace="acme", comparison="PREFIX")
    assert trigger_of(rewritten(flow(conditions=[prefixed]))) == {
        "dependsOn": [{"when": "{{ flow.namespace | startsWith('acme') }}"}]
    }


@pytest.mark.parametrize(
    "old",
    [
        {"conditions": [AFTER_A, AFTER_A]},
        {"conditions": [condition("ExecutionOutputs", expression="{{ trigger.outputs.x }}")]},
        {"preconditions": {"id": "p", "where": [], "flows": [{"namespace": "n"}]}},
        {"conditions": [AFTER_A], "dependsOn": []},
    ],
)
def test_flow_triggers_without_a_counterpart_are_left(old: dict[str, Any]) -> None:
    assert len(left_in(flow(**old))) == 1


@pytest.mark.parametrize(
    "new",
    [
        {"mode": "ANY", "dependsOn": [{"namespace": "n"}]},
        {"dependsOn": [{"namespace": "n", "when": "{{ true }}"}]},
        {"dependsOn": [{"flowId": "a"}]},
        {"dependsOn": [{"namespace": "n"}], "window": {"deadline": "09:00:00", "timezone": "Europe/Paris"}},
    ],
)
def test_what_1_cannot_say_is_left(new: dict[str, Any]) -> None:
    assert len(left_in(flow(**new), "1.x")) == 1
