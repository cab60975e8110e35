"""What is said of a machine: its disk, the permissions of files, processes, the version of SQLite."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from engine.runtime.diagnosis import machine


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = tmp_path / "penstock.db"
    database.write_bytes(b"x" * 1000)
    free = {"bytes": machine.LITTLE}
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=free["bytes"]))
    assert list(machine.disk_space(tmp_path, database)) == []
    free["bytes"] = machine.LITTLE - 1
    (full,) = machine.disk_space(tmp_path, database)
    assert (full.grave, "199 MB are free" in full.what) == (True, True)
    monkeypatch.setattr(machine, "LITTLE", 0)
    free["bytes"] = 1999
    (narrow,) = machine.disk_space(tmp_path, database)
    assert (narrow.grave, "too few for a copy" in narrow.what) == (False, True)


def test_what_others_can_read_is_told(tmp_path: Path) -> None:
    closed, opened, absent = (tmp_path / name for name in ("closed", "opened", "absent"))
    closed.touch(mode=0o600)
    opened.touch()
    opened.chmod(0o640)
    (found,) = machine.permissions([closed, opened, absent])
    assert (found.what, found.hint) == (f"{opened} is open to other users (mode 0640)", f"chmod go-rwx {opened}")


def test_an_old_sqlite_is_worth_knowing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 51, 2))
    (found,) = machine.sqlite_version()
    assert (found.grave, "3.51.3" in found.hint) == (False, True)
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 51, 3))
    assert list(machine.sqlite_version()) == []


def test_processes_of_task_runs_are_found_by_what_they_carry() -> None:
    environ = {**os.environ, "PENSTOCK_ATTEMPT": "run-1/2/abcd"}
    command = [sys.executable, "-c", "import sys; print('up', flush=True); sys.stdin.read()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        assert machine.marked_processes()[process.pid] == "run-1"
        process.communicate()
    assert process.pid not in machine.marked_processes()
