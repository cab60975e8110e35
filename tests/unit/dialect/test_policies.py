"""What a flow allows its executions: `concurrency`, `sla` and `checks` become nouns, or findings."""

from __future__ import annotations

import pytest

from engine.model.policy import Check, Concurrency, Sla
from tests.unit.dialect.flows import RETURN, read_flow, tasks_flow

TASK = f"  - {{id: a, type: {RETURN}}}\n"


def test_they_become_nouns() -> None:
    source = tasks_flow(
        TASK,
        concurrency="{limit: 2, behavior: CANCEL}",
        sla="\n  - {id: quick, type: MAX_DURATION, duration: PT5M, behavior: FAIL, labels: {sla: late}}"
        "\n  - {id: good, type: EXECUTION_ASSERTION, assert: \"{{ outputs.a.value == 'x' }}\", behavior: NONE}",
        checks='\n  - {when: "{{ inputs.n > 1 }}", message: more, behavior: FAIL_EXECUTION, style: ERROR}',
    )
    flow = read_flow(source).flow
    assert flow is not None
    assert flow.concurrency == Concurrency(limit=2, behavior="CANCEL")
    quick, good = flow.sla
    assert quick == Sla(id="quick", type="MAX_DURATION", behavior="FAIL", duration="PT5M", labels={"sla": "late"})
    assert good.assert_ == "{{ outputs.a.value == 'x' }}"
    assert flow.checks == (Check(when="{{ inputs.n > 1 }}", message="more", style="ERROR", behavior="FAIL_EXECUTION"),)


def test_what_goes_without_saying() -> None:
    flow = read_flow(tasks_flow(TASK)).flow
    assert flow is not None
    assert (flow.concurrency, flow.sla, flow.checks) == (None, (), ())
    assert Concurrency(limit=1).behavior == "QUEUE"
    assert (Check(when="x", message="y").behavior, Check(when="x", message="y").style) == ("BLOCK_EXECUTION", "INFO")


def test_a_check_may_be_written_as_in_kestra_1() -> None:
    flow = read_flow(tasks_flow(TASK, checks='[{condition: "{{ true }}", message: m}]')).flow
    assert flow is not None
    assert flow.checks[0].when == "{{ true }}"


SLA = "id: s, behavior: FAIL, type: "


@pytest.mark.parametrize(
    ("name", "value", "code", "part"),
    [
        ("concurrency", "{limit: ^0}", "out-of-range", "greater than 0"),
        ("concurrency", "^{}", "missing-property", '"limit"'),
        ("concurrency", "{limit: 1, behavior: ^WAIT}", "invalid-choice", "QUEUE, CANCEL, FAIL"),
        ("concurrency", "^5", "wrong-type", "must be a map"),
        ("sla", f"[^{{{SLA}MAX_DURATION}}]", "missing-property", 'needs the property "duration"'),
        ("sla", f"[{{{SLA}MAX_DURATION, duration: ^5m}}]", "invalid-duration", "`5m`"),
        ("sla", f"[{{{SLA}MAX_DURATION, duration: ^PT0S}}]", "invalid-duration", "not longer than nothing"),
        ("sla", f"[^{{{SLA}EXECUTION_ASSERTION}}]", "missing-property", 'needs the property "assert"'),
        ("sla", f"[{{{SLA}EXECUTION_ASSERTION, assert: x, ^duration: PT1S}}]", "unknown-property", "no property"),
        ("sla", "[{id: s, behavior: FAIL, type: ^MAX_TIME}]", "invalid-choice", "MAX_DURATION, EXECUTION_ASSERTION"),
        ("sla", "[{id: s, behavior: FAIL, type: ^[x]}]", "invalid-choice", "MAX_DURATION, EXECUTION_ASSERTION"),
        ("sla", "[^{id: s, type: MAX_DURATION, duration: PT1S}]", "missing-property", '"behavior"'),
        ("checks", '[^{when: "x"}]', "missing-property", '"message"'),
        ("checks", "[^{message: x}]", "missing-property", '"when"'),
        ("checks", "[{when: a, ^condition: b, message: c}]", "conflict", "the same"),
        ("checks", "[{condition: ^[a], message: c}]", "wrong-type", '"when"'),
        ("checks", "[{when: a, message: c, style: ^RED}]", "invalid-choice", "WARNING"),
        ("checks", "[{when: a, message: c, ^behaviour: x}]", "unknown-property", "behaviour"),
        ("checks", "[^x]", "wrong-type", "must be a map"),
        ("checks", '[{when: "^{{ x", message: c}]', "expression-syntax", ""),
    ],
)
def test_a_mistake_gets_one_finding_at_its_place(name: str, value: str, code: str, part: str) -> None:
    """The place is marked with ^."""
    found = read_flow(tasks_flow(TASK, **{name: value.replace("^", "")})).diagnostics
    assert [(each.code, each.line, each.column) for each in found] == [(code, 3, len(name) + 3 + value.index("^"))]
    assert part in found[0].message


def test_promises_have_ids_of_their_own() -> None:
    one = f"{{{SLA}MAX_DURATION, duration: PT1S}}"
    (found,) = read_flow(tasks_flow(TASK, sla=f"[{one}, {one}]")).diagnostics
    assert (found.code, found.message) == ("duplicate-id", 'the promise id "s" is already used in line 3')
