"""Where a task may be read from: order, branches, loops; and the expressions that stand outside of tasks."""

from __future__ import annotations

import pytest

from tests.unit.check.judging import FLOW, HEAD, RETURN, judged, returning


def told(tasks: str, more: str = "") -> list[tuple[str, str]]:
    """Severity and code of the findings; `@one` is a task, `?(...)` one that reads."""
    for container in ("Sequential", "Parallel", "Dag", "If", "Switch", "ForEach"):
        tasks = tasks.replace(f"{container},", f"type: {FLOW}.{container},")
    tasks = tasks.replace("@one", f"{{id: one, type: {RETURN}, format: x}}")
    start = tasks.find("?(")
    if start >= 0:
        end = tasks.index(")?", start)
        tasks = tasks[:start] + returning("{{ " + tasks[start + 2 : end] + " }}") + tasks[end + 2 :]
    return [(str(finding.severity), finding.code) for finding in judged(f"{HEAD}tasks: [{tasks}]\n{more}")]


NEVER = [("error", "not-yet-run")]


@pytest.mark.parametrize(
    ("tasks", "expected"),
    [
        ("?(outputs.one.value)?, @one", NEVER),
        ("?(tasks.one.state)?, @one", NEVER),
        ("?(outputs.one.value ?? 1)?, @one", [("hint", "not-yet-run")]),
        ("?(outputs.reader.value)?, @one", NEVER),
        ("?(tasks.reader.state)?, @one", []),
        ("{id: a, Sequential, tasks: [?(outputs.one.value)?]}, @one", NEVER),
        ("{id: a, Sequential, tasks: [@one]}, ?(outputs.one.value)?", []),
        ("{id: a, If, condition: 'true', then: [@one], else: [?(outputs.one.value)?]}", NEVER),
        ("{id: a, If, condition: 'true', then: [@one]}, ?(outputs.one.value)?", [("hint", "may-not-run")]),
        ("{id: a, If, condition: 'true', then: [@one]}, ?(outputs.one.value ?? 1)?", []),
        ("{id: a, If, condition: 'true', then: [@one, ?(outputs.one.value)?]}", []),
        ("{id: a, If, condition: '{{ outputs.one.value }}', then: [@one]}", NEVER),
        ("{id: a, Switch, value: x, cases: {x: [@one], y: [?(outputs.one.value)?]}}", NEVER),
        ("{id: a, Parallel, tasks: [@one, ?(outputs.one.value)?]}", [("warning", "unordered-tasks")]),
        ("{id: a, Parallel, concurrent: 1, tasks: [?(outputs.one.value)?, @one]}", NEVER),
        ("{id: a, Dag, tasks: [{task: @one}, {task: ?(outputs.one.value)?}]}", [("warning", "unordered-tasks")]),
        ("{id: a, Dag, tasks: [{task: @one, dependsOn: [reader]}, {task: ?(outputs.one.value)?}]}", NEVER),
        ("{id: a, Dag, tasks: [{task: @one}, {task: ?(outputs.one.value)?, dependsOn: [one]}]}", []),
        ("{id: a, Sequential, tasks: [?(outputs.one.value)?], errors: [@one]}", NEVER),
        ("{id: a, Parallel, tasks: [?(outputs.one.value)?], errors: [@one]}", []),
        ("{id: a, Sequential, tasks: [@one], errors: [?(outputs.one.value)?]}", []),
        ("{id: a, Sequential, disabled: true, tasks: [@one]}, ?(outputs.one.value)?", NEVER),
        ("{id: a, Sequential, tasks: [@one]}, ?(outputs.a.value)?", [("error", "no-outputs")]),
        ("{id: a, ForEach, values: [x], tasks: [@one]}, ?(outputs.one.x.value)?", []),
        ("{id: a, ForEach, values: [x], tasks: [@one]}, ?(outputs.one.y.value)?", [("error", "loop-value")]),
        ("{id: a, ForEach, values: [x], tasks: [@one]}, ?(outputs.one.value)?", [("error", "loop-value")]),
        ("{id: a, ForEach, values: [x], tasks: [@one]}, ?(outputs.one.x.valu)?", [("error", "unknown-field")]),
        ("{id: a, ForEach, values: '{{ inputs.tags }}', tasks: [@one]}, ?(outputs.one.y.value)?", []),
        ("{id: a, ForEach, values: '{{ inputs.tags }}', tasks: [@one]}, ?(outputs.one.value)?",
         [("warning", "loop-value")]),
        ("{id: a, ForEach, values: [x], tasks: [?(outputs.one[taskrun.value].value)?, @one]}", []),
        ("{id: a, ForEach, values: [x], tasks: [{id: b, If, condition: 'true', then: [?(taskrun.value)?]}]}",
         [("error", "loop-value")]),
        ("{id: a, ForEach, values: [x], tasks: [{id: b, If, condition: 'true', then: [?(parents[1].taskrun)?]}]}",
         [("error", "unknown-field")]),
        ("{id: a, ForEach, values: [x, y], tasks: [?(taskrun.value == 'z')?]}", [("warning", "constant-comparison")]),
        ("?(taskrun.value)?", [("error", "loop-value")]),
        ("{id: a, Sequential, tasks: [?(parent.outputs)?]}", [("error", "unknown-variable")]),
    ],
)  # fmt: skip
def test_what_can_be_seen_from_a_task(tasks: str, expected: list[tuple[str, str]]) -> None:
    assert told(tasks) == expected


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("outputs: [{id: o, value: '{{ outputs.one.valu }}'}]", [("error", "unknown-field")]),
        ("outputs: [{id: o, value: {k: ['{{ outputs.on.value }}']}}]", [("error", "unknown-reference")]),
        ("outputs: [{id: o, value: '{{ taskrun.id }}'}]", [("error", "unknown-variable")]),
        ("errors: [{id: e, type: T, format: '{{ outputs.one.value }}{{ outputs.on }}'}]",
         [("error", "unknown-reference")]),
        ("pluginDefaults: [{type: T, values: {format: '{{ inputs.nam }}'}}]", [("warning", "unknown-reference")]),
        (
            "triggers: [{id: t, type: io.kestra.plugin.core.trigger.Flow, "
            "labels: {a: '{{ outputs.upstream.x }} {{ inputs.theirs }}'}}]",
            [],
        ),
        ("labels: {a: '{{ inputs.nothing }}'}", []),
    ],
)  # fmt: skip
def test_expressions_outside_of_the_tasks(more: str, expected: list[tuple[str, str]]) -> None:
    assert told("@one", more.replace("type: T", f"type: {RETURN}")) == expected


