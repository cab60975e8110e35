"""`penstock db`: copies and the way back, and what is said of a database that cannot be used (exit codes, advice)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

from engine.cli.progress import Progress
from tests.unit.cli.typed import Penstock


@pytest.fixture
def database(project: Path, penstock: Penstock) -> Path:
    """The database of a project where a flow has run."""
    assert penstock("run", "hello.yaml", "--quiet").code == 0
    return project / ".penstock" / "penstock.db"


def executions(penstock: Penstock) -> list[str]:
    return [each["id"] for each in json.loads(penstock("executions", "list", "--json").out)]


def test_a_backup_and_the_way_back(database: Path, penstock: Penstock, project: Path) -> None:
    then = executions(penstock)
    made = json.loads(penstock("db", "backup", "copy.db", "--json").out)
    assert made == {"file": "copy.db", "bytes": (project / "copy.db").stat().st_size}
    penstock("run", "hello.yaml", "--quiet")
    assert len(executions(penstock)) == 2
    answer = penstock("db", "restore", "copy.db")
    assert answer.code == 0
    assert f"{database}.2" in answer.out
    assert executions(penstock) == then
    assert penstock("db", "check").code == 0
    assert penstock("db", "backup", "copy.db").code == 2
    assert penstock("db", "restore", "absent.db").code == 2


def test_a_backup_beside_a_running_engine(
    database: Path, penstock: Penstock, start: Callable[..., Popen[bytes]], project: Path
) -> None:
    (project / "going.yaml").write_text(
        "id: going\nnamespace: acme\ntasks:\n  - {id: long, type: io.kestra.plugin.core.flow.Sleep, duration: PT10M}\n",
        encoding="utf-8",
    )
    running: Any = start("run", "going.yaml")
    try:
        while b"long" not in running.stdout.readline():
            assert running.poll() is None
        assert penstock("db", "backup", "copy.db").code == 0
        for refused in (("db", "restore", "copy.db"), ("db", "compact")):
            answer = penstock(*refused)
            assert (answer.code, str(running.pid) in answer.err) == (4, True)
    finally:
        running.kill()
        running.communicate()
    assert penstock("db", "restore", "copy.db").code == 0
    assert len(executions(penstock)) == 2


def test_a_database_is_compacted(database: Path, penstock: Penstock) -> None:
    answer = penstock("db", "compact")
    assert (answer.code, str(database) in answer.out) == (0, True)
    assert len(executions(penstock)) == 1


def read_only(database: Path) -> None:
    database.chmod(0o444)


def in_a_read_only_folder(database: Path) -> None:
    database.parent.chmod(0o555)


def truncated(database: Path) -> None:
    database.write_bytes(database.read_bytes()[:-20_000])


def with_a_flipped_page(database: Path) -> None:
    with closing(sqlite3.connect(database)) as bare:
        (page,) = bare.execute("SELECT rootpage FROM sqlite_master WHERE name = 'executions'").fetchone()
    content, start = bytearray(database.read_bytes()), (page - 1) * 4096
    content[start : start + 4096] = bytes(255 - byte for byte in content[start : start + 4096])
    database.write_bytes(content)


def no_database(database: Path) -> None:
    database.write_text("my notes\n" * 100)


def emptied_beside_its_log(database: Path) -> None:
    database.write_bytes(b"")
    database.with_name("penstock.db-wal").write_bytes(b"the last commits")


@pytest.mark.parametrize(
    "spoil", [read_only, in_a_read_only_folder, truncated, with_a_flipped_page, no_database, emptied_beside_its_log]
)
def test_a_database_that_cannot_be_used_is_left_alone_and_its_backup_named(
    database: Path, penstock: Penstock, spoil: Callable[[Path], None], project: Path
) -> None:
    penstock("db", "backup")
    (backup,) = database.parent.glob("*.backup")
    spoil(database)
    before = database.read_bytes()
    try:
        answer = penstock("run", str(project / "hello.yaml"))
    finally:
        database.parent.chmod(0o700)
    assert answer.code == 1
    assert database.read_bytes() == before
    assert "Traceback" not in answer.err
    if spoil in (read_only, in_a_read_only_folder):
        assert "chmod u+" in answer.err
        return
    assert f"penstock db restore {backup}" in answer.err
    assert penstock("db", "restore", str(backup)).code == 0
    assert penstock("run", "hello.yaml", "--quiet").code == 0
    assert len(executions(penstock)) == 2


def test_zero_bytes_and_no_log_are_a_new_database(database: Path, penstock: Penstock) -> None:
    database.write_bytes(b"")
    assert executions(penstock) == []


def test_a_log_that_is_gone_leaves_what_was_worked_in(database: Path, penstock: Penstock) -> None:
    database.with_name("penstock.db-wal").unlink(missing_ok=True)
    assert len(executions(penstock)) == 1


def test_progress_shows_on_a_terminal_what_takes_long(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.cli.progress._AFTER", 0.0)
    monkeypatch.setattr("engine.cli.progress._EVERY", 0.0)
    with Progress("copied") as silent:
        silent.show(1, 2)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with Progress("copied") as telling:
        telling.show(1, 2)
        telling.show(7, 0)
    assert capsys.readouterr().err == "\r\x1b[Kcopied 50 %\r\x1b[Kcopied 7\r\x1b[K"
