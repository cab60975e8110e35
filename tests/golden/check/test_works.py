"""Flows that work must pass: each is judged, and then run, so that nobody has to believe that it works."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.mutations import spelled_out
from engine import Engine
from engine.catalog import Catalog
from engine.check import check
from engine.dialect import parse
from engine.dialect.document import read
from engine.dialect.source import decode
from engine.model.diagnostic import Severity

CASES: list[dict[str, Any]] = read(decode(Path(__file__).with_name("works.yaml").read_text(), "works.yaml")).data


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Engine(home=tmp_path_factory.mktemp("home")) as engine:
        yield engine


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["about"]))
def test_a_flow_that_works_has_no_error(engine: Engine, case: dict[str, Any]) -> None:
    source = json.dumps({"id": "case", "namespace": "golden", **spelled_out(case["flow"])}, ensure_ascii=False)
    parsed = parse(source, types=Catalog())
    found = [*parsed.diagnostics, *check(parsed, Catalog())]
    assert [finding for finding in found if finding.severity is Severity.ERROR] == []
    assert [finding.code for finding in found] == case.get("says", [])

    execution = engine.run(engine.parse(source, file="case.yaml"), inputs=case.get("inputs"))
    assert str(execution.state) == case.get("state", "SUCCESS"), [run.error for run in execution.in_order()]


def test_there_are_enough_of_them() -> None:
    assert len(CASES) >= 40
