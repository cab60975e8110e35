"""Flows that say `expressions: jinja2`: run, checked, and never mixed with the other language."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import Engine
from engine.catalog import Catalog
from engine.check import check
from engine.dialect import parse
from engine.model.diagnostic import Diagnostic
from engine.model.state import State

RETURN = "io.kestra.plugin.core.debug.Return"
FLOW = f"""
id: plain
namespace: test.team
expressions: jinja2
inputs:
  - {{id: name, type: STRING, defaults: "{{{{ 'Ada' if true else 'Eva' }}}}"}}
variables: {{names: [b, a], later: "{{{{ 'x' if true else 'y' }}}}"}}
tasks:
  - {{id: hello, type: {RETURN}, format: "{{{{ 'Hello ' ~ inputs.name.upper() }}}} {{{{ 5 / 2 }}}}"}}
  - {{id: never, type: {RETURN}, runIf: "{{{{ none }}}}", format: never}}
  - {{id: nothing, type: {RETURN}, runIf: "{{{{ vars.names | select('eq', 'z') | list }}}}", format: never}}
  - id: each
    type: io.kestra.plugin.core.flow.ForEach
    values: "{{{{ vars.names | sort }}}}"
    tasks:
      - {{id: one, type: {RETURN}, format: "{{% if taskrun.value == 'a' %}}first{{% else %}}then{{% endif %}}"}}
  - id: choose
    type: io.kestra.plugin.core.flow.Switch
    value: "{{{{ env('branch') if true else '' }}}}"
    cases:
      left: [{{id: left, type: {RETURN}, format: "{{{{ render(vars.later) }}}}"}}]
outputs:
  - {{id: text, type: STRING, value: "{{{{ outputs.hello.value }}}}"}}
  - {{id: first, type: STRING, value: "{{{{ outputs.one['a'].value }}}}"}}
  - {{id: left, type: STRING, value: "{{{{ outputs.left.value | default('') }}}}"}}
  - {{id: size, type: INT, value: "{{{{ vars.names | length }}}}"}}
"""


def findings(source: str) -> list[Diagnostic]:
    types = Catalog()
    parsed = parse(source, types=types)
    return [*parsed.diagnostics, *check(parsed, types)]


def test_every_expression_of_the_flow_is_jinja2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENV_BRANCH", "left")
    (tmp_path / "plain.yaml").write_text(FLOW)
    with Engine(tmp_path / "home") as engine:
        execution = engine.run(tmp_path / "plain.yaml")
    assert execution.state is State.SUCCESS
    assert execution.inputs == {"name": "Ada"}
    assert execution.outputs == {"text": "Hello ADA 2.5", "first": "first", "left": "x", "size": 2}
    states = {run.task_id: run.state for run in execution.in_order()}
    assert states["never"] is states["nothing"] is State.SKIPPED


def test_it_has_nothing_to_complain_about() -> None:
    assert findings(FLOW) == []


def test_without_the_word_it_is_not_valid() -> None:
    assert findings(FLOW.replace("expressions: jinja2\n", ""))


@pytest.mark.parametrize(
    ("expression", "at", "code", "word"),
    [
        ("{{ 1 ? 2 : 3 }}", "?", "expression-syntax", "'?'"),
        ("{{ 'a' | upperr }}", "upperr", "unknown-filter", "upper"),
        ("{{ inputs.nam }}", "nam", "unknown-reference", "name"),
        ("{{ scret('A') }}", "scret", "unknown-function", "secret"),
    ],
)
def test_mistakes_are_found_where_they_are(expression: str, at: str, code: str, word: str) -> None:
    source = FLOW.replace("format: never", f'format: "{expression}"', 1)
    found = findings(source)
    assert [finding.code for finding in found] == [code]
    line = source.splitlines()[found[0].line - 1]
    assert expression in line
    assert line[found[0].column - 1 :].startswith(at)
    assert word in f"{found[0].message} {found[0].hint}"


@pytest.mark.parametrize(
    "expression", ["{{ inputs.nam | default('x') }}", "{{ inputs.nam.x if inputs.nam is defined }}"]
)
def test_nothing_is_said_about_what_is_more_than_a_path(expression: str) -> None:
    assert findings(FLOW.replace("format: never", f'format: "{expression}"', 1)) == []


def test_there_are_two_languages() -> None:
    found = findings(FLOW.replace("jinja2", "jinja"))
    assert any(finding.line == 4 and "jinja2" in f"{finding.message} {finding.hint}" for finding in found)
