"""ForEach and its older kin -> Loop, and back: the loop, and every expression that reads it."""

import pytest

from tests.unit.migrate.pairs import CORE, left_in, migrated, rewritten

FOR_EACH, LOOP = f"{CORE}.flow.ForEach", f"{CORE}.flow.Loop"


def nested(type_: str, *texts: str) -> str:
    """Two loops and an If: what stands in the inner loop's values, an inner task, a task in the If, the If itself."""
    values, inner, then, condition = texts
    return (
        f"tasks:\n  - id: outer\n    type: {type_}\n    values: [a, b]\n    concurrencyLimit: 2\n    tasks:\n"
        f"      - {{id: one, type: x.Y}}\n"
        f"      - id: inner\n        type: {type_}\n        values: [c]\n        concurrencyLimit: 0\n"
        f"        x: \"{values}\"\n        tasks:\n          - {{id: two, type: x.Y, a: \"{inner}\"}}\n"
        f"      - id: choice\n        type: {CORE}.flow.If\n        condition: \"{condition}\"\n        then:\n"
        f"          - {{id: three, type: x.Y, a: \"{then}\"}}\n"
    )  # fmt: skip


ROUNDS = [
    ("{{ taskrun.value }}", "inner's values", "{{ item.value }}"),
    ("{{ outputs.one[taskrun.value].x }}", "inner's values", "{{ outputs.one.x }}"),
    ("{{ taskrun.value }} {{ taskrun.iteration }}", "inner task", "{{ item.value }} {{ item.index }}"),
    ("{{ parent.taskrun.value }}", "inner task", "{{ item.parent.value }}"),
    ("{{ outputs.one[parent.taskrun.value]['x y'] }}", "inner task", "{{ outputs.one['x y'] }}"),
    ("{{ outputs.two[parent.taskrun.value][taskrun.value].x }}", "inner task", "{{ outputs.two.x }}"),
    ("{{ tasks.one[parent.taskrun.value].state }}", "inner task", "{{ tasks.one.state }}"),
    ("{{ parent.taskrun.value }}", "task of the If", "{{ item.value }}"),
    ("{{ outputs.one[parent.taskrun.value].x | upper }}", "task of the If", "{{ outputs.one.x | upper }}"),
    ("{{ inputs.m[parent.taskrun.value] }}", "task of the If", "{{ inputs.m[item.value] }}"),
    ("{{ outputs.one[taskrun.value].x == taskrun.value }}", "the If", "{{ outputs.one.x == item.value }}"),
]
PLACES = ["inner's values", "inner task", "task of the If", "the If"]


@pytest.mark.parametrize(("before", "place", "after"), ROUNDS)
def test_expressions_to_2_and_back(before: str, place: str, after: str) -> None:
    old, new = ["{{ 1 }}"] * 4, ["{{ 1 }}"] * 4
    old[PLACES.index(place)], new[PLACES.index(place)] = before, after
    assert rewritten(nested(FOR_EACH, *old)) == nested(LOOP, *new)
    assert rewritten(nested(LOOP, *new), "1.x") == nested(FOR_EACH, *old)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{{ currentEachOutput(outputs.one).x }}", "{{ outputs.one.x }}"),
        ("{{ parents[0].taskrun.value }}", "{{ item.value }}"),
        ("{{ taskrun['value'] }}", "{{ item.value }}"),
        ("{{ taskrun.value }}", "{{ item.value }}"),
        ("{{ taskrun.id }} {{ taskrun.startDate }}", "{{ taskrun.id }} {{ taskrun.startDate }}"),
        ("{% set x = 1 %}{{ x }}{{ parent.taskrun.value }}", "{% set x = 1 %}{{ x }}{{ item.value }}"),
    ],
)  # fmt: skip
def test_expressions_to_2_only(before: str, after: str) -> None:
    rest = ["{{ 1 }}"] * 2
    text = nested(FOR_EACH, *rest, before, "{{ 1 }}")
    assert rewritten(text) == nested(LOOP, *rest, after, "{{ 1 }}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ outputs.two | keys }}", '"two" cannot be read from outside its Loop by value'),
        ("{{ outputs.one | keys }}", 'a round of a Loop reads only its own run of "one"'),
        ("{{ outputs.one['b'].x }}", 'a round of a Loop reads only its own run of "one"'),
        ("{{ parents[4].taskrun.value }}", "it is not certain which loop this is about"),
        ("{% for item in [1] %}{{ parent.taskrun.value }}{% endfor %}", "`item` has another meaning in this text"),
        ("{{ iterationOutput(outputs.one, 1) }}", "a round of a Loop cannot read another round"),
    ],
)
def test_what_a_round_cannot_read_is_left(text: str, message: str) -> None:
    before = nested(FOR_EACH, "{{ 1 }}", "{{ 1 }}", text, "{{ taskrun.value }}")
    migration = migrated(before)
    assert message in [finding.message for finding in migration.left]
    assert FOR_EACH in migration.text, "the loops of a flow are rewritten together, or not at all"
    assert "{{ taskrun.value }}" in migration.text


