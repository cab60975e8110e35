"""Maps that are no flow: each mistake gets its finding, at its place, with what to do."""

from __future__ import annotations

import pytest

from engine.dialect.codes import CODES, GROUPS
from engine.model.diagnostic import Severity
from tests.unit.dialect import test_bad_yaml, test_recursion, test_templates, test_triggers
from tests.unit.dialect.flows import CHAT, LOG, RETURN, read_flow, tasks_flow

FLOW = "io.kestra.plugin.core.flow"
HOOK = "type: io.kestra.plugin.core.trigger.Webhook, key: k"
TASK = f"  - {{id: a, type: {RETURN}}}\n"

Finding = tuple[str, int, int, str]


def task(properties: str, type_: str = RETURN) -> str:
    """A flow with one task, its properties in line 6 from column 5."""
    return tasks_flow(f"  - id: a\n    type: {type_}\n    {properties}\n")


def retry(properties: str) -> str:
    return task(f"retry: {{{properties}}}")


def rounds(properties: str) -> str:
    """A flow with a LoopUntil, its frequency in line 8."""
    body = f"tasks: [{{id: b, type: {RETURN}}}]\n    condition: x\n    checkFrequency: {{{properties}}}"
    return task(body, f"{FLOW}.LoopUntil")


def inputs(*entries: str) -> str:
    """A flow with inputs, the first in line 4 from column 5."""
    return tasks_flow(TASK, inputs="".join(f"\n  - {entry}" for entry in entries))


