"""docs/validation.md and the code say the same."""

from __future__ import annotations

import re
from pathlib import Path

from engine.dialect import format_diagnostic, unsupported
from engine.dialect.codes import CODES, GROUPS
from engine.dialect.rules import RESERVED_IDS
from tests.unit.dialect.flows import LOG, read_flow, tasks_flow

PAGE = (Path(__file__).parents[3] / "docs" / "validation.md").read_text(encoding="utf-8")


def test_the_page_has_every_code_with_its_meaning_and_no_other() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| (.+) \|$", PAGE, re.MULTILINE)
    assert dict(rows) == CODES
    assert [code for code, _ in rows] == list(CODES)
    assert [title for title in re.findall(r"^### (.+)$", PAGE, re.MULTILINE) if title in GROUPS] == list(GROUPS)


def test_the_page_shows_what_a_finding_looks_like() -> None:
    source = tasks_flow(f"  - id: hello\n    type: {LOG}\n    mesage: Hi\n")
    assert all(format_diagnostic(finding) in PAGE for finding in read_flow(source).diagnostics)


def test_the_page_names_all_that_is_not_supported() -> None:
    tables = (unsupported.FLOW_PROPERTIES, unsupported.TASK_PROPERTIES, unsupported.INPUT_TYPES)
    names = {name for table in tables for name in table} | {name.rpartition(".")[2] for name in unsupported.TYPES}
    assert {name for name in names | RESERVED_IDS if f"`{name}`" not in PAGE} == set()
