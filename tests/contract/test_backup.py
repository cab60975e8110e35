"""A backup is one moment of a database that others go on writing to; a restore loses nothing, also when it fails."""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from engine.errors import NotFound, StoreBusy, StoreError, UsageError
from engine.model.scheduling import TriggerState
from engine.ports import ExecutionFilter
from engine.store import db_check, open_store, schema
from engine.store.backup import Backup, back_up, restore
from engine.store.opening import open_database
from engine.store.sqlite import repair_hint
from tests.contract.builders import NOON, a_line, a_task_run, an_execution, at, created


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "home" / "penstock.db"


@pytest.fixture
def url(file: Path) -> str:
    return f"sqlite:///{file}"


def fill(url: str, *ids: str) -> None:
    store = open_store(url, owner=True)
    store.commit([created(an_execution(id_), a_task_run(f"{id_}-0", execution_id=id_)) for id_ in ids])
    store.close()


def held(url: str) -> list[str]:
    store = open_store(url)
    found, _ = store.executions(ExecutionFilter(limit=1_000_000))
    store.close()
    return sorted(summary.id for summary in found)


def meta(url: str, key: str) -> object:
    store = open_store(url)
    value = store.meta(key)
    store.close()
    return value


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_backup_is_private_and_says_what_it_is(url: str, file: Path) -> None:
    fill(url, "a")
    made = back_up(url, None, NOON)
    assert made == Backup(file=file.with_name("penstock.db.20260301T120000Z.backup"), bytes=made.file.stat().st_size)
    assert made.file.stat().st_mode & 0o777 == 0o600
    assert names(file.parent) == {"penstock.db", "penstock.db.lock", made.file.name}
    copy = f"sqlite:///{made.file}"
    assert db_check(copy).is_sound
    assert held(copy) == ["a"]
    assert [meta(copy, key) for key in ("backup_of", "restored")] == [NOON.isoformat()] * 2
    assert [meta(url, key) for key in ("backup_of", "restored")] == [None, None]


def test_a_backup_goes_where_it_is_told_and_overwrites_nothing(url: str, file: Path, tmp_path: Path) -> None:
    fill(url, "a")
    assert back_up(url, tmp_path / "mine.db", NOON).file == tmp_path / "mine.db"
    assert back_up(url, tmp_path, NOON).file.parent == tmp_path
    before = (tmp_path / "mine.db").read_bytes()
    with pytest.raises(UsageError, match="exists already"):
        back_up(url, tmp_path / "mine.db", NOON)
    with pytest.raises(UsageError, match="exists already"):
        back_up(url, file, NOON)
    with pytest.raises(UsageError, match="no folder"):
        back_up(url, tmp_path / "absent" / "mine.db", NOON)
    assert (tmp_path / "mine.db").read_bytes() == before
    assert not [name for name in names(tmp_path) if name.endswith(".part")]


def test_a_backup_under_load_is_one_moment(url: str, tmp_path: Path) -> None:
    """Each commit adds an execution, a task run and a line: a copy that has one has all of them."""
    store = open_store(url, owner=True)
    store.commit([created(an_execution("e0"))])
    done = threading.Event()
    acknowledged = ["e0"]

    def write() -> None:
        number = 0
        while not done.is_set():
            number += 1
            id_ = f"e{number}"
            change = created(an_execution(id_), a_task_run(f"{id_}-0", execution_id=id_, outputs={"t": "x" * 2000}))
            change.logs = [a_line(execution_id=id_)]
            store.commit([change])
            acknowledged.append(id_)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for turn in range(5):
            known = list(acknowledged)
            made = back_up(url, tmp_path / f"copy-{turn}.db", NOON)
            copy = open_store(f"sqlite:///{made.file}")
            ids = held(f"sqlite:///{made.file}")
            assert set(known) <= set(ids)  # what was acknowledged before is in it
            assert all(len(copy.logs(id_)) == len(copy.execution(id_).task_runs) == 1 for id_ in ids if id_ != "e0")  # type: ignore[union-attr]
            copy.close()
            assert db_check(f"sqlite:///{made.file}").is_sound
    finally:
        done.set()
        writer.join()
        store.close()