#: name: (source, code, line, column, a part of the message)
CASES: dict[str, tuple[str, str, int, int, str]] = {
    "no tasks": ("id: demo\nnamespace: acme\n", "missing-property", 1, 1, 'the flow needs the property "tasks"'),
    "tasks without a value": ("id: demo\nnamespace: acme\ntasks:\n", "missing-property", 3, 1, 'a value for "tasks"'),
    "an empty list of tasks": ("id: demo\nnamespace: acme\ntasks: []\n", "empty-list", 3, 8, "at least 1 entry"),
    "tasks as a map": ("id: demo\nnamespace: acme\ntasks: {a: b}\n", "wrong-type", 3, 8, "must be a list"),
    "an id that climbs": (tasks_flow(TASK).replace("demo", "../x"), "invalid-id", 1, 5, '"../x"'),
    "an id with a slash": (tasks_flow(TASK).replace("demo", "a/b"), "invalid-id", 1, 5, '"a/b"'),
    "a dot as an id": (tasks_flow(TASK).replace("demo", "."), "invalid-id", 1, 5, '"."'),
    "a long id": (tasks_flow(TASK).replace("demo", "x" * 300), "too-long", 1, 5, "100 characters, but has 300"),
    "a bad namespace": (tasks_flow(TASK).replace("acme", "Acme"), "invalid-id", 2, 12, '"namespace"'),
    "a bad task id": (tasks_flow(TASK.replace("id: a", "id: a.b")), "invalid-id", 4, 10, '"a.b"'),
    "a reserved id": (tasks_flow(TASK).replace("demo", "pause"), "reserved-id", 1, 5, "reserved"),
    "a task id twice": (tasks_flow(TASK * 2), "duplicate-id", 5, 10, '"a" is already used in line 4'),
    "a nested id twice": (
        tasks_flow(f"{TASK}  - id: p\n    type: {FLOW}.Parallel\n    tasks:\n    {TASK}"),
        "duplicate-id", 8, 14, '"a" is already used in line 4',
    ),
    "an id twice in errors": (tasks_flow(TASK) + "errors:\n" + TASK, "duplicate-id", 6, 10, "in line 4"),
    "an input id twice": (inputs("{id: x, type: INT}", "{id: x, type: INT}"), "duplicate-id", 5, 10, "input id"),
    "an output id twice": (
        tasks_flow(TASK, outputs="[{id: x, value: 1}, {id: x, value: 2}]"), "duplicate-id", 3, 35, "output id",
    ),
    "a trigger id twice": (
        tasks_flow(TASK, triggers=f"[{{id: x, {HOOK}}}, {{id: x, {HOOK}}}]"), "duplicate-id", 3, 79, "trigger id",
    ),
    "an unknown type": (tasks_flow("  - {id: a, type: zzz}\n"), "unknown-type", 4, 19, '"zzz"'),
    "no type": (tasks_flow("  - {id: a}\n"), "missing-property", 4, 5, 'a task needs the property "type"'),
    "a type that is a list": (tasks_flow("  - {id: a, type: [b]}\n"), "wrong-type", 4, 19, "must be text"),
    "a task that is text": (tasks_flow("  - hello\n"), "wrong-type", 4, 5, "a task must be a map"),
    "a broken plugin": (tasks_flow("  - {id: a, type: acme.Broken}\n"), "plugin-broken", 4, 19, "cannot be imported"),
    "an unknown flow property": (tasks_flow(TASK, taks="x"), "unknown-property", 3, 1, 'no property "taks"'),
    "an unknown task property": (task("frmat: x"), "unknown-property", 6, 5, 'no property "frmat"'),
    "an unknown retry property": (
        retry("type: constant, interval: PT1S, maxTries: 2"), "unknown-property", 6, 45, '"retry" has no property',
    ),
    "a list for text": (task("description: [x]"), "wrong-type", 6, 18, "must be text, but is a list"),
    "text for a number": (task("apiKey: k\n    maxTokens: many", CHAT), "wrong-type", 7, 16, "a whole number"),
    "text for a truth": (task("disabled: perhaps"), "wrong-type", 6, 15, "true or false"),
    "text for a map": (task("retry: often"), "wrong-type", 6, 12, "must be a map"),
    "neither member of a union": (task("message: {a: 1}", LOG), "wrong-type", 6, 14, "text or a list, but is a map"),
    "a wrong item in a member of a union": (
        task("message: [fine, {a: 1}]", LOG), "wrong-type", 6, 21, 'an entry of "message" must be text',
    ),
    "a number out of range": (task("apiKey: k\n    temperature: 3", CHAT), "out-of-range", 7, 18, "at most 2"),
    "a word that is no choice": (task("message: x\n    level: info", LOG), "invalid-choice", 7, 12, "INFO, WARN"),
    "a nested choice": (
        task("apiKey: k\n    messages:\n      - {role: usr, content: x}", CHAT), "invalid-choice", 8, 16, '"usr"',
    ),
    "a missing property": (task("level: INFO", LOG), "missing-property", 4, 5, 'needs the property "message"'),
    "a property without a value": (task("message:", LOG), "missing-property", 6, 5, 'needs a value for "message"'),
    "a nested missing property": (
        task("apiKey: k\n    messages: [{role: user}]", CHAT), "missing-property", 7, 16, 'entry of "messages"',
    ),
    "labels that are text": (tasks_flow(TASK, labels="x"), "wrong-type", 3, 9, "must be a map"),
    "labels that are words": (tasks_flow(TASK, labels="[x]"), "invalid-value", 3, 9, "`key` and `value`"),
    "a label of the engine": (tasks_flow(TASK, labels="{system.x: 1}"), "reserved-label", 3, 10, "system.x"),
    "a listed label of the engine": (
        tasks_flow(TASK, labels="[{key: system.x, value: 1}]"), "reserved-label", 3, 11, "system.x",
    ),
    "an empty Parallel": (task("tasks: []", f"{FLOW}.Parallel"), "empty-list", 6, 12, "at least 1"),
    "a Sequential without tasks": (task("disabled: false", f"{FLOW}.Sequential"), "missing-property", 4, 5, '"tasks"'),
    "an If without then": (task("condition: x", f"{FLOW}.If"), "missing-property", 4, 5, '"then"'),
    "a Dag without a task": (task("tasks: [{dependsOn: []}]", f"{FLOW}.Dag"), "missing-property", 6, 13, '"task"'),
    "an unknown dependency": (
        task(f"tasks: [{{task: {{id: b, type: {RETURN}}}, dependsOn: [zz]}}]", f"{FLOW}.Dag"),
        "unknown-dependency", 6, 83, '"b" depends on "zz"',
    ),
    "a task that waits for itself": (
        task(f"tasks: [{{task: {{id: b, type: {RETURN}}}, dependsOn: [b]}}]", f"{FLOW}.Dag"),
        "dependency-cycle", 6, 5, "b -> b",
    ),
    "a negative timeout": (task("timeout: -PT1S"), "invalid-duration", 6, 14, "`-PT1S`"),
    "a timeout of nothing": (task("timeout: PT0S"), "invalid-duration", 6, 14, "`PT0S`"),
    "a timeout of ages": (task("timeout: P9999999Y"), "invalid-duration", 6, 14, "not an ISO-8601 duration"),
    "a timeout of a century": (task("timeout: P36500D"), "invalid-duration", 6, 14, "longer than ten years"),
    "a timeout in words": (task("timeout: abc"), "invalid-duration", 6, 14, "not an ISO-8601 duration"),
    "rounds without a rest": (rounds("interval: PT0S"), "invalid-duration", 8, 32, '"interval": `PT0S`'),
    "a limit of rounds in words": (rounds("maxDuration: long"), "invalid-duration", 8, 35, '"maxDuration": `long`'),
    "a pause in words": (task("pauseDuration: a while", f"{FLOW}.Pause"), "invalid-duration", 6, 20, "`a while`"),
    "a delay in words": (task("delay: a while", f"{FLOW}.Pause"), "invalid-duration", 6, 12, "`a while`"),
    "no attempts": (retry("type: constant, interval: PT1S, maxAttempt: 0"), "out-of-range", 6, 57, "at least 1"),
    "negative attempts": (retry("type: constant, interval: PT1S, maxAttempts: -1"), "out-of-range", 6, 58, "least 1"),
    "endless attempts": (retry("type: constant, interval: PT1S, maxAttempts: 1e9"), "out-of-range", 6, 58, "1,000,000"),
    "an unknown retry": (retry("type: linear"), "invalid-choice", 6, 19, "constant, exponential, random"),
    "a retry without a type": (retry("interval: PT1S"), "missing-property", 6, 12, '"type"'),
    "a retry without an interval": (retry("type: constant"), "missing-property", 6, 12, '"interval"'),
    "a random retry by interval": (
        retry("type: random, maxInterval: PT2S"), "missing-property", 6, 12, '"minInterval"',
    ),
    "a retry of nothing": (retry("type: constant, interval: PT0S"), "invalid-duration", 6, 39, "`PT0S`"),
    "a retry that cannot wait": (
        retry("type: exponential, interval: PT5S, maxInterval: PT1S"), "invalid-retry", 6, 42, "shorter",
    ),
    "a retry that never grows": (
        retry("type: exponential, interval: PT5S, maxInterval: PT5S"), "invalid-retry", 6, 42, "shorter",
    ),
    "both spellings of attempts": (
        retry("type: constant, interval: PT1S, maxAttempt: 1, maxAttempts: 2"), "conflict", 6, 60, "the same",
    ),
    "both spellings of runIf": (task('when: "x"\n    runIf: "y"'), "conflict", 6, 5, "the same"),
    "a list for when": (task("when: [x]"), "wrong-type", 6, 11, '"runIf"'),
    "both spellings of defaults": (
        tasks_flow(TASK, taskDefaults="[]", pluginDefaults="[]"), "conflict", 3, 1, "the same",
    ),
    "a default without a type": (
        tasks_flow(TASK, pluginDefaults="[{values: {}}]"), "missing-property", 3, 18, 'entry of "pluginDefaults"',
    ),
    "a trigger without a type": (tasks_flow(TASK, triggers="[{id: t}]"), "missing-property", 3, 12, '"type"'),
    "a trigger that is text": (tasks_flow(TASK, triggers="[x]"), "wrong-type", 3, 12, "must be a map"),
    "a trigger with a bad id": (tasks_flow(TASK, triggers=f"[{{id: a/b, {HOOK}}}]"), "invalid-id", 3, 17, '"a/b"'),
    "an unknown input type": (inputs("{id: x, type: STRNG}"), "unknown-type", 4, 19, '"STRNG"'),
    "an input without a type": (inputs("{id: x}"), "missing-property", 4, 5, 'an input needs the property "type"'),
    "an option of another type": (inputs("{id: x, type: INT, validator: y}"), "unknown-property", 4, 24, "type INT"),
    "bounds that exclude all": (inputs("{id: x, type: INT, min: 5, max: 3}"), "out-of-range", 4, 29, "no value"),
    "a broken pattern": (inputs('{id: x, type: STRING, validator: "("}'), "invalid-pattern", 4, 38, "not valid"),
    "a lookahead": (inputs('{id: x, type: STRING, validator: "(?=a)"}'), "invalid-pattern", 4, 38, "not valid"),
    "nothing to select": (inputs("{id: x, type: SELECT}"), "missing-property", 4, 5, '"values" or "expression"'),
    "two sources of values": (
        inputs("{id: x, type: SELECT, values: [a], expression: b}"), "conflict", 4, 40, "exclude each other",
    ),
    "an array of arrays": (inputs("{id: x, type: ARRAY, itemType: ARRAY}"), "invalid-choice", 4, 36, "itemType"),
    "an input inside an input": (inputs("{id: a.b, type: INT}", "{id: a, type: INT}"), "conflict", 4, 10, "inside"),
    "an input that waits for nobody": (
        inputs("{id: a, type: INT, dependsOn: {inputs: [b]}}"), "unknown-dependency", 4, 45, "not an input",
    ),
    "inputs that wait for each other": (
        inputs("{id: a, type: INT, dependsOn: {inputs: [b]}}", "{id: b, type: INT, dependsOn: {inputs: [a]}}"),
        "dependency-cycle", 4, 24, "a -> b -> a",
    ),
    "a start and a default": (
        inputs("{id: x, type: INT, defaults: 1, prefill: 2}"), "conflict", 4, 37, "exclude each other",
    ),
    "a schema that is none": (
        inputs("{id: x, type: JSON, jsonSchema: {type: 5}}"), "invalid-value", 4, 37, "$.type: 5 is not valid",
    ),
    "a schema as text that is none": (
        inputs("{id: x, type: JSON, jsonSchema: '{'}"), "invalid-value", 4, 37, '"jsonSchema"',
    ),
    "a schema that is a list": (inputs("{id: x, type: JSON, jsonSchema: []}"), "wrong-type", 4, 37, '"jsonSchema"'),
    "an output of an unknown type": (
        tasks_flow(TASK, outputs="[{id: o, type: STRNG, value: x}]"), "invalid-choice", 3, 25, '"STRNG"',
    ),
    "reusable inputs": (inputs("{id: x, type: REUSABLE_INPUTS}"), "not-supported", 4, 19, "commercial"),
    "quotas": (tasks_flow(TASK, quotas="[{limit: 1}]"), "not-supported", 3, 1, '"quotas"'),
    "a task cache that is good for no time": (
        task("taskCache: {enabled: true, ttl: PT0S}"), "invalid-duration", 6, 37, "not longer than nothing",
    ),
    "a worker group": (task("workerGroup: {key: x}"), "not-supported", 6, 5, "commercial"),
    "a type for later": (task("templateId: demo", f"{FLOW}.Template"), "not-supported", 5, 11, "Template"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_mistake_gets_one_finding_at_its_place(name: str) -> None:
    source, code, line, column, part = CASES[name]
    parsed = read_flow(source)
    assert parsed.flow is None
    assert [(found.code, found.line, found.column) for found in parsed.diagnostics] == [(code, line, column)]
    assert part in parsed.diagnostics[0].message
    assert parsed.diagnostics[0].severity is Severity.ERROR


def test_all_mistakes_are_found_at_once_in_the_order_of_the_file() -> None:
    source = f"""
id: ../demo
namespace: acme
disabled: perhaps
tasks:
  - {{id: a, type: {LOG}, mesage: hi}}
  - id: p
    type: {FLOW}.Parallel
    tasks:
      - {{id: a, type: {CHAT}, apiKey: k, temperature: 7}}
      - id: q
        type: {FLOW}.Swich
  - {{id: z, type: {RETURN}, timeout: soon, allow_failure: true}}
"""
    diagnostics = read_flow(source).diagnostics
    assert diagnostics == sorted(diagnostics, key=lambda finding: (finding.line, finding.column))
    found = [(finding.line, finding.code) for finding in diagnostics]
    assert found == [
        (2, "invalid-id"), (4, "wrong-type"), (6, "missing-property"), (6, "unknown-property"), (10, "duplicate-id"),
        (10, "out-of-range"), (12, "unknown-type"), (13, "invalid-duration"), (13, "unknown-property"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        (tasks_flow("  - {id: a, type: io.kestra.plugin.core.debug.Retrun}\n"), f'did you mean "{RETURN}"?'),
        (tasks_flow("  - {id: a, type: io.kestra.plugin.logs.Log}\n"), f'did you mean "{LOG}"?'),
        (tasks_flow("  - {id: a, type: log}\n"), f'did you mean "{LOG}"?'),
        (task("tasks: []", f"{FLOW}.Paralel"), f'did you mean "{FLOW}.Parallel"?'),
        (task("allow_failure: true"), 'did you mean "allowFailure"?'),
        (task("Format: x"), 'did you mean "format"?'),
        (tasks_flow(TASK, task="x"), 'did you mean "tasks"?'),
        (inputs("{id: x, type: string}"), 'did you mean "STRING"?'),
        (task("message: x\n    level: info", LOG), 'did you mean "INFO"?'),
    ],
)
def test_what_was_meant_is_suggested(source: str, hint: str) -> None:
    assert read_flow(source).diagnostics[0].hint == hint


def test_a_property_that_says_nothing_may_stand_even_where_it_is_not_supported() -> None:
    source = tasks_flow(TASK, quotas="", listeners="[]", deleted="false", tenantId="main", updated="2024-01-01")
    assert read_flow(source).diagnostics == []


def test_a_value_that_an_expression_gives_is_judged_when_it_runs() -> None:
    message = '{role: "{{ inputs.role }}", content: "{{ x }}"}'
    properties = f'apiKey: "{{{{ k }}}}"\n    maxTokens: "{{{{ n }}}}"\n    messages: [{message}]'
    assert read_flow(task(properties, CHAT)).diagnostics == []
    listed = task('apiKey: k\n    messages: \'[{"role": "user", "content": "x"}]\'', CHAT)
    assert read_flow(listed).diagnostics == []
    assert read_flow(task('timeout: "{{ inputs.t }}"')).diagnostics == []


def test_numbers_as_text_and_text_as_numbers_are_accepted() -> None:
    assert read_flow(task('apiKey: 5\n    maxTokens: "7"\n    temperature: "0.5"\n    description: 3', CHAT)).flow
    assert read_flow(task("message: true", LOG)).flow


def nested(depth: int) -> str:
    lines = ["id: demo", "namespace: acme", "tasks:"]
    for level in range(depth):
        indent = "    " * level
        lines += [f"{indent}  - id: p{level}", f"{indent}    type: {FLOW}.Sequential", f"{indent}    tasks:"]
    return "\n".join([*lines, f"{'    ' * depth}  - {{id: leaf, type: {RETURN}}}", ""])


def test_an_id_that_is_used_often_is_told_where_it_was_first() -> None:
    messages = [finding.message for finding in read_flow(tasks_flow(TASK * 3)).diagnostics]
    assert messages == ['the task id "a" is already used in line 4'] * 2


def test_any_number_of_containers_may_stand_beside_each_other() -> None:
    container = "  - {{id: p{0}, type: {1}.Sequential, tasks: [{{id: t{0}, type: {2}}}]}}\n"
    source = tasks_flow("".join(container.format(number, FLOW, RETURN) for number in range(50)))
    assert read_flow(source).diagnostics == []


def test_containers_nest_32_deep_and_no_deeper() -> None:
    assert read_flow(nested(32)).flow is not None
    for depth in (33, 90, 200):
        assert [finding.code for finding in read_flow(nested(depth)).diagnostics] == ["too-deep"]


def test_every_code_has_a_case() -> None:
    shown = {case[1] for case in (*CASES.values(), *test_bad_yaml.CASES.values())}
    elsewhere = {"unquoted-expression", "bad-escape", test_recursion.CODE, *test_templates.CODES, *test_triggers.CODES}
    checked = {*GROUPS["Expressions"], *GROUPS["Dialects"], "invalid-default", "refused-inputs"}  # tests/unit/check
    from_the_command_line = {"unreadable"}
    assert shown | elsewhere | checked | from_the_command_line == set(CODES)
