"""The text around what is rewritten stays as it was: line ends, anchors, comments, the end of the file."""

import pytest

from engine.dialect.migrate import migrate
from engine.errors import FlowInvalid
from tests.unit.migrate.pairs import CATALOG, HEAD, left_in, migrated, rewritten

DELETE = "io.kestra.plugin.fs.local.Delete"


def test_line_ends_of_windows() -> None:
    text = f"tasks:\n  - id: t\n    type: {DELETE}\n    runIf: true\n"
    after = migrate((HEAD + text).replace("\n", "\r\n"), "2.0", types=CATALOG).text
    assert after == (HEAD + rewritten(text)).replace("\n", "\r\n")


def test_no_line_end_at_the_end() -> None:
    assert rewritten(f"tasks:\n  - id: t\n    type: {DELETE}") == (
        f"tasks:\n  - id: t\n    type: {DELETE}\n    recursive: true"
    )


def test_an_anchor_is_edited_once() -> None:
    text = "tasks:\n  - &one {id: t, type: x.Y, runIf: true}\n  - <<: *one\n    id: u\n"
    assert rewritten(text) == text.replace("runIf", "when")


def test_an_alias_is_left() -> None:
    text = f"tasks:\n  - &one {{id: t, type: {DELETE}}}\nerrors:\n  - *one\n"
    assert [line for line, _ in left_in(text)] == [4]


def test_what_is_merged_in_is_not_added_to() -> None:
    text = f"tasks:\n  - &one {{id: t, type: {DELETE}}}\n  - <<: *one\n    id: u\n  - {{<<: *one}}\n"
    migration = migrated(text)
    assert "    id: u\n    recursive: true\n" in migration.text
    assert [finding.line for finding in migration.left] == [7]


def test_what_stands_behind_a_removed_property_stays() -> None:
    text = (
        "inputs:\n  - id: a\n    type: INT\n    defaults: 1\n    required: false\n\n"
        "  # the second\n  - id: b\n    type: INT\n"
    )
    assert rewritten(text) == text.replace("    required: false\n", "")


def test_the_last_section_leaves_no_blank_lines() -> None:
    text = "tasks:\n  - id: t\n    type: x.Y\n\npluginDefaults:\n  - type: x\n    values: {a: 1}\n"
    assert rewritten(text) == "tasks:\n  - id: t\n    type: x.Y\n    a: 1\n"


@pytest.mark.parametrize("text", ["", "- a\n", "x", "id: a\n  b: c\n", "a: 1\na: 2\n"])
def test_what_is_no_flow_is_refused(text: str) -> None:
    with pytest.raises(FlowInvalid):
        migrate(text, "2.0", types=CATALOG)


@pytest.mark.parametrize(
    "text",
    [
        "tasks: 5\ninputs: x\ntriggers: {a: b}\nchecks: [1]\nlisteners: [2]\n",
        "tasks: [null, [], {id: 1, type: 2}, {task: 3}]\ntriggers: [1, {conditions: 2}, {type: 3, preconditions: 4}]\n",
        "pluginDefaults: 3\n",
        "pluginDefaults: [1]\n",
        "tasks: [{id: a, type: io.kestra.plugin.core.flow.ForEach, tasks: 1, values: {}}]\n",
        "tasks: [{id: a, type: x.Y, b: \"{{ outputs.\"}, {id: c, type: x.Y, d: \"{{ x[ }}\"}]\n",
    ],
)  # fmt: skip
@pytest.mark.parametrize("to", ["2.0", "1.x"])
def test_nonsense_is_no_bug(text: str, to: str) -> None:
    assert migrated(text, to).text  # type: ignore[arg-type]  # one of the two


def test_a_flow_in_another_expression_language_is_left() -> None:
    text = "tasks:\n  - {id: t, type: x.Y, runIf: a}\nexpressions: jinja2\n"
    assert left_in(text) == [(3, "the expressions of this flow are not in Kestra's language")]
    assert migrated(text).text == HEAD + text
