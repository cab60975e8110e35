"""One engine for one file: the second is told who the first is, and a dead one never stands in the way."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.errors import StoreBusy
from engine.store import Owner, db_check, open_store, owner_of

OWNS = """
import sys
from engine.store import open_store
store = open_store(sys.argv[1], owner=True)
print("mine", flush=True)
sys.stdin.read()
store.close()
"""
#: Commits batches of executions without end and says so after each: what it has said is acknowledged.
COMMITS = """
import sys
from engine.store import open_store
from tests.contract.builders import a_line, a_task_run, an_execution, created
store = open_store(sys.argv[1], owner=True)
for batch in range(int(sys.argv[2]), 1_000_000):
    changes = []
    for number in range(10):
        id_ = f"{batch}-{number}"
        change = created(an_execution(id_), a_task_run(id_, execution_id=id_, outputs={"text": "x" * 2000}))
        change.logs.append(a_line(execution_id=id_))
        changes.append(change)
    store.commit(changes)
    print(batch, flush=True)
"""


@contextmanager
def child(program: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    root = str(Path(__file__).parents[2])
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=root,
        env={**os.environ, "PYTHONPATH": root},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def path_of(sqlite_url: str) -> Path:
    return Path(sqlite_url.removeprefix("sqlite:///"))


def test_a_second_engine_is_told_who_the_first_is(sqlite_url: str) -> None:
    with child(OWNS, sqlite_url) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "mine\n"
        with pytest.raises(StoreBusy, match=f"process {first.pid}") as busy:
            open_store(sqlite_url, owner=True)
        assert busy.value.exit_code == 4
        owner = owner_of(path_of(sqlite_url))
        assert owner is not None
        assert owner.pid == first.pid
        assert owner.socket == str(path_of(sqlite_url).with_name("engine.sock"))

        reader = open_store(sqlite_url)
        assert reader.unfinished() == []
        with pytest.raises(StoreBusy):
            reader.set_meta("a", 1)
        reader.close()

        first.communicate("")
    assert owner_of(path_of(sqlite_url)) is None
    open_store(sqlite_url, owner=True).close()


def test_a_dead_owner_is_known_at_once(sqlite_url: str) -> None:
    with child(OWNS, sqlite_url) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "mine\n"
        first.send_signal(signal.SIGKILL)
        first.wait()
        assert owner_of(path_of(sqlite_url)) is None
        open_store(sqlite_url, owner=True).close()


def test_who_asked_only_to_read_owns_from_the_first_write_on(sqlite_url: str) -> None:
    open_store(sqlite_url, owner=True).close()
    store = open_store(sqlite_url)
    assert owner_of(path_of(sqlite_url)) is None
    store.set_meta("a", 1)
    owner = owner_of(path_of(sqlite_url))
    assert owner is not None
    assert owner.pid == os.getpid()
    store.close()
    assert owner_of(path_of(sqlite_url)) is None


def test_who_the_owner_is_can_be_asked_where_nothing_can_be_written(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = os.open

    def read_only(path: str | Path, flags: int, mode: int = 0o777) -> int:
        if flags & (os.O_RDWR | os.O_WRONLY | os.O_CREAT):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        return opened(path, flags, mode)

    store = open_store(sqlite_url, owner=True)
    monkeypatch.setattr(os, "open", read_only)
    owner = owner_of(path_of(sqlite_url))
    assert owner is not None
    assert owner.pid == os.getpid()
    store.close()
    assert owner_of(path_of(sqlite_url)) is None


def test_options_stay_out_of_the_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/penstock", "run", "flow.yaml", "-i", "password=hunter2"])
    database = tmp_path / "penstock.db"
    owner = Owner.acquire(database, socket=tmp_path / "other.sock")
    record = owner_of(database)
    owner.release()
    owner.release()
    assert record is not None
    assert record.command == "penstock run flow.yaml"
    assert record.socket == str(tmp_path / "other.sock")
    assert (tmp_path / "penstock.db.lock").stat().st_mode & 0o777 == 0o600


def test_a_refused_database_is_not_left_owned(sqlite_url: str) -> None:
    path_of(sqlite_url).write_text("somebody's notes, long enough to have a header" * 10)
    with pytest.raises(Exception, match="not a SQLite database"):
        open_store(sqlite_url, owner=True)
    assert owner_of(path_of(sqlite_url)) is None


def test_after_kill_9_all_that_was_acknowledged_is_there(sqlite_url: str) -> None:
    stored = -1
    for patience in (1, 2, 3, 5, 8, 13, 21):
        with child(COMMITS, sqlite_url, str(stored + 1)) as engine:
            assert engine.stdout is not None
            said = [engine.stdout.readline() for _ in range(patience)]
            engine.kill()
            said += engine.stdout.readlines()  # before it died
        acknowledged = int(said[-1])

        assert db_check(sqlite_url).problems == ()
        store = open_store(sqlite_url, owner=True)
        ids = store.unfinished()
        batches = {int(id_.partition("-")[0]) for id_ in ids}
        stored = max(batches)
        assert batches == set(range(stored + 1))
        assert len(ids) == 10 * len(batches)  # each commit is there in full or not at all
        assert stored in (acknowledged, acknowledged + 1)  # it may have died between the commit and saying so
        assert len(store.logs(f"{acknowledged}-9")) == 1
        store.set_meta("still", "writable")
        store.close()


def test_to_own_now_is_not_to_write(sqlite_url: str) -> None:
    open_store(sqlite_url, owner=True).close()
    store = open_store(sqlite_url)
    store.own()
    store.own(socket="/elsewhere/engine.sock")
    owner = owner_of(path_of(sqlite_url))
    assert owner is not None
    assert (owner.pid, owner.socket) == (os.getpid(), "/elsewhere/engine.sock")
    other = open_store(sqlite_url)
    with pytest.raises(StoreBusy):
        other.own()
    other.close()
    store.close()
    assert owner_of(path_of(sqlite_url)) is None