def test_variables_and_inputs_are_read_too() -> None:
    head = HEAD.replace("bucket: b", "bucket: '{{ inputs.nam }}'").replace(
        "defaults: you", "defaults: '{{ inputs.cont }}'"
    )
    found = judged(f"{head}tasks: [{returning('x')}]")
    assert [(str(finding.severity), finding.code) for finding in found] == [
        ("error", "unknown-reference"),
        ("warning", "unknown-reference"),
    ]


@pytest.mark.parametrize(
    ("task", "codes"),
    [
        ("type: io.kestra.plugin.core.flow.Sleep, duration: '{{ inputs.name }}'", ["static-property"]),
        ("type: io.kestra.plugin.openai.ChatCompletion, apiKey: \"{{ secret('K') }}\", model: m, prompt: p, "
         "clientTimeout: '{{ 5 }}'", ["static-property"]),
        ("type: io.kestra.plugin.core.flow.Sleep, duration: PT1S", []),
    ],
)  # fmt: skip
def test_an_expression_where_none_is_read_is_an_error(task: str, codes: list[str]) -> None:
    assert [finding.code for finding in judged(f"{HEAD}tasks: [{{id: a, {task}}}]")] == codes


def test_a_broken_container_hides_nothing_of_what_is_in_it() -> None:
    inner = f"[{returning('{{ outputs.one.valu }} {{ inputs.nam }}')}]"
    one = f"{{id: one, type: {RETURN}}}"
    for container in (f"type: {FLOW}.Sequential, bogus: 1", "type: acme.Unknown", f"type: {FLOW}.If"):
        branch = "then" if container.endswith("If") else "tasks"
        found = judged(f"{HEAD}tasks: [{one}, {{id: box, {container}, {branch}: {inner}}}]")
        assert {"unknown-field", "unknown-reference"} <= {finding.code for finding in found}, container
