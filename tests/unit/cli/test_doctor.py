"""`penstock doctor`: a line for each check, what to do about what is wrong, and an exit code; nothing is changed."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import pytest

from tests.unit.cli.typed import Penstock

CHECKS = [
    "disk", "permissions", "sqlite", "owner", "schema", "database",
    "rows", "executions", "histories", "attempts", "order", "places", "triggers", "files", "processes",
]  # fmt: skip
NAME_A_FILE = """UPDATE task_runs
    SET outputs = json_object('uri', 'kestra:///acme/team/hello/executions/' || execution_id || '/x')"""


@pytest.fixture
def database(project: Path, penstock: Penstock) -> Path:
    assert penstock("run", "hello.yaml", "--quiet").code == 0
    return project / ".penstock" / "penstock.db"


def change(database: Path, statement: str) -> None:
    with closing(sqlite3.connect(database)) as bare, bare:
        bare.execute(statement)


def examined(penstock: Penstock) -> tuple[int, dict[str, Any]]:
    answer = penstock("doctor", "--json")
    assert answer.err == ""
    return answer.code, {check["name"]: check for check in json.loads(answer.out)}


def grave(checks: dict[str, Any]) -> list[str]:
    return [name for name, check in checks.items() if any(finding["grave"] for finding in check["findings"])]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_a_sound_installation_is_left_as_it_is(database: Path, penstock: Penstock) -> None:
    before = contents(database.parent)
    code, checks = examined(penstock)
    assert (code, list(checks), grave(checks)) == (0, CHECKS, [])
    assert contents(database.parent) == before
    answer = penstock("doctor")
    assert answer.code == 0
    assert [line[6:17].strip() for line in answer.out.splitlines() if not line.startswith("   ")] == CHECKS


def test_where_nothing_has_run_there_is_nothing_to_find(project: Path, penstock: Penstock) -> None:
    code, checks = examined(penstock)
    assert (code, checks["database"]["told"]) == (0, "there is none yet: the first `penstock run` makes it")
    assert not (project / ".penstock").exists()


@pytest.mark.parametrize(
    ("statement", "check", "words"),
    [
        ("UPDATE executions SET state = 'FAILED'", "histories", "is FAILED, but its history ends with SUCCESS"),
        ("UPDATE executions SET state = 'RUNNING'", "executions", "no engine moves it"),
        ("UPDATE executions SET history = 'x'", "rows", "damaged"),
        ("UPDATE task_runs SET epoch = 0", "attempts", "do not rise: [1], and now 0"),
        ("UPDATE schema_version SET version_num = '0001'", "schema", "the schema is 0001"),
        ("INSERT INTO logs VALUES (99, 'nobody', 1, 'INFO', 'x', NULL, NULL, NULL)", "database", "logs 99 executions"),
        (NAME_A_FILE, "files", "names a file that is gone"),
    ],
)
def test_what_is_planted_is_found(database: Path, penstock: Penstock, statement: str, check: str, words: str) -> None:
    change(database, statement)
    code, checks = examined(penstock)
    assert words in checks[check]["findings"][0]["what"]
    assert checks[check]["findings"][0]["hint"]
    assert code == (1 if check != "files" else 0)  # a file may have been purged
    assert penstock("doctor").code == code


def test_an_open_file_is_found(database: Path, penstock: Penstock) -> None:
    database.chmod(0o644)
    code, checks = examined(penstock)
    assert (code, grave(checks)) == (1, ["permissions"])


def test_a_damaged_database_is_found(database: Path, penstock: Penstock) -> None:
    database.write_bytes(database.read_bytes()[:-20_000])
    code, checks = examined(penstock)
    assert (code, list(checks)[-1], grave(checks)) == (1, "database", ["database"])
    database.write_text("my notes\n" * 100)
    code, checks = examined(penstock)
    assert "not a SQLite database" in checks["database"]["findings"][0]["what"]


def test_a_process_of_an_ended_task_run_is_found(database: Path, penstock: Penstock) -> None:
    with closing(sqlite3.connect(database)) as bare:
        (run_id,) = bare.execute("SELECT id FROM task_runs LIMIT 1").fetchone()
    environ = {**os.environ, "PENSTOCK_ATTEMPT": f"{run_id}/1/abcd"}
    command = [sys.executable, "-c", "import sys; print('up', flush=True); sys.stdin.read()"]
    with Popen(command, stdin=PIPE, stdout=PIPE, env=environ) as stray:
        assert stray.stdout is not None
        stray.stdout.readline()
        code, checks = examined(penstock)
        stray.communicate()
    assert (code, grave(checks)) == (1, ["processes"])
    assert checks["processes"]["findings"][0]["hint"] == f"kill {stray.pid}"


def test_an_engine_at_work_is_nothing_wrong_and_a_dead_one_is(
    project: Path, penstock: Penstock, start: Callable[..., Popen[bytes]]
) -> None:
    (project / "going.yaml").write_text(
        "id: going\nnamespace: acme\ntasks:\n  - {id: long, type: io.kestra.plugin.core.flow.Sleep, duration: PT10M}\n",
        encoding="utf-8",
    )
    running: Any = start("run", "going.yaml")
    try:
        while b"long" not in running.stdout.readline():
            assert running.poll() is None
        code, checks = examined(penstock)
        assert (code, grave(checks)) == (0, [])
        assert f"process {running.pid}" in checks["owner"]["told"]
        assert checks["executions"]["told"] == "1 have not ended: 1 with an engine"
    finally:
        running.kill()
        running.communicate()
    code, checks = examined(penstock)
    assert (code, grave(checks)) == (1, ["executions"])
    assert f"process {running.pid}" in checks["owner"]["told"]
