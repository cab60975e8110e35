"""Triggers: which nouns they become, and what is said about those that are wrong."""

from __future__ import annotations

import pytest

from engine.catalog import Catalog
from engine.dialect import Parsed, parse
from engine.model.diagnostic import Severity
from engine.model.listeners import Trigger
from engine.model.state import State
from engine.model.triggers import (
    TRIGGER_TYPES,
    FlowTrigger,
    ForeignTrigger,
    HttpTrigger,
    Schedule,
    ScheduleOnDates,
    Webhook,
)
from tests.unit.dialect.flows import RETURN, tasks_flow

T = "io.kestra.plugin.core.trigger"
OLD = "io.kestra.core.models.triggers.types"
CATALOG = Catalog()


def read(trigger: str) -> Parsed:
    """A flow with a trigger: it stands in line 4 from column 5."""
    return parse(
        tasks_flow(f"  - {{id: a, type: {RETURN}}}\n", triggers=f"\n  - {trigger}"), file="flow.yaml", types=CATALOG
    )


def trigger_of(text: str) -> Trigger:
    parsed = read(text)
    assert parsed.diagnostics == []
    assert parsed.flow is not None
    (trigger,) = parsed.flow.triggers
    return trigger


@pytest.mark.parametrize("package", [T, OLD])
def test_a_schedule_under_either_name(package: str) -> None:
    trigger = trigger_of(
        f"{{id: s, type: {package}.Schedule, cron: '0 9 * * 1-5', timezone: Europe/Paris, stopAfter: [FAILED], "
        "lateMaximumDelay: PT1H, recoverMissedSchedules: LAST, allowConcurrent: true, labels: {n: 1}, inputs: {day: x}}"
    )
    assert isinstance(trigger, Schedule)
    assert trigger.type == f"{T}.Schedule"
    assert (trigger.cron, trigger.timezone, trigger.recover_missed_schedules) == ("0 9 * * 1-5", "Europe/Paris", "LAST")
    assert (trigger.stop_after, trigger.labels, trigger.allow_concurrent) == ((State.FAILED,), {"n": "1"}, True)
    assert trigger.inputs == {"day": "x"}


def test_dates_are_a_list_or_an_expression() -> None:
    listed = trigger_of(f"{{id: s, type: {T}.ScheduleOnDates, dates: ['2026-01-01T00:00:00Z', 2026-02-01]}}")
    assert isinstance(listed, ScheduleOnDates)
    assert listed.dates == ("2026-01-01T00:00:00Z", "2026-02-01")
    told = trigger_of(f"{{id: s, type: {T}.ScheduleOnDates, dates: '{{{{ vars.days }}}}'}}")
    assert isinstance(told, ScheduleOnDates)
    assert told.dates == "{{ vars.days }}"


def test_a_flow_trigger_of_either_dialect() -> None:
    older = trigger_of(
        f"{{id: f, type: {T}.Flow, preconditions: {{id: p, timeWindow: {{type: DAILY_TIME_DEADLINE, deadline: "
        "'09:00:00+01:00'}, flows: [{namespace: acme, flowId: up, states: [CANCELED], labels: {a: b}}], where: [{id: w,"
        " filters: [{field: EXPRESSION, type: IS_TRUE, value: '{{ outputs.x }}'}]}]}}"
    )
    assert isinstance(older, FlowTrigger)
    assert older.preconditions is not None
    assert older.preconditions.flows[0].states == (State.CANCELLED,)
    assert older.preconditions.where[0].operand == "AND"
    assert State.PAUSED in older.states
    assert State.RUNNING not in older.states
    newer = trigger_of(
        f"{{id: f, type: {T}.Flow, mode: AT_LEAST, minSatisfied: 1, fireOnce: true, dependsOn: [{{namespace: a, flowId:"
        " b, when: '{{ execution.outputs.rows > 0 }}'}], window: {from: '08:00', to: '10:00', timezone: Asia/Tokyo}}"
    )
    assert isinstance(newer, FlowTrigger)
    assert newer.depends_on[0].when == "{{ execution.outputs.rows > 0 }}"
    assert newer.window is not None
    assert (newer.window.from_, newer.window.to) == ("08:00", "10:00")


@pytest.mark.parametrize(
    "window",
    [
        "{type: DURATION_WINDOW, window: PT12H, windowAdvance: PT0S}",
        "{window: P1D}",
        "{type: SLIDING_WINDOW, window: PT1H}",
        "{type: DAILY_TIME_WINDOW, startTime: '08:00:00', endTime: '10:00:00'}",
    ],
)
def test_every_time_window(window: str) -> None:
    trigger = trigger_of(
        f"{{id: f, type: {T}.Flow, preconditions: {{id: p, timeWindow: {window}, flows: [{{namespace: a}}]}}}}"
    )
    assert isinstance(trigger, FlowTrigger)


