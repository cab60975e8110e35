"""What is said about one expression: names, fields, kinds of values, and how sure it is."""

from __future__ import annotations

import pytest

from engine.model.diagnostic import Diagnostic
from tests.unit.check.judging import FLOW, HEAD, LOG, RETURN, judged, mended, returning

CHAT = """\
  - id: chat
    type: io.kestra.plugin.openai.ChatCompletion
    apiKey: "{{ secret('KEY') }}"
    model: m
    prompt: hello
    functions: [{name: f, parameters: [{name: urgency, description: d}, {name: text, description: d}]}]
"""
BEFORE = f"""\
tasks:
  - {{id: one, type: {RETURN}, format: x}}
  - {{id: silent, type: {LOG}, message: x}}
{CHAT}  - {{id: check, type: {FLOW}.If, condition: "true", then: [{{id: inner, type: {RETURN}}}]}}
"""


def findings(template: str) -> list[Diagnostic]:
    return judged(f"{HEAD}{BEFORE}  - {returning(template)}\n")


@pytest.mark.parametrize(
    ("template", "code", "message", "hint"),
    [
        # fields
        ("{{ outputs.one.valeu }}", "unknown-field", 'outputs.one has no "valeu"', 'did you mean "value"?'),
        ("{{ outputs['one']['valeu'] }}", "unknown-field", 'outputs.one has no "valeu"', 'did you mean "value"?'),
        ("{{ outputs.one.value.x }}", "unknown-field", 'outputs.one.value has no "x"', "it is a text"),
        ("{{ outputs.chat.choices[0].mesage }}", "unknown-field", 'outputs.chat.choices[0] has no "mesage"',
         'did you mean "message"?'),
        ("{{ outputs.chat.choices.message }}", "unknown-field", 'outputs.chat.choices has no "message"',
         "it is a list: an element is read as [0]"),
        ("{{ outputs.chat.choices[0].message.function_call.arguments.urgent }}", "unknown-field",
         'outputs.chat.choices[0].message.function_call.arguments has no "urgent"', 'did you mean "urgency"?'),
        ("{{ (outputs.chat.choices | first).messag }}", "unknown-field", 'this has no "messag"',
         'did you mean "message"?'),
        ("{% set m = outputs.chat.choices[0].message %}{{ m.rol }}", "unknown-field", 'm has no "rol"',
         'did you mean "role"?'),
        ("{{ vars.nested.rows[1].id }}", "unknown-field", 'vars.nested.rows has no "1"', "it has 1, counted from 0"),
        ("{{ vars.nested.rows[0].di }}", "unknown-field", 'vars.nested.rows[0] has no "di"', "it has id"),
        ("{{ execution.startDat }}", "unknown-field", 'execution has no "startDat"', 'did you mean "startDate"?'),
        ("{{ tasks.one.status }}", "unknown-field", 'tasks.one has no "status"', 'did you mean "state"?'),
        ("{{ outputs.check.result }}", "unknown-field", 'outputs.check has no "result"', "it has evaluationResult"),
        ("{{ inputs.name.size() }}", "unknown-field", 'there is no method "size" here', None),
        # names
        ("{{ task.nmae }}", "unknown-field", 'task has no "nmae"', "it has id, type"),
        ("{{ name }}", "unknown-variable", 'expressions know no "name"', 'did you mean "inputs.name"?'),
        ("{{ parent.taskrun.value }}", "unknown-variable", 'there is no "parent" here', None),
        ("{{ outputs.silent.value }}", "no-outputs", 'the task "silent" has no outputs', f"{LOG} gives none"),
        # kinds
        ("{{ inputs.name | join(',') }}", "wrong-operand", "`join` needs a list, and this is a text", None),
        ("{{ inputs.tags | abs }}", "wrong-operand", "`abs` needs a number, and this is a list", None),
        ("{{ inputs.name > 5 }}", "wrong-operand", "`>` cannot compare a text and a number",
         "turn text into a number with `| number`"),
        ("{{ inputs.name * 2 }}", "wrong-operand", "`*` needs numbers, and this is a text",
         "turn text into a number with `| number`"),
        ("{% if inputs.tags %}x{% endif %}", "wrong-operand", "a list cannot be a condition",
         "compare it, or test it: `is empty`, `is defined`, `| length > 0`"),
        ("{% for x in inputs.name %}{% endfor %}", "wrong-operand", "a loop needs a list or a map", None),
        ("{{ inputs.name is even }}", "wrong-operand", "`even` needs a whole number, and this is a text", None),
        ("{{ inputs.count contains 'a' }}", "wrong-operand",
         "`contains` needs a list, a map or a text on its left, not a number", None),
    ],
)  # fmt: skip
def test_what_always_fails_is_an_error(template: str, code: str, message: str, hint: str | None) -> None:
    (finding,) = findings(template)
    assert (finding.severity, finding.code, finding.message, finding.hint) == ("error", code, message, hint)


