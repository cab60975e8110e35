"""The page of task types is written from the classes, and the one in the documentation is current."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.catalog import DISTRIBUTION, Catalog, Entry
from engine.cli.task_types import task_types_page
from tests.unit.cli.typed import Penstock

PAGE = Path(__file__).parents[3] / "docs" / "task-types.md"
CATALOG = Catalog()
SHIPPED = [entry for entry in CATALOG.entries() if entry.source == DISTRIBUTION]


def test_the_page_in_the_documentation_is_current() -> None:
    current = task_types_page(CATALOG, SHIPPED)
    assert PAGE.read_text(encoding="utf-8") == current, "penstock plugins reference > docs/task-types.md"


@pytest.mark.parametrize("entry", SHIPPED, ids=lambda entry: entry.type)
def test_each_type_is_on_the_page_with_its_aliases(entry: Entry) -> None:
    text = task_types_page(CATALOG, [entry])
    for name in (entry.type, *entry.aliases):
        assert f"`{name}`" in text


def test_what_a_type_takes_and_gives_is_told() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert "| `duration` | duration, *as written* | **required** |" in text  # Sleep
    assert "| `errorMessage` | string | `Task failure` |" in text
    assert "| `concurrencyLimit` | integer | `1` |" in text
    assert "| `tasks` | list of Task | **required** |" in text
    assert "Gives `uri` (string), `deleted` (boolean)." in text


def test_the_command_prints_the_page(penstock: Penstock) -> None:
    answer = penstock("plugins", "reference")
    assert (answer.code, answer.out) == (0, task_types_page(CATALOG, CATALOG.entries()))
