"""`pluginDefaults` written out: the same data as the engine itself makes of them."""

import pytest

from engine.dialect.defaults import own_defaults, with_defaults
from engine.dialect.document import read
from engine.dialect.source import decode
from tests.unit.migrate.pairs import CATALOG, HEAD, left_in, rewritten

TASKS = (
    "tasks:\n"
    "  - id: one\n    type: x.One # first\n    # kept\n    map:\n      a: 1\n      deep: {b: 2}\n    list:\n      - l\n"
    "  - {id: two, type: x.Two, map: {}, list: [m], runner: {type: x.Runner}}\n"
    "  - id: three\n    type: y.Other\n    tasks:\n      - id: four\n        type: x.One\n"
    "triggers:\n  - id: t\n    type: x.Trigger\n"
)


@pytest.mark.parametrize(
    "defaults",
    [
        "[{type: x, values: {a: 1}}]",
        "[{type: x.One, values: {map: {a: 9, c: 3, deep: {b: 8, d: 4}}, list: [k, [z]]}}]",
        "[{type: x, forced: true, values: {map: {a: 9}, list: [n]}}]",
        "[{type: x, values: {a: first}}, {type: x.One, values: {a: second, b: 2}}]",
        "[{type: x, forced: true, values: {a: first}}, {type: x, forced: true, values: {a: second}}]",
        "[{type: x.Two, values: {map: {text: \"a\\nb\\n\", on: 'on', no: 'null', n: '1e3'}}}]",
        "[{type: x.Two, values: {x: \"{{ a | b('\\\"') }}\", y: '\\ {{ x }}', z: \"'\", c: 'a: b #'}}]",
        "[{type: x.Runner, values: {image: i}}, {type: x.Two, values: {runner: {pull: NEVER}}}]",
        "[{type: x, forced: true, values: {list: scalar}}]",
        "[{type: nothing, values: {a: 1}}]",
        "[{type: x, values: {}}]",
        "[]",
    ],
)
@pytest.mark.parametrize("key", ["pluginDefaults", "taskDefaults"])
def test_defaults_are_written_out(defaults: str, key: str) -> None:
    data = read(decode(HEAD + TASKS, "x")).data
    entries = read(decode(f"pluginDefaults: {defaults}\n", "x")).data
    expected = with_defaults(data, own_defaults(entries), CATALOG)
    after = rewritten(f"{TASKS}{key}: {defaults}\n")
    assert read(decode(HEAD + after, "x")).data == expected
    assert "# first" in after
    assert "    # kept\n" in after


def test_how_they_are_written() -> None:
    defaults = (
        "pluginDefaults:\n  - type: x.One\n    values:\n      retry: {type: constant, interval: PT1S}\n"
        "      note: |\n        two\n        lines\n"
    )
    assert rewritten(f"{defaults}tasks:\n  - id: one\n    type: x.One\n    a: 1\n  - {{id: two, type: x.One}}\n") == (
        "tasks:\n  - id: one\n    type: x.One\n    retry:\n      type: constant\n      interval: PT1S\n    note: |\n"
        "      two\n      lines\n    a: 1\n"
        '  - {id: two, type: x.One, retry: {type: constant, interval: PT1S}, note: "two\\nlines\\n"}\n'
    )


@pytest.mark.parametrize("defaults", ["[{values: {a: 1}}]", "text", "[{type: \"{{ a }}\", values: {}}]"])  # fmt: skip
def test_defaults_that_make_no_sense_are_left(defaults: str) -> None:
    assert [line for line, _ in left_in(f"pluginDefaults: {defaults}\n{TASKS}")] == [1]
