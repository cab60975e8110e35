"""Words that became other words, in both directions."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from engine.dialect.migrate import RULES
from engine.dialect.migrate.rule import Rule
from tests.unit.migrate.pairs import left_in, migrated, rewritten

ESCAPED = "\\|"
SHELL = "io.kestra.plugin.scripts.shell.Commands"

PAIRS = yaml.safe_load((Path(__file__).parents[2] / "golden" / "migrate" / "pairs.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", PAIRS, ids=lambda case: case["about"])
def test_before_and_after(case: dict[str, Any]) -> None:
    assert rewritten(case["before"]) == case["after"]
    assert case["rule"] in {one.rule for one in migrated(case["before"]).rewritten}
    if case.get("back"):
        assert rewritten(case["after"], "1.x") == case["before"]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (
            f"tasks:\n  - id: t\n    type: {SHELL}\n    docker: {{image: a, user: b}}\n",
            4,
            '"docker" sets more than the image',
        ),
        (f"tasks:\n  - id: t\n    type: {SHELL}\n    runner: MAGIC\n", 4, '"runner" stands beside "taskRunner"'),
        ("tasks:\n  - id: t\n    type: x.Y\n    when: a\n    runIf: b\n", 5, '"runIf" and "when" mean the same'),
        ("tasks:\n  - id: t\n    type: x.Y\n    a: |\n      b\n      {{ c\n", 6, "this expression cannot be read"),
        ("listeners:\n  - tasks: [{id: t, type: x.Y}]\n", 1, "2.0 has no listeners"),
        ("tasks:\n  - id: t\n    type: io.kestra.plugin.core.log.Fetch\n", 3, "2.0 has no io.kestra"),
        ("tasks:\n  - id: t\n    type: io.kestra.plugin.core.state.Set\n", 3, "2.0 has no io.kestra"),
        ("tasks:\n  - id: t\n    type: io.kestra.core.tasks.flows.ForEachItem\n", 3, "2.0 has no io.kestra"),
        ("tasks:\n  - id: t\n    type: x.Y\n    workerGroup: {key: gpu}\n", 4, '2.0 has no "workerGroup"'),
    ],
)
def test_what_is_left_is_told(text: str, line: int, message: str) -> None:
    [(told_line, told)] = left_in(text)
    assert (told_line, told[: len(message)]) == (line, message)


def test_what_1_does_not_have() -> None:
    text = (
        "quotas: [{duration: PT1M, limit: 1}]\ntasks:\n"
        "  - id: t\n    type: io.kestra.plugin.core.storage.PurgeStorage\n"
        "    a: |\n      x\n      {{ hourOfDay(now()) }}\n"
    )
    assert [line for line, _ in left_in(text, "1.x")] == [1, 4, 7]


def test_places_are_those_of_the_text_that_came_in() -> None:
    text = (
        "pluginDefaults:\n  - type: x\n    values: {a: 1, b: 2}\n"
        "tasks:\n  - id: t\n    type: x.Y\n    runIf: true\n  - id: u\n    type: io.kestra.plugin.core.log.Fetch\n"
    )
    migration = migrated(text)
    assert [(finding.line, finding.column) for finding in migration.left] == [(11, 11)]
    assert [(one.rule, one.line, one.column) for one in migration.rewritten if one.rule == "run-if"] == [
        ("run-if", 9, 5)
    ]


def test_every_rule_is_shown_and_documented() -> None:
    page = (Path(__file__).parents[3] / "docs" / "migrating.md").read_text(encoding="utf-8")
    for dialect, title in (("2.0", "## From 1.x to 2.0"), ("1.x", "## From 2.0 to 1.x")):
        rows = re.findall(r"^\| `[a-z-]+` \|.*\|$", page.partition(title)[2].partition("\n## ")[0], re.MULTILINE)
        assert rows == [row(rule) for rule in RULES[dialect]]  # type: ignore[index]  # one of the two
    shown = {case["rule"] for case in PAIRS}
    assert {rule.name for rule in RULES["2.0"] if rule.after} == shown


def row(rule: Rule) -> str:
    cells = [f"`{rule.name}`", rule.before, rule.after or "told only", rule.caution or ""]
    return f"| {' | '.join(cell.replace('|', ESCAPED) for cell in cells)} |"