@pytest.mark.parametrize("window", ["{deadline: '09:00:00'}", "{lookback: PT1H}", "{every: P1D, offset: PT6H}"])
def test_every_window(window: str) -> None:
    assert isinstance(trigger_of(f"{{id: f, type: {T}.Flow, dependsOn: [{{}}], window: {window}}}"), FlowTrigger)


def test_a_webhook_and_a_request() -> None:
    hook = trigger_of(f"{{id: w, type: {T}.Webhook, key: k, when: '{{{{ trigger.body.go }}}}', wait: true}}")
    assert isinstance(hook, Webhook)
    assert hook.wait
    poll = trigger_of(
        "{id: h, type: io.kestra.plugin.core.http.Trigger, uri: 'https://x.org', interval: PT5M, "
        "responseCondition: '{{ response.statusCode == 200 }}', headers: {a: b}}"
    )
    assert isinstance(poll, HttpTrigger)
    assert poll.properties == {"uri": "https://x.org", "headers": {"a": "b"}}
    assert poll.interval == "PT5M"


@pytest.mark.parametrize(
    ("type_", "hint"),
    [("io.acme.Files", None), ("a.b.Webhook", f"{T}.Webhook")],
)
def test_a_trigger_of_another_kind_is_kept_as_written_and_told_of(type_: str, hint: str | None) -> None:
    parsed = read(f"{{id: t, type: {type_}, from: /in, labels: {{a: b}}, every: [1]}}")
    assert parsed.flow is not None
    (trigger,) = parsed.flow.triggers
    assert isinstance(trigger, ForeignTrigger)
    assert (trigger.type, trigger.properties, trigger.labels) == (type_, {"from": "/in", "every": [1]}, {"a": "b"})
    (found,) = parsed.diagnostics
    assert (found.code, found.severity, found.line, found.column) == ("not-supported", Severity.WARNING, 4, 19)
    assert (hint or "") in (found.hint or "")


@pytest.mark.parametrize(
    ("slip", "hint"), [("Shedule", f"{T}.Schedule"), ("Flo", f"{T}.Flow"), ("Weebhook", f"{T}.Webhook")]
)
def test_a_slip_in_a_type_of_the_language_is_an_error(slip: str, hint: str) -> None:
    (found,) = read(f"{{id: t, type: {T}.{slip}, cron: '@daily'}}").diagnostics
    assert (found.code, found.severity, found.line, found.column) == ("unknown-type", Severity.ERROR, 4, 19)
    assert hint in (found.hint or "")


def test_what_has_no_effect_is_a_warning() -> None:
    parsed = read(f"{{id: s, type: {T}.Schedule, cron: '@daily', workerGroup: {{key: g}}, backfill: {{start: x}}}}")
    assert parsed.flow is not None
    assert [found.severity for found in parsed.diagnostics] == [Severity.WARNING] * 2


def test_a_comparison_of_an_expression_with_nothing_is_a_warning() -> None:
    filters = "[{field: EXPRESSION, type: EQUAL_TO, value: '{{ 1 }}'}]"
    parsed = read(f"{{id: f, type: {T}.Flow, preconditions: {{id: p, where: [{{id: w, filters: {filters}}}]}}}}")
    assert parsed.flow is not None
    (found,) = parsed.diagnostics
    assert (found.code, found.severity) == ("missing-property", Severity.WARNING)
    assert '"values"' in found.message


