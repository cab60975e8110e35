"""A SQLite file that is damaged, foreign, locked away or half gone is refused, with advice, and left as it is."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy.exc import OperationalError

from engine.errors import NotFound, StoreError, UsageError
from engine.store import db_check, open_store, sqlite
from engine.store.database import translated
from engine.store.schema import VERSION
from tests.contract.builders import a_task_run, an_execution, changed, created, moved


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "home" / "penstock.db"


def url_of(file: Path) -> str:
    return f"sqlite:///{file}"


@pytest.fixture
def filled(file: Path) -> Path:
    """A database of many pages."""
    store = open_store(url_of(file), owner=True)
    runs = [a_task_run(f"t{n}", seq=n, outputs={"text": "x" * 500}) for n in range(500)]
    store.commit([created(an_execution(), *runs)])
    store.close()
    return file


def refusal(file: Path) -> StoreError:
    """The error that opening ends with, once it is sure that the file is as it was."""
    before = file.read_bytes() if file.exists() else None
    with pytest.raises(StoreError) as caught:
        open_store(url_of(file), owner=True)
    assert (file.read_bytes() if file.exists() else None) == before
    assert caught.value.hint
    assert str(file.parent) in caught.value.message
    return caught.value


def test_file_and_folder_are_private(filled: Path) -> None:
    assert filled.parent.stat().st_mode & 0o777 == 0o700
    assert filled.stat().st_mode & 0o777 == 0o600
    store = open_store(url_of(filled), owner=True)
    store.set_meta("a", 1)
    modes = {name.stat().st_mode & 0o777 for name in filled.parent.iterdir()}
    store.close()
    assert modes == {0o600}


def test_a_file_that_is_no_database_is_refused(file: Path) -> None:
    file.parent.mkdir()
    file.write_text("not a database, but somebody's notes\n" * 10)
    assert "not a SQLite database" in refusal(file).message


def test_a_short_file_is_refused(filled: Path) -> None:
    filled.write_bytes(filled.read_bytes()[:50])
    assert "not a SQLite database" in refusal(filled).message


def test_a_truncated_database_is_refused(filled: Path) -> None:
    filled.write_bytes(filled.read_bytes()[:-20_000])
    error = refusal(filled)
    assert "malformed" in error.message
    assert "backup" in (error.hint or "")


def test_an_empty_file_is_a_new_database(file: Path) -> None:
    file.parent.mkdir()
    file.touch()
    open_store(url_of(file), owner=True).close()
    assert db_check(url_of(file)).is_sound


@pytest.mark.parametrize("gone", ["emptied", "missing"])
def test_a_log_without_its_database_is_refused(filled: Path, gone: str) -> None:
    log = filled.with_name("penstock.db-wal")
    log.write_bytes(b"the only copy of the last commits")
    if gone == "missing":
        filled.unlink()
    else:
        filled.write_bytes(b"")
    assert "penstock.db-wal" in refusal(filled).message
    assert log.exists()


def test_somebody_elses_database_is_refused(file: Path) -> None:
    file.parent.mkdir()
    with closing(sqlite3.connect(file)) as bare:
        bare.execute("CREATE TABLE customers (id)")
    assert "customers" in refusal(file).message


def test_a_read_only_file_is_refused(filled: Path) -> None:
    filled.chmod(0o444)
    assert "chmod u+rw" in (refusal(filled).hint or "")


def test_a_read_only_folder_is_refused(filled: Path) -> None:
    filled.parent.chmod(0o555)
    try:
        assert "chmod u+w" in (refusal(filled).hint or "")
    finally:
        filled.parent.chmod(0o700)


@pytest.mark.skipif(not hasattr(os, "ST_RDONLY"), reason="the system does not tell how a folder is mounted")
def test_permissions_are_no_help_on_a_read_only_file_system(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_flag=os.ST_RDONLY))
    assert "mount it to be written" in (refusal(filled).hint or "")


def test_a_folder_in_the_place_of_the_file_is_refused(file: Path) -> None:
    file.mkdir(parents=True)
    with pytest.raises(StoreError, match="is a folder"):
        open_store(url_of(file), owner=True)


def test_a_file_in_the_place_of_the_folder_is_refused(file: Path) -> None:
    file.parent.write_text("")
    with pytest.raises(StoreError, match="cannot be made"):
        open_store(url_of(file), owner=True)


def test_a_network_file_system_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "_file_system", lambda folder: "nfs4")
    with pytest.raises(StoreError, match="network file system"):
        open_store(url_of(file), owner=True)
    assert not file.exists()


def test_a_flipped_page_is_found_and_named(filled: Path) -> None:
    assert db_check(url_of(filled)).is_sound
    content = bytearray(filled.read_bytes())
    start = len(content) // 2 // 4096 * 4096
    content[start : start + 4096] = bytes(255 - byte for byte in content[start : start + 4096])
    filled.write_bytes(content)
    report = db_check(url_of(filled))
    assert report.problems
    assert filled.read_bytes() == bytes(content)
    store = open_store(url_of(filled), owner=True)
    with pytest.raises(StoreError, match="malformed"):
        store.execution("e1")
    store.close()


def test_garbled_text_in_sound_pages_is_found_and_named(filled: Path) -> None:
    filled.write_bytes(filled.read_bytes().replace(b'{"text":"x', b'{"text";"\xff', 1))
    (problem,) = db_check(url_of(filled)).problems
    assert "penstock.db" in problem or "task run" in problem


def test_a_check_counts_and_changes_nothing(filled: Path) -> None:
    report = db_check(url_of(filled))
    assert (report.is_sound, report.version, report.expected) == (True, VERSION, VERSION)
    assert report.counts["task_runs"] == 500
    with pytest.raises(NotFound):
        db_check(f"sqlite:///{filled.parent}/absent/penstock.db")
    assert not (filled.parent / "absent").exists()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://h/d", "nonsense", "sqlite:///a?mode=ro"])
def test_a_url_that_makes_no_sense_is_refused(url: str) -> None:
    with pytest.raises(UsageError) as refused:
        open_store(url)
    assert "sqlite:///" in (refused.value.hint or "")


def test_readers_cannot_write(filled: Path) -> None:
    store = open_store(url_of(filled), owner=True)
    with pytest.raises(StoreError, match="readonly"), store.database.reading() as connection:
        connection.exec_driver_sql("DELETE FROM executions")
    store.close()


def test_commits_are_flushed_and_the_log_is_bounded(file: Path) -> None:
    store = open_store(url_of(file), owner=True)
    with store.database.writing() as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "mmap_size", "journal_size_limit")
        }
    store.close()
    assert settings == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "mmap_size": 0,
        "journal_size_limit": 64 * 1024 * 1024,
    }
    assert not file.with_name("penstock.db-wal").exists()


def test_readers_see_whole_commits_while_a_writer_writes(file: Path) -> None:
    store = open_store(url_of(file), owner=True)
    run = a_task_run()
    change = created(an_execution(error="x"), run)
    store.commit([change])
    torn: list[object] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen = store.execution("e1")
            if seen is None or len(seen.task_runs["t1"].history) != len(seen.error or ""):
                torn.append(seen)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for number in range(2, 60):
        run = moved(run, run.state)
        change = changed(change.after, an_execution(error="x" * number), run)
        store.commit([change])
    done.set()
    for reader in readers:
        reader.join()
    store.close()
    assert torn == []


def test_a_closed_store_says_so(filled: Path) -> None:
    store = open_store(url_of(filled), owner=True)
    store.close()
    with pytest.raises(StoreError, match="is closed"):
        store.execution("e1")
    with pytest.raises(StoreError, match="is closed"):
        store.set_meta("a", 1)


def test_an_old_sqlite_is_mentioned(
    file: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 51, 2))
    with caplog.at_level(logging.INFO):
        open_store(url_of(file), owner=True).close()
    assert "3.51.3" in caplog.text
    caplog.clear()
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 51, 3))
    with caplog.at_level(logging.INFO):
        store = open_store(url_of(file), owner=True)
        store.set_meta("a", 1)
        store.close()
    assert caplog.text == ""


def test_a_full_disk_loses_nothing_acknowledged(filled: Path) -> None:
    store = open_store(url_of(filled), owner=True)
    with store.database.migrating() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
        connection.rollback()
    with pytest.raises(StoreError, match="full") as full:
        store.commit([created(an_execution("e2", inputs={"text": "y" * 100_000}))])
    assert "disk is full" in (full.value.hint or "")
    assert store.execution("e2") is None
    with store.database.migrating() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count=1000000")
        connection.rollback()
    store.commit([created(an_execution("e2"))])
    store.close()
    assert db_check(url_of(filled)).is_sound


def test_an_index_of_the_log_that_does_not_fit_is_a_full_disk() -> None:
    fault = sqlite3.OperationalError("disk I/O error")
    fault.sqlite_errorname = "SQLITE_IOERR_SHMSIZE"
    with pytest.raises(StoreError) as refused, translated("a.db"):
        raise OperationalError("COMMIT", None, fault)
    assert (refused.value.hint or "").startswith("The disk is full")