def test_reading_a_loop_from_outside_is_left_where_it_stands() -> None:
    text = f"tasks:\n  - {{id: l, type: {FOR_EACH}, values: [a], tasks: [{{id: t, type: x.Y}}]}}\n" + (
        "outputs:\n  - {id: o, type: STRING, value: \"{{ outputs.t['a'].value }}\"}\n"
    )
    assert (4, '"t" cannot be read from outside its Loop by value') in left_in(text)


def test_a_loop_that_would_run_its_errors_more_often_is_left() -> None:
    text = f"tasks:\n  - id: l\n    type: {FOR_EACH}\n    values: [1]\n    tasks: [{{id: t, type: x.Y}}]\n"
    assert 6 in [line for line, _ in left_in(f"{text}    errors: [{{id: e, type: x.Y}}]\n")]


def test_a_parallel_whose_name_is_taken_is_left() -> None:
    tasks = "[{id: l_parallel, type: x.Y}, {id: u, type: x.Y}]"
    text = f"tasks:\n  - id: l\n    type: {CORE}.flow.EachParallel\n    value: [1]\n    tasks: {tasks}\n"
    assert 5 in [line for line, _ in left_in(text)]


@pytest.mark.parametrize(("values", "notes"), [("[a, b]", 0), ("[a, a]", 1), ('"{{ inputs.v }}"', 1), ("[[1]]", 1)])
def test_values_that_may_be_there_twice_are_noted(values: str, notes: int) -> None:
    text = f"tasks:\n  - {{id: l, type: {FOR_EACH}, values: {values}, tasks: [{{id: t, type: x.Y}}]}}\n"
    migration = migrated(text)
    assert [finding.code for finding in migration.notes] == ["migrated-with-care"] * notes


@pytest.mark.parametrize(
    "properties",
    [
        "outputs: [{id: o, type: INT, value: 1}]",
        "breakWhen: '{{ true }}'",
        "transmitFailed: false",
        "fetchType: STORE",
        "errors: [{id: e, type: x.Y}]",
        "x: '{{ item.key }}'",
        "x: '{{ item.parent.value }}'",
        "x: '{{ item }}'",
    ],
)
def test_what_a_for_each_cannot_do_is_left(properties: str) -> None:
    inside = properties if properties.startswith("x:") else "x: 1"
    own = "" if inside == properties else f", {properties}"
    text = f"tasks:\n  - {{id: l, type: {LOOP}, values: [1], tasks: [{{id: t, type: x.Y, {inside}}}]{own}}}\n"
    assert len(left_in(text, "1.x")) == 1


def test_reading_a_loops_outputs_is_left() -> None:
    text = (
        f"tasks:\n  - {{id: l, type: {LOOP}, values: [1], tasks: [{{id: t, type: x.Y}}]}}\n"
        "  - {id: u, type: x.Y, a: \"{{ loopOutputs(outputs.l.outputs, 't') }}\"}\n"
    )
    assert [line for line, _ in left_in(text, "1.x")] == [3, 3]


@pytest.mark.parametrize(
    ("loop", "task", "read"),
    [
        ("values: \"{{ inputs.v }}\"", "type: RETURN", "outputs.t['a'].value"),
        ("values: [a, a]", "type: RETURN", "outputs.t['a'].value"),
        ("values: [a]", "type: RETURN", "outputs.t['b'].value"),
        ("values: [a]", "type: RETURN", "outputs.t[inputs.x].value"),
        ("values: [a]", "type: RETURN, runIf: \"{{ x }}\"", "outputs.t['a'].value"),
        ("values: [a]", "type: x.Y", "outputs.t['a'].value"),
        ("values: [a]", "type: RETURN", "tasks.t['a'].state"),
    ],
)  # fmt: skip
def test_reading_from_outside_by_what_is_not_plain_to_see_is_left(loop: str, task: str, read: str) -> None:
    inner = f"{{id: t, {task}}}".replace("RETURN", f"{CORE}.debug.Return")
    text = f"tasks:\n  - {{id: l, type: {FOR_EACH}, {loop}, tasks: [{inner}]}}\n"
    text += f'  - {{id: u, type: x.Y, a: "{{{{ {read} }}}}"}}\n'
    assert '"t" cannot be read from outside its Loop by value' in [message for _, message in left_in(text)]


def test_three_loops_deep() -> None:
    def flow(type_: str, text: str) -> str:
        loop = f"type: {type_}, concurrencyLimit: 1"
        inner = f'{{id: c, {loop}, values: [3], tasks: [{{id: t, type: x.Y, a: "{text}"}}]}}'
        middle = f"{{id: b, {loop}, values: [2], tasks: [{inner}]}}"
        return f"tasks:\n  - {{id: a, {loop}, values: [1], tasks: [{middle}]}}\n"

    old = "{{ taskrun.value }}{{ parent.taskrun.value }}{{ parents[1].taskrun.value }}"
    new = "{{ item.value }}{{ item.parent.value }}{{ item.parents[1].value }}"
    assert rewritten(flow(FOR_EACH, old)) == flow(LOOP, new)
    assert rewritten(flow(LOOP, new), "1.x") == flow(FOR_EACH, old)