def test_progress_is_told(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.store.sqlite._LOOK_UP_EVERY", 10)
    fill(url, *(f"e{number}" for number in range(50)))
    told: list[tuple[int, int]] = []
    back_up(url, tmp_path / "copy.db", NOON, lambda part, whole: told.append((part, whole)))
    assert told
    assert {whole for _, whole in told} == {(tmp_path / "home" / "penstock.db").stat().st_size}


def test_a_damaged_database_gives_no_backup(url: str, file: Path, tmp_path: Path) -> None:
    fill(url, *(f"e{number}" for number in range(300)))
    content = bytearray(file.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 4096] = bytes(255 - byte for byte in content[middle : middle + 4096])
    file.write_bytes(content)
    with pytest.raises(StoreError):
        back_up(url, tmp_path / "copy.db", NOON)
    assert names(tmp_path) == {"home"}


def test_there_must_be_something_to_back_up(url: str) -> None:
    with pytest.raises(NotFound):
        back_up(url, None, NOON)


def test_a_server_is_backed_up_by_its_own_tools(postgres_url: str, tmp_path: Path) -> None:
    open_store(postgres_url).close()
    with pytest.raises(UsageError) as refused:
        back_up(postgres_url, None, NOON)
    assert "pg_dump" in (refused.value.hint or "")
    with pytest.raises(UsageError) as refused:
        restore(postgres_url, tmp_path / "copy.db", NOON)
    assert "pg_restore" in (refused.value.hint or "")


def test_a_restore_brings_the_copy_back_and_keeps_what_was_there(url: str, file: Path, tmp_path: Path) -> None:
    fill(url, "a")
    copy = back_up(url, tmp_path / "copy.db", NOON).file
    fill(url, "b")
    done = restore(url, copy, at(60))
    assert held(url) == ["a"]
    assert (meta(url, "backup_of"), meta(url, "restored")) == (NOON.isoformat(), at(60).isoformat())
    assert done.database == file
    assert done.kept is not None
    assert held(f"sqlite:///{done.kept}") == ["a", "b"]
    assert meta(f"sqlite:///{done.kept}", "restored") is None
    assert file.stat().st_mode & 0o777 == 0o600
    assert copy.exists()


def test_what_a_crash_left_in_the_log_is_kept_too(url: str, file: Path, tmp_path: Path) -> None:
    fill(url, "a")
    copy = back_up(url, tmp_path / "copy.db", NOON).file
    store = open_store(url, owner=True)
    store.commit([created(an_execution("b"))])
    log, content = file.with_name("penstock.db-wal"), file.read_bytes()
    lost = log.read_bytes()
    store.close()
    file.write_bytes(content)  # as if that engine had died before its log was worked in
    log.write_bytes(lost)
    file.with_name("penstock.db-shm").write_bytes(b"stale")
    done = restore(url, copy, NOON)
    assert held(url) == ["a"]
    assert done.kept is not None
    assert held(f"sqlite:///{done.kept}") == ["a", "b"]


def test_a_damaged_database_is_put_away_with_its_log(url: str, file: Path, tmp_path: Path) -> None:
    fill(url, "a")
    copy = back_up(url, tmp_path / "copy.db", NOON).file
    file.write_bytes(b"rubbish" * 100)
    file.with_name("penstock.db-wal").write_bytes(b"a log that fits no database")
    done = restore(url, copy, NOON)
    assert held(url) == ["a"]
    assert done.kept is not None
    assert done.kept.read_bytes() == b"rubbish" * 100
    assert done.kept.with_name(f"{done.kept.name}-wal").read_bytes() == b"a log that fits no database"
    assert not file.with_name("penstock.db-wal").exists()


def test_a_database_that_is_gone_is_restored(url: str, file: Path, tmp_path: Path) -> None:
    fill(url, "a")
    copy = back_up(url, tmp_path / "copy.db", NOON).file
    file.unlink()
    assert restore(url, copy, NOON).kept is None
    assert held(url) == ["a"]


def test_nothing_is_restored_under_an_engine(url: str, file: Path, tmp_path: Path) -> None:
    fill(url, "a")
    copy = back_up(url, tmp_path / "copy.db", NOON).file
    store = open_store(url, owner=True)
    with pytest.raises(StoreBusy, match=str(os.getpid())):
        restore(url, copy, NOON)
    store.commit([created(an_execution("b"))])
    store.close()
    assert held(url) == ["a", "b"]


@pytest.mark.parametrize("fault", ["absent", "empty", "text", "truncated", "flipped", "foreign", "itself", "newer"])
def test_a_bad_copy_changes_nothing(url: str, file: Path, tmp_path: Path, fault: str) -> None:
    fill(url, *(f"e{number}" for number in range(300)))
    copy = back_up(url, tmp_path / "copy.db", NOON).file
    content = copy.read_bytes()
    middle = len(content) // 2 // 4096 * 4096
    match fault:
        case "absent":
            copy.unlink()
        case "empty":
            copy.write_bytes(b"")
        case "text":
            copy.write_text("my notes\n" * 100)
        case "truncated":
            copy.write_bytes(content[:-20_000])
        case "flipped":
            copy.write_bytes(content[:middle] + bytes(255 - byte for byte in content[middle:]))
        case "foreign":
            copy.unlink()
            with closing(sqlite3.connect(copy)) as bare:
                bare.execute("CREATE TABLE customers (id)")
        case "itself":
            copy = file
        case "newer":
            with closing(sqlite3.connect(copy)) as bare, bare:
                bare.execute("UPDATE schema_version SET version_num = '9999'")
    before, there = file.read_bytes(), names(file.parent)
    with pytest.raises((StoreError, NotFound, UsageError)) as refused:
        restore(url, copy, NOON)
    assert refused.value.hint
    assert file.read_bytes() == before
    assert names(file.parent) == there


def test_the_triggers_of_a_copy_begin_anew(url: str, tmp_path: Path) -> None:
    store = open_store(url, owner=True)
    state = TriggerState(
        namespace="acme", flow_id="f", trigger_id="daily", disabled=True, definition="x", next_at=at(5), updated_at=NOON
    )
    store.move_trigger(state, ["disabled", "definition", "next_at"])
    announced = created(an_execution("a"))
    announced.announced = an_execution("a").history
    store.commit([announced])
    made = back_up(url, tmp_path / "copy.db", NOON)
    copy = open_store(f"sqlite:///{made.file}")
    (kept,) = copy.trigger_states()
    assert (kept.disabled, kept.definition, kept.next_at) == (True, None, None)
    assert copy.announcements() == []
    copy.close()
    assert store.trigger_states() == [state]
    assert len(store.announcements()) == 2
    store.close()


def test_a_restore_that_breaks_off_leaves_what_was_there(
    url: str, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(url, "a")
    copy = back_up(url, tmp_path / "copy.db", NOON).file
    fill(url, "b")

    def fails(source: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(StoreError, match="No space left"):
        restore(url, copy, NOON)
    monkeypatch.undo()
    assert held(url) == ["a", "b"]
    assert not [name for name in names(file.parent) if name.endswith(".restoring")]
    restore(url, copy, NOON)
    assert held(url) == ["a"]


def test_advice_names_the_newest_backup_that_is_whole(url: str, file: Path) -> None:
    fill(url, "a")
    assert "No backup is beside it" in repair_hint(file)
    backups = [back_up(url, None, at(seconds)).file for seconds in (0, 60)]
    for seconds, backup in enumerate(backups):
        os.utime(backup, (seconds, seconds))
    file.with_name("penstock.db.20260301T120500Z.backup.0a1b2c3d.part").touch()  # a crash left it
    assert str(backups[1]) in repair_hint(file)


@pytest.mark.parametrize("version", ["0001", "0003"])
def test_a_database_of_an_older_version_has_backups_too(url: str, file: Path, tmp_path: Path, version: str) -> None:
    file.parent.mkdir(mode=0o700)
    database = open_database(url, owner=True)
    with database.migrating() as connection:
        schema.upgrade(connection, schema.migrations_folder(), version)
    database.close()
    copy = back_up(url, tmp_path / "copy.db", NOON).file
    restore(url, copy, at(60))
    assert db_check(url).version == version
    assert held(url) == []  # which migrates it
    assert meta(url, "restored") == at(60).isoformat()
