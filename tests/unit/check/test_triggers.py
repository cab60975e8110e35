"""What the expressions of each kind of trigger see."""

from __future__ import annotations

import pytest

from tests.unit.check.judging import HEAD, RETURN, judged

T = "io.kestra.plugin.core.trigger"
WEBHOOK = f"type: {T}.Webhook, key: k"
FLOW = f"type: {T}.Flow"
HTTP = "type: io.kestra.plugin.core.http.Trigger, uri: 'https://x.org'"
E = "{type: io.kestra.plugin.core.condition.Expression, expression: '{{ outputs.theirs.rows > 1 }}'}"


def told(trigger: str) -> list[str]:
    source = f"{HEAD}tasks: [{{id: a, type: {RETURN}, format: x}}]\ntriggers:\n  - {{id: t, {trigger}}}\n"
    return [f"{finding.code}: {finding.message}" for finding in judged(source)]


@pytest.mark.parametrize(
    "trigger",
    [
        f"{FLOW}, inputs: {{name: '{{{{ outputs.theirs.rows }}}}', data: '{{{{ trigger.outputs.daily.x }}}}'}}",
        f"{FLOW}, when: \"{{{{ flow.namespace | startsWith('acme') and labels.env == 'x' }}}}\"",
        f"{FLOW}, dependsOn: [{{flowId: x, when: '{{{{ execution.outputs.n > 0 and not hasRetryAttempt }}}}'}}]",
        f"{FLOW}, dependsOn: [{{flowId: x, when: \"{{{{ flowId == 'x' and state == namespace }}}}\"}}]",
        f"{FLOW}, conditions: [{E}], labels: {{by: '{{{{ trigger.executionId }}}} {{{{ inputs.theirs }}}}'}}",
        f"{FLOW}, preconditions: {{id: p, where: [{{id: w, filters: [{{field: EXPRESSION, type: IS_TRUE, "
        "value: '{{ outputs.theirs.ok }}'}]}]}",
        f"{WEBHOOK}, when: \"{{{{ trigger.body.x == vars.bucket and trigger.headers['x-a'][0] == 'b' }}}}\"",
        f"{WEBHOOK}, inputs: {{name: '{{{{ trigger.body.name }}}} {{{{ flow.id }}}} {{{{ labels.x }}}}'}}",
        f"{HTTP}, responseCondition: '{{{{ response.statusCode == 200 and response.body }}}}'",
        f"{HTTP}, headers: {{a: '{{{{ vars.bucket }}}}'}}, inputs: {{name: '{{{{ trigger.body }}}}'}}",
    ],
)
def test_no_false_alarm(trigger: str) -> None:
    assert told(trigger) == []


@pytest.mark.parametrize(
    ("trigger", "found"),
    [
        (f"{FLOW}, inputs: {{name: '{{{{ vars.nope }}}}'}}", "unknown-reference"),
        (f"{FLOW}, when: '{{{{ taskrun.id }}}}'", "unknown-variable"),
        (f"{WEBHOOK}, when: '{{{{ outputs.a.value }}}}'", "unknown-variable"),
        (f"{WEBHOOK}, when: '{{{{ execution.id }}}}'", "unknown-variable"),
        (f"{WEBHOOK}, inputs: {{name: '{{{{ inputs.name }}}}'}}", "unknown-variable"),
        (f"{WEBHOOK}, when: '{{{{ hasRetryAttempt }}}}'", "unknown-variable"),
        (f"{HTTP}, responseCondition: '{{{{ respons.body }}}}'", "unknown-variable"),
        (f"{HTTP}, body: '{{{{ tasks.a.state }}}}'", "unknown-variable"),
    ],
)
def test_what_a_trigger_does_not_see(trigger: str, found: str) -> None:
    assert [each.partition(":")[0] for each in told(trigger)] == [found]


@pytest.mark.parametrize(
    ("inputs", "trigger", "findings"),
    [
        ("", "inputs: {x: 1}", ['the trigger gives the input "x", which the flow does not declare']),
        ("{id: day, type: DATE, defaults: 2026-01-01}", "inputs: {dya: 1}", ["does not declare"]),
        ("{id: n, type: INT}, {id: m, type: INT}", "inputs: {n: 1}", ['does not give "m", which the flow needs']),
        ("{id: n, type: INT}", "inputs: {n: '{{ trigger.date }}'}", []),
        ("{id: n, type: INT}", "disabled: true", []),
        ("{id: n, type: INT, required: false}, {id: m, type: INT, defaults: 1}", "disabled: false", []),
        ("{id: a.b, type: INT}", "inputs: {a: {b: 1}}", []),
        ("{id: s, type: SELECT, values: [a], autoSelectFirst: true}", "disabled: false", []),
        (
            "{id: on, type: BOOLEAN, defaults: false}, {id: n, type: INT, dependsOn: {inputs: [on], condition: false}}",
            "disabled: false",
            [],
        ),
    ],
)
def test_inputs_of_a_trigger_are_those_of_its_flow(inputs: str, trigger: str, findings: list[str]) -> None:
    source = (
        f"id: f\nnamespace: acme\ninputs: [{inputs}]\ntasks: [{{id: a, type: {RETURN}, format: x}}]\n"
        f"triggers:\n  - {{id: t, type: {T}.Schedule, cron: '@daily', {trigger}}}\n"
    )
    found = [finding for finding in judged(source) if finding.code == "refused-inputs"]
    assert [part in finding.message for part, finding in zip(findings, found, strict=True)] == [True] * len(findings)
    assert all((finding.line, str(finding.severity)) == (6, "warning") for finding in found)
