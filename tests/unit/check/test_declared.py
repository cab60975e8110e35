"""Names that a flow declares, defaults that are refused, secrets in the open; and what is said of a broken flow."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from pydantic import BaseModel

from engine.check import check
from engine.dialect import parse
from engine.model.diagnostic import Diagnostic
from engine.sdk import Secret, Task


class Ask(Task, type="acme.Ask"):
    prompt: str = ""
    key: Secret | None = None


class Types:
    """A TypeIndex of one type."""

    def canonical(self, type_: str) -> str | None:
        return type_ if type_ in self.names() else None

    def names(self) -> Iterable[str]:
        return ["acme.Ask", "acme.SetVariables", "io.kestra.plugin.core.flow.Sequential"]

    def missing(self, type_: str) -> str | None:
        return None

    def properties(self, type_: str) -> type[BaseModel]:
        return Ask


def findings(prompt: str = "hi", *, top: str = "", more: str = "", type_: str = "acme.Ask") -> list[Diagnostic]:
    quoted = "'" + prompt.replace("'", "''") + "'"
    source = f"""
id: demo
namespace: acme
inputs:
  - {{id: name, type: STRING, defaults: you}}
  - {{id: db.port, type: INT, defaults: "5432"}}
variables: {{bucket: b}}
{top}
tasks:
  - {{id: ask-me, type: acme.Ask}}
  - id: ask
    type: {type_}
    prompt: {quoted}
    {more}
  - {{id: last, type: acme.Ask}}
"""
    parsed = parse(source, types=Types())
    assert [finding.message for finding in parsed.diagnostics if finding.code != "expression-syntax"] == []
    return check(parsed, Types())


@pytest.mark.parametrize(
    "prompt",
    [
        "{{ inputs.name }} {{ inputs.db.port }} {{ inputs.db }} {{ inputs }}",
        "{{ vars.bucket }} {{ outputs['ask-me'].value }} {{ outputs['ask-me'].any[0].at.all }} {{ tasks.ask.state }}",
        "{{ inputs[vars.bucket] }} {{ outputs[taskrun.id] }} {{ vars[inputs.name].x }}",
        "{% for row in outputs['ask-me'].rows %}{{ row.nope }}{% endfor %}",
        "{% set inputsx = 1 %}{{ inputsx }}",
        "{{ execution.id }} {{ flow.id }} {{ parents[0].taskrun.value ?? 1 }} {{ trigger.anything.body }}",
        "{{ labels.team }} {{ envs.home }} {{ globals.x }} {{ workingDir }} {{ response.body }}",
        "{{ row ?? taxrun ?? 'none' }}",
    ],
)
def test_nothing_is_said_about_what_exists_or_cannot_be_known(prompt: str) -> None:
    assert [finding for finding in findings(prompt) if finding.severity != "hint"] == []


@pytest.mark.parametrize(
    ("prompt", "severity", "message", "hint"),
    [
        ("{{ inputs.nmae }}", "error", 'the flow has no input "nmae"', 'did you mean "name"?'),
        ("{{ inputs['x'] }}", "error", 'the flow has no input "x"', "it has db, name"),
        ("{{ vars.buket }}", "error", 'the flow has no variable "buket"', 'did you mean "bucket"?'),
        ("{{ outputs.asj.value }}", "error", 'the flow has no task "asj"', 'did you mean "ask"?'),
        ("{{ tasks.zzzz.state }}", "error", 'the flow has no task "zzzz"', "it has ask, ask-me, last"),
        ("{{ inputs.nmae ?? 'x' }}", "hint", 'the flow has no input "nmae"', 'did you mean "name"?'),
        ("{{ inputs.nmae | default('x') }}", "hint", 'the flow has no input "nmae"', 'did you mean "name"?'),
        ("{{ inputs.nmae is defined }}", "hint", 'the flow has no input "nmae"', 'did you mean "name"?'),
        ("{{ nmae }}", "error", 'expressions know no "nmae"', 'did you mean "inputs.name"?'),
        ("{{ name }}", "error", 'expressions know no "name"', 'did you mean "inputs.name"?'),
        ("{{ inputs.db.prt }}", "error", 'inputs.db has no "prt"', 'did you mean "port"?'),
        ("{{ inputs.name ? inputs.nmae : 1 }}", "warning", 'the flow has no input "nmae"', 'did you mean "name"?'),
        ("{{ ouputs.ask.x }}", "error", 'expressions know no "ouputs"', 'did you mean "outputs"?'),
    ],
)
def test_what_does_not_exist_is_found(prompt: str, severity: str, message: str, hint: str) -> None:
    (finding,) = findings("Hello " + prompt)
    assert (str(finding.severity), finding.message, finding.hint) == (severity, message, hint)
    assert finding.line == 13
    assert finding.source_line is not None
    marked = finding.source_line[finding.column - 1 :].lstrip("'")[: finding.width]
    assert f'"{marked}"' in finding.message


def test_an_id_with_a_dash_is_explained() -> None:
    source = """