#: (a trigger with ^ before what is wrong, code, a part of the message or of the hint)
BAD = [
    (f"^{{id: s, type: {T}.Schedule}}", "missing-property", '"cron"'),
    (f"{{id: s, type: {T}.Schedule, cron: ^'61 * * * *'}}", "invalid-cron", "`61` is no minute"),
    (f"{{id: s, type: {T}.Schedule, cron: ^'0 0 30 2 *'}}", "invalid-cron", "never comes"),
    (f"{{id: s, type: {T}.Schedule, cron: ^'* * * *'}}", "invalid-cron", "has 4 fields"),
    (f"{{id: s, type: {T}.Schedule, cron: ^'* * * * * *'}}", "invalid-cron", "withSeconds"),
    (f"{{id: s, type: {T}.Schedule, cron: ^5}}", "invalid-cron", "has 1 field;"),
    (f"{{id: s, type: {T}.Schedule, cron: '@daily', timezone: ^Europe/Pari}}", "unknown-time-zone", "Europe/Paris"),
    (f"{{id: s, type: {T}.Schedule, cron: '@daily', timezone: ^Tokyo}}", "unknown-time-zone", "Asia/Tokyo"),
    (f"{{id: s, type: {T}.Schedule, cron: '@daily', timezone: ^'{{{{ vars.zone }}}}'}}", "unknown-time-zone", "vars"),
    (f"{{id: s, type: {T}.Schedule, cron: '@daily', ^crom: x}}", "unknown-property", "cron"),
    (f"{{id: s, type: {T}.Schedule, cron: '@daily', lateMaximumDelay: ^soon}}", "invalid-duration", "soon"),
    (f"{{id: s, type: {T}.Schedule, cron: '@daily', recoverMissedSchedules: ^FIRST}}", "invalid-choice", "LAST"),
    (f"{{id: s, type: {T}.Schedule, cron: '@daily', stopAfter: [^FAILD]}}", "invalid-choice", "FAILED"),
    (f"{{id: ^a/b, type: {T}.Schedule, cron: '@daily'}}", "invalid-id", "a/b"),
    (f"{{id: s, type: {T}.ScheduleOnDates, dates: [^soon]}}", "invalid-value", "soon"),
    (f"{{id: s, type: {T}.ScheduleOnDates, dates: ^soon}}", "wrong-type", "list"),
    (f"{{id: f, type: {T}.Flow, states: [^DONE]}}", "invalid-choice", "SUCCESS"),
    (f"{{id: f, type: {T}.Flow, mode: ^AT_LEAST, dependsOn: [{{}}]}}", "missing-property", "minSatisfied"),
    (f"{{id: f, type: {T}.Flow, mode: AT_LEAST, minSatisfied: ^2, dependsOn: [{{}}]}}", "out-of-range", "never"),
    (f"{{id: f, type: {T}.Flow, ^minSatisfied: 1, dependsOn: [{{}}]}}", "conflict", "AT_LEAST"),
    (f"{{id: f, type: {T}.Flow, window: {{lookback: PT1H, ^every: P1D}}}}", "conflict", "two kinds of window"),
    (f"{{id: f, type: {T}.Flow, window: ^{{from: '09:00'}}}}", "missing-property", '"to"'),
    (f"{{id: f, type: {T}.Flow, window: {{deadline: ^'25:00'}}}}", "invalid-value", "25:00"),
    (f"{{id: f, type: {T}.Flow, preconditions: ^{{id: p}}}}", "missing-property", '"flows" or "where"'),
    (
        f"{{id: f, type: {T}.Flow, preconditions: {{id: p, flows: [^{{flowId: x}}]}}}}",
        "missing-property", '"namespace"',
    ),
    (
        f"{{id: f, type: {T}.Flow, preconditions: {{id: p, flows: [{{namespace: a}}], "
        "timeWindow: ^{type: SLIDING_WINDOW}}}",
        "missing-property", '"window"',
    ),
    (
        f"{{id: f, type: {T}.Flow, preconditions: {{id: p, where: [{{id: w, filters: "
        "[^{field: STATE, type: IN}]}]}}",
        "missing-property", '"values"',
    ),
    (
        f"{{id: f, type: {T}.Flow, preconditions: {{id: p, where: [{{id: w, filters: "
        "[^{field: EXPRESSION, type: IS_TRUE}]}]}}",
        "missing-property", '"value"',
    ),
    (f"^{{id: w, type: {T}.Webhook}}", "missing-property", '"key"'),
    (f"{{id: w, type: {T}.Webhook, key: k, fetchType: ^ALL}}", "invalid-choice", "STORE"),
    ("{id: h, type: io.kestra.plugin.core.http.Trigger, uri: u, interval: ^fast}", "invalid-duration", "fast"),
    ("{id: h, type: io.kestra.plugin.core.http.Trigger, uri: u, interval: ^'{{ x }}'}", "invalid-duration", "x"),
    ("{id: h, type: io.kestra.plugin.core.http.Trigger, uri: u, ^metod: GET}", "unknown-property", "method"),
    (f"{{id: s, type: {T}.Schedule, cron: '@daily', when: ^'{{{{ x'}}", "expression-syntax", ""),
]  # fmt: skip
CODES = {code for _, code, _ in BAD}


@pytest.mark.parametrize(("trigger", "code", "part"), BAD)
def test_a_mistake_gets_one_finding_at_its_place(trigger: str, code: str, part: str) -> None:
    parsed = read(trigger.replace("^", ""))
    assert parsed.flow is None
    (found,) = parsed.diagnostics
    if code != "expression-syntax":
        assert (found.line, found.column) == (4, 5 + trigger.index("^"))
    assert found.code == code
    assert part in f"{found.message} {found.hint}"


def test_all_mistakes_are_found_at_once() -> None:
    listed = "".join(f"\n  - {text.replace('^', '')}" for text, *_ in BAD)
    source = tasks_flow(f"  - {{id: a, type: {RETURN}}}\n", triggers=listed)
    found = {(each.code, each.line) for each in parse(source, types=CATALOG).diagnostics}
    assert found >= {(code, 4 + index) for index, (_, code, _) in enumerate(BAD)}


def test_every_type_has_its_class_once() -> None:
    assert len(TRIGGER_TYPES) == 10
    assert all(name in trigger.TYPES for name, trigger in TRIGGER_TYPES.items())