@pytest.mark.parametrize(
    ("template", "hint"),
    [
        ("{{ inputs.env == 'prd' }}", 'did you mean "prod"?'),
        ("{{ 'staging' != inputs.env }}", "it is one of dev, prod"),
        ("{{ tasks.one.state == 'SUCESS' }}", 'did you mean "SUCCESS"?'),
        ("{{ inputs.count == '3' }}", None),
        ("{{ inputs.go == 'true' }}", None),
        ("{{ outputs.check.evaluationResult == 1 }}", None),
    ],
)
def test_a_comparison_that_never_changes_is_a_warning(template: str, hint: str | None) -> None:
    (finding,) = findings(template)
    assert (finding.severity, finding.code, finding.hint) == ("warning", "constant-comparison", hint)


@pytest.mark.parametrize("argument", ["inputs.name", "'{{ x }}' ~ inputs.name", "inputs.data.text", "trigger.body"])
def test_rendering_what_a_user_wrote_is_a_warning(argument: str) -> None:
    found = [finding for finding in findings(f"{{{{ render({argument}) }}}}") if finding.code == "render-user-text"]
    assert [str(finding.severity) for finding in found] == ["warning"]


@pytest.mark.parametrize(
    "argument", ["vars.bucket", "inputs.count", "inputs.env", "vars[inputs.name]", "outputs.one.value"]
)
def test_rendering_anything_else_is_fine(argument: str) -> None:
    assert findings(f"{{{{ render({argument}) }}}}") == []


@pytest.mark.parametrize(
    ("template", "severity"),
    [
        ("{{ outputs.one.x }}", "error"),
        ("{{ outputs.one.x ?? '' }}", "hint"),
        ("{{ outputs.one.x | default('') }}", "hint"),
        ("{{ outputs.one.x is defined }}", "hint"),
        ("{% if outputs.one.x is defined %}{{ outputs.one.x.y }}{% endif %}", "hint"),
        ("{{ inputs.go ? outputs.one.x : 1 }}", "warning"),
        ("{{ inputs.name ?? outputs.one.x }}", "warning"),
        ("{% if inputs.go %}{{ outputs.one.x }}{% endif %}", "warning"),
        ("{{ (inputs.name | abs) ?? 1 }}", "hint"),
        ("{% for c in outputs.chat.choices %}{{ c.message.contents }}{% endfor %}", "warning"),
    ],
)
def test_what_need_not_be_reached_is_less_than_an_error(template: str, severity: str) -> None:
    assert {str(finding.severity) for finding in findings(template)} == {severity}


@pytest.mark.parametrize(
    ("template", "code", "message"),
    [
        ("{{ inputs.name | uper }}", "unknown-filter", "Unable to find the filter `uper`"),
        ("{{ nowadays() }}", "unknown-function", "Unable to find the function `nowadays`"),
        ("{{ 1 is evn }}", "unknown-test", "Unable to find the test `evn`"),
        ("{{ inputs.name | replace }}", "missing-argument", "`replace` needs the argument `replacePairs`"),
        ("{{ now(zone='x') }}", "unknown-argument", "`now` has no argument `zone`"),
    ],
)
def test_unknown_operations_and_arguments_are_errors(template: str, code: str, message: str) -> None:
    (finding,) = findings(template)
    assert (finding.severity, finding.code, finding.message) == ("error", code, message)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("{{ outputs.one.valeu }}", "{{ outputs.one.value }}"),
        ("{{ outputs['on'].value }}", "{{ outputs['one'].value }}"),
        ("{{ inputs.env == 'prd' }}", "{{ inputs.env == 'prod' }}"),
        ("{{ name }}", "{{ inputs.name }}"),
        ("{{ ouputs.one.value }}", "{{ outputs.one.value }}"),
        ("{{ inputs.nam }}", "{{ inputs.name }}"),
        ("{{ inputs.name | uper }}", "{{ inputs.name | upper }}"),
    ],
)
def test_an_edit_mends_the_flow(wrong: str, right: str) -> None:
    source = f"{HEAD}{BEFORE}  - {returning(wrong)}\n"
    (finding,) = judged(source)
    assert mended(source, finding) == f"{HEAD}{BEFORE}  - {returning(right)}\n"