id: demo
namespace: acme
tasks: [{id: ask-me, type: acme.Ask, prompt: "{{ outputs.ask-me.value }}"}]
"""
    (finding,) = check(parse(source, types=Types()), Types())
    assert finding.hint == "an id with a dash is written outputs['ask-me']"
    (finding,) = findings("{{ outputs.ask-me.value }}")  # there is a task `ask` as well, but no `me` to subtract
    assert finding.message == 'expressions know no "me"'
    assert finding.hint == "an id with a dash is written outputs['ask-me']"


def test_other_worlds_are_not_judged() -> None:
    labels = "{a: '{{ outputs.upstream.x }} {{ inputs.theirs }}'}"
    trigger = f"triggers: [{{id: t, type: io.kestra.plugin.core.trigger.Flow, labels: {labels}}}]"
    assert findings(top=trigger) == []
    assert findings("{{ vars.later }}", type_="acme.SetVariables") == []
    (finding,) = findings(top="outputs: [{id: o, value: '{{ vars.no }}'}]")
    assert finding.message == 'the flow has no variable "no"'


def test_a_default_that_its_input_refuses_is_an_error_at_the_default() -> None:
    source = """
id: demo
namespace: acme
inputs:
  - {id: a, type: INT, defaults: five}
  - {id: b, type: SELECT, values: [x, y], defaults: z}
  - {id: c, type: INT, defaults: "{{ inputs.a }}"}
  - {id: d, type: MULTISELECT, values: [x, y], defaults: [x]}
  - {id: e, type: DATE, defaults: 2024-02-30}
tasks: [{id: ask, type: acme.Ask}]
"""
    found = check(parse(source, types=Types()), Types())
    assert [(finding.code, finding.line) for finding in found] == [("invalid-default", line) for line in (5, 6, 9)]
    assert found[0].message == 'the default of "a" is not accepted: it must be a whole number'
    assert found[0].column == 34


def test_a_secret_in_the_open_is_a_warning() -> None:
    (finding,) = findings(more="key: sk-123")
    assert (finding.code, str(finding.severity), finding.line) == ("literal-secret", "warning", 14)
    assert "sk-123" not in finding.message
    assert finding.hint == "keep it out of the file: key: \"{{ secret('NAME') }}\""
    assert findings(more="key: \"{{ secret('K') }}\"") == []


def test_the_default_of_a_secret_is_in_the_open_too() -> None:
    inputs = "inputs: [{id: a, type: SECRET, defaults: sk-123}, {id: b, type: SECRET, defaults: \"{{ secret('K') }}\"}]"
    (finding,) = check(
        parse(f"id: demo\nnamespace: n\n{inputs}\ntasks: [{{id: t, type: acme.Ask}}]", types=Types()), Types()
    )
    assert (finding.code, finding.message) == (
        "literal-secret",
        'the default of the secret "a" is written into the flow',
    )


def test_a_text_that_is_no_flow_has_nothing_to_check() -> None:
    for source in ("", "- a", "a: [", "id: {{ x }}"):
        assert check(parse(source, types=Types()), Types()) == []


def test_a_broken_task_is_still_a_task_that_may_be_named() -> None:
    source = """
id: demo
namespace: acme
tasks:
  - {id: broken, type: acme.Unknown}
  - {id: ask, type: acme.Ask, prompt: "{{ outputs.broken.x }} {{ outputs.brokn.x }}"}
"""
    (finding,) = check(parse(source, types=Types()), Types())
    assert finding.hint == 'did you mean "broken"?'


@pytest.mark.parametrize(
    ("prompt", "messages"),
    [
        ("{{ secret('KNOWN') }}", []),
        ("{{ secret('OTHER') ?? '' }}", ['there is no secret "OTHER" here']),
        ("{{ secret(inputs.name) }} {{ secret('X', namespace='theirs') }} {{ kv('any') }}", []),
    ],
)
def test_a_key_that_is_not_set_is_a_hint(prompt: str, messages: list[str]) -> None:
    task = f'{{id: ask, type: acme.Ask, prompt: "{prompt}"}}'
    source = f"id: demo\nnamespace: acme\ninputs: [{{id: name, type: STRING}}]\ntasks: [{task}]\n"
    found = check(parse(source, types=Types()), Types(), {"secret": lambda key: key == "KNOWN"})
    assert [finding.message for finding in found] == messages
    assert {str(finding.severity) for finding in found} <= {"hint"}
    assert all(finding.width == len("OTHER") for finding in found)
