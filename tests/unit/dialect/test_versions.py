"""Which dialect a flow is written in, told by what stands in it, and where."""

import pytest

from engine.dialect.document import read
from engine.dialect.source import decode
from engine.dialect.versions import dialect_of, evidence

CORE = "io.kestra.plugin.core"


def told(text: str) -> tuple[str, list[tuple[str, str, int]]]:
    found = evidence(read(decode(text, "x")))
    return dialect_of(found), [(one.dialect, one.construct, one.span.line) for one in found]


@pytest.mark.parametrize(
    ("text", "dialect", "construct"),
    [
        ("tasks: [{id: t, type: x.Y, runIf: a}]", "1.x", "runIf"),
        ("tasks: [{id: t, type: x.Y, when: a}]", "2.0", "when"),
        ("tasks: [{id: s, type: x.S, cases: {a: [{id: t, type: x.Y, when: a}]}}]", "2.0", "when"),
        (f"tasks: [{{id: t, type: {CORE}.flow.ForEach}}]", "1.x", "ForEach"),
        (f"tasks: [{{id: t, type: {CORE}.flow.Loop}}]", "2.0", "Loop"),
        ("tasks: [{id: t, type: io.kestra.core.tasks.flows.EachParallel}]", "1.x", "EachParallel"),
        (f"tasks: [{{id: t, type: {CORE}.state.Set}}]", "1.x", "Set"),
        (f"tasks: [{{id: t, type: {CORE}.execution.Exit, state: CANCELED}}]", "1.x", "CANCELED"),
        (f"tasks: [{{id: t, type: {CORE}.storage.PurgeStorage}}]", "2.0", "PurgeStorage"),
        ("tasks: [{id: t, type: io.kestra.plugin.scripts.shell.Commands, docker: {image: a}}]", "1.x", "docker"),
        ("inputs: [{id: a, type: BOOLEAN}]", "1.x", "BOOLEAN"),
        ("inputs: [{id: a, type: ENUM}]", "1.x", "ENUM"),
        ("checks: [{condition: a}]", "1.x", "condition"),
        ("checks: [{when: a}]", "2.0", "when"),
        ("pluginDefaults: []", "1.x", "pluginDefaults"),
        ("taskDefaults: []", "1.x", "taskDefaults"),
        ("listeners: []", "1.x", "listeners"),
        ("quotas: []", "2.0", "quotas"),
        ("triggers: [{id: a, type: x.Y, conditions: []}]", "1.x", "conditions"),
        ("triggers: [{id: a, type: x.Y, preconditions: {}}]", "1.x", "preconditions"),
        ("triggers: [{id: a, type: x.Y, when: b}]", "2.0", "when"),
        ("triggers: [{id: a, type: x.Y, dependsOn: []}]", "2.0", "dependsOn"),
        ("tasks: [{id: t, type: x.Y, a: \"{{ json(x) }}\"}]", "1.x", "json()"),
        ("tasks: [{id: t, type: x.Y, a: \"{{ x | json }}\"}]", "1.x", "| json"),
        ("tasks: [{id: t, type: x.Y, a: \"{{ loopOutputs(x, 'y') }}\"}]", "2.0", "loopOutputs()"),
        ("tasks: [{id: t, type: x.Y, a: \"{{ isWeekend(now()) }}\"}]", "2.0", "isWeekend()"),
    ],
)  # fmt: skip
def test_what_tells(text: str, dialect: str, construct: str) -> None:
    assert told(f"id: a\n{text}\n") == (dialect, [(dialect, construct, 2)])


@pytest.mark.parametrize(
    "text",
    [
        "tasks: [{id: t, type: x.Y, finally: [], condition: a, a: \"{{ fromJson(x) is json }} {{ x.json }}\"}]",
        "inputs: [{id: a, type: BOOL}, {id: b, type: SELECT}, {id: c, type: STRING, dependsOn: {inputs: [a]}}]",
        f"tasks: [{{id: d, type: {CORE}.flow.Dag, tasks: [{{task: {{id: t, type: x.Y}}, dependsOn: []}}]}}]",
        "variables: {runIf: a, when: b, state: CANCELED}",
        "tasks: [{id: t, type: x.Y, a: \"{% macro json(x) %}{% endmacro %}{{ json('1') }}\"}]",
        "- a",
        "tasks: 1",
    ],
)  # fmt: skip
def test_what_tells_nothing(text: str) -> None:
    assert told(f"{text}\n") == ("either", [])


def test_a_mixture_tells_both_in_order() -> None:
    text = "id: a\ntasks:\n  - id: t\n    type: x.Y\n    when: true\n    a: |\n      one\n      {{ json('1') }}\n"
    assert told(text) == ("mixed", [("2.0", "when", 5), ("1.x", "json()", 8)])
