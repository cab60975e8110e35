"""Expressions in conditions, promises and checks: judged by the roots that there are, without a false alarm."""

from __future__ import annotations

import pytest

from engine.dialect import unsupported
from tests.unit.check.judging import FLOW, HEAD, RETURN, judged, returning

C = "io.kestra.plugin.core.condition"
TASKS = f"tasks:\n  - {{id: a, type: {RETURN}, format: x}}\n"
CHOICE = f"  - {{id: if, type: {FLOW}.If, condition: '{{{{ inputs.go }}}}', then: [{{id: b, type: {RETURN}}}]}}\n"


@pytest.fixture(autouse=True)
def all_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the engine runs them is another matter."""
    for name in ("listeners", "sla", "checks", "finally", "afterExecution"):
        monkeypatch.delitem(unsupported.FLOW_PROPERTIES, name, raising=False)


def expression(template: str) -> str:
    return f'{{type: {C}.Expression, expression: "{template}"}}'


def listening(condition: str) -> str:
    tasks = f"[{{id: tell, type: {RETURN}, format: '{{{{ outputs.a.value }}}}'}}]"
    return f"{HEAD}{TASKS}{CHOICE}listeners:\n  - conditions: [{condition}]\n    tasks: {tasks}\n"


def triggered(condition: str, under: str = "conditions", type_: str = "Flow") -> str:
    cron = ", cron: '@daily'" if type_ == "Schedule" else ""
    head = f"id: t, type: io.kestra.plugin.core.trigger.{type_}{cron}"
    return f"{HEAD}{TASKS}triggers:\n  - {{{head}, {under}: [{condition}]}}\n"


def errors(source: str) -> list[tuple[str, str]]:
    return [(finding.code, finding.message) for finding in judged(source) if finding.severity == "error"]


@pytest.mark.parametrize(
    "template",
    [
        "{{ execution.state == 'FAILED' }}",
        "{{ outputs.a.value == 'x' }}",
        "{{ outputs.b.value == 'x' }}",  # it may not have run: then the listener does not apply
        "{{ tasks.b.state == 'SUCCESS' }}",
        "{{ labels.anything == 'x' and flow.namespace == 'acme' and inputs.count > 1 and vars.bucket == 'b' }}",
        "{{ trigger.date }} {{ trigger.outputs.any }} {{ envs.x }} {{ globals.y }}",
    ],
)
def test_a_listener_sees_the_execution_that_has_ended(template: str) -> None:
    assert judged(listening(expression(template))) == []


@pytest.mark.parametrize(
    "template",
    [
        "{{ trigger.date }} {{ trigger.flowId }} {{ schedule.date }}",
        "{{ outputs.of_another_flow.value }} {{ execution.outputs.rows }} {{ tasks.other.state }}",
        "{{ inputs.of_another_flow }} {{ labels.env }} {{ vars.bucket }} {{ flow.id }}",
    ],
)
def test_a_trigger_may_be_about_another_flow(template: str) -> None:
    assert judged(triggered(expression(template))) == []


@pytest.mark.parametrize("under", ["conditions", "scheduleConditions"])
def test_a_schedule_is_about_a_date_and_no_execution(under: str) -> None:
    known = "{{ trigger.date }} {{ trigger.next }} {{ schedule.previous }} {{ labels.env }} {{ vars.bucket }}"
    assert judged(triggered(expression(known), under, "Schedule")) == []
    for template, code in (
        ("{{ trigger.dat }}", "unknown-field"),
        ("{{ outputs.a.value }}", "unknown-variable"),
        ("{{ execution.id }}", "unknown-variable"),
        ("{{ inputs.name }}", "unknown-variable"),
    ):
        assert [found for found, _ in errors(triggered(expression(template), under, "Schedule"))] == [code]


@pytest.mark.parametrize(
    ("source", "code", "part"),
    [
        (listening(expression("{{ outputs.nope.value }}")), "unknown-reference", "nope"),
        (listening(expression("{{ inputs.nope }}")), "unknown-reference", "nope"),
        (listening(expression("{{ execution.stat }}")), "unknown-field", "stat"),
        (listening(expression("{{ taskrun.value }}")), "unknown-variable", "taskrun"),
        (listening(f"{{type: {C}.Not, conditions: [{expression('{{ triger.x }}')}]}}"), "unknown-variable", "triger"),
        (triggered(expression("{{ triger.date }}")), "unknown-variable", "triger"),
        (triggered(expression("{{ vars.nope }}")), "unknown-reference", "nope"),
        (triggered(f"{{type: {C}.Weekend, date: '{{{{ flow.name }}}}'}}"), "unknown-field", "name"),
        (f"{HEAD}{TASKS}checks: [{{when: '{{{{ inputs.nope }}}}', message: m}}]", "unknown-reference", "nope"),
        (f"{HEAD}{TASKS}checks: [{{condition: '{{{{ outputs.a }}}}', message: m}}]", "unknown-variable", "outputs"),
        (
            f"{HEAD}{TASKS}sla: [{{id: s, type: EXECUTION_ASSERTION, behavior: NONE, assert: '{{{{ outputs.c }}}}'}}]",
            "unknown-reference", '"c"',
        ),
    ],
)  # fmt: skip
def test_what_is_nowhere_is_found(source: str, code: str, part: str) -> None:
    ((found, message),) = errors(source)
    assert found == code
    assert part in message


def test_promises_and_checks_that_work_are_left_alone() -> None:
    sla = "{{ outputs.a.value == 'x' and inputs.count > 1 }}"
    source = (
        f'{HEAD}{TASKS}sla:\n  - {{id: s, type: EXECUTION_ASSERTION, behavior: FAIL, assert: "{sla}"}}\n'
        "checks:\n  - {when: \"{{ inputs.count > 1 and vars.bucket == 'b' and kv('k') }}\", message: m}\n"
    )
    assert [finding for finding in judged(source) if finding.code != "constant-comparison"] == []


def test_tasks_that_run_late_read_those_that_ran_before_and_not_the_reverse() -> None:
    late = (
        f"listeners:\n  - tasks: [{{id: tell, type: {RETURN}}}]\n  - tasks: [{returning('{{ outputs.tell.value }}')}]\n"
    )
    assert judged(f"{HEAD}{TASKS}{late}") == []
    early = f"{HEAD}tasks:\n  - {returning('{{ outputs.tell.value }}')}\n"
    assert errors(f"{early}listeners:\n  - tasks: [{{id: tell, type: {RETURN}}}]\n")[0][0] == "not-yet-run"
