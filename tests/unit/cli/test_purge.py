"""`penstock executions purge`: which go, which stay, also when another engine owns the database."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

from tests.unit.cli.typed import Penstock


def executions(penstock: Penstock) -> list[str]:
    return [each["state"]["current"] for each in json.loads(penstock("executions", "list", "--json").out)]


@pytest.fixture
def history(project: Path, penstock: Penstock) -> None:
    """Two executions that succeeded and one that failed; the first was a hundred days ago."""
    penstock("run", "hello.yaml", "--quiet", "-i", "name=Ada", "--label", "team=a")
    with closing(sqlite3.connect(project / ".penstock" / "penstock.db")) as bare, bare:
        bare.execute("UPDATE executions SET started_at = started_at - 8640000000000")
    penstock("run", "hello.yaml", "--quiet")
    penstock("run", "failing.yaml", "--quiet")


@pytest.mark.parametrize(
    ("options", "left"),
    [
        (["--older-than", "P30D"], ["FAILED", "SUCCESS"]),
        (["--older-than", "PT0S"], []),
        (["--state", "failed"], ["SUCCESS", "SUCCESS"]),
        (["--label", "team=a"], ["FAILED", "SUCCESS"]),
        (["--namespace", "nobody"], ["FAILED", "SUCCESS", "SUCCESS"]),
        (["--flow", "hello", "--older-than", "P1D"], ["FAILED", "SUCCESS"]),
    ],
)
def test_what_is_meant_goes(history: None, penstock: Penstock, options: list[str], left: list[str]) -> None:
    count = 3 - len(left)
    told = json.loads(penstock("executions", "purge", *options, "--dry-run", "--json").out)
    assert told == {"executions": count}
    assert len(executions(penstock)) == 3
    answer = penstock("executions", "purge", *options)
    assert (answer.code, f"deleted {count} execution" in answer.out) == (0, True)
    assert sorted(executions(penstock)) == left


@pytest.mark.parametrize("options", [[], ["--older-than", "a month"], ["--state", "RUNNING"], ["--label", "x"]])
def test_what_makes_no_sense_removes_nothing(history: None, penstock: Penstock, options: list[str]) -> None:
    answer = penstock("executions", "purge", *options)
    assert answer.code == 2
    assert len(executions(penstock)) == 3


def test_the_owner_of_the_database_purges_for_others(
    history: None, project: Path, penstock: Penstock, start: Callable[..., Popen[bytes]]
) -> None:
    (project / "going.yaml").write_text(
        "id: going\nnamespace: acme\ntasks:\n  - {id: long, type: io.kestra.plugin.core.flow.Sleep, duration: PT10M}\n",
        encoding="utf-8",
    )
    running: Any = start("run", "going.yaml")
    try:
        while b"long" not in running.stdout.readline():
            assert running.poll() is None
        assert json.loads(penstock("executions", "purge", "--older-than", "PT0S", "--json").out)["executions"] == 3
        assert executions(penstock) == ["RUNNING"]
    finally:
        running.kill()
        running.communicate()
