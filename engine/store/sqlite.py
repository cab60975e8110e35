"""SQLite as the store uses it: one file, one writer, many short readers.

Always true: exactly one connection of this process ever writes or checkpoints, under a lock, and only while this
process owns the file (`engine.store.owner`): SQLite before 3.51.3 can damage a WAL database that two connections
write at once. Each commit is on the disk when it returns (`synchronous=FULL`). Readers cannot write. A file that is
not ours, or not whole, is refused and left as it is.
"""

from __future__ import annotations

import glob
import logging
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, create_engine, event
from sqlalchemy.pool import NullPool, QueuePool

from engine.errors import StoreError
from engine.store.database import Database, translated
from engine.store.owner import Owner

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

_log = logging.getLogger(__name__)

_BUSY_MS = 5_000
_WAL_LIMIT = 64 * 1024 * 1024  # bytes of write-ahead log kept on disk after a checkpoint
_WRITER = (
    "PRAGMA auto_vacuum=INCREMENTAL",  # heard by an empty file alone, and only before its first page is written
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    f"PRAGMA journal_size_limit={_WAL_LIMIT}",
    f"PRAGMA busy_timeout={_BUSY_MS}",
    "PRAGMA mmap_size=0",
)
_READER = (
    "PRAGMA query_only=ON",
    "PRAGMA wal_autocheckpoint=0",
    f"PRAGMA busy_timeout={_BUSY_MS}",
    "PRAGMA mmap_size=0",
)
#: How many pages, of 4 KB, are given back to the disk in one transaction.
_SHRINK = "PRAGMA incremental_vacuum(256)"
_INCREMENTAL = 2
_SIZE = ("PRAGMA page_count", "PRAGMA freelist_count", "PRAGMA page_size")
_LOOK_UP_EVERY = 100_000  # steps of SQLite's machine, some milliseconds
_WRITE_HINT = "Is there space on the disk for a second copy? `penstock db check` looks whether the database is whole."
#: What ends the name of a copy that is not whole yet.
PART = ".part"
_MAGIC = b"SQLite format 3\x00"
FIXED_IN = (3, 51, 3)
_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ncpfs", "fuse.sshfs", "glusterfs"})


class SqliteDatabase(Database):
    """A SQLite file. With `owner`, it is owned at once; otherwise at the first write, if nobody else owns it.

    With `make`, folder and file are made where they are missing, as private as can be.
    """

    TABLE_NAMES = "SELECT name FROM sqlite_master WHERE type = 'table'"
    OURS_ALONE = True
    INTEGRITY = ("PRAGMA integrity_check", "PRAGMA foreign_key_check")

    def __init__(self, path: Path, *, owner: bool, make: bool = True) -> None:
        self.path = path
        self.name = str(path)
        self._lock = RLock()
        self._closed = False
        self._owner: Owner | None = None
        self._writer: Connection | None = None
        if make:
            _make_folder(path.parent)
        check_folder(path.parent)
        if owner:
            self._own()
        try:
            check_file(path)
            if make:
                os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
            self._write_engine = _engine(path, _WRITER, "BEGIN IMMEDIATE", pool_size=None)
            self._read_engine = _engine(path, _READER, "BEGIN", pool_size=4)
        except BaseException:
            self._disown()
            raise
        self.dialect = self._write_engine.dialect

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        with self.migrating() as connection, connection.begin():
            yield connection

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        with self._lock, translated(self.name, self._repair):
            self._refuse_closed()
            if self._writer is None:
                self._own()
                _warn_of_old_sqlite()
                self._writer = self._write_engine.connect()
            yield self._writer

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        self._refuse_closed()
        with translated(self.name, self._repair), self._read_engine.begin() as connection:
            yield connection

    def own(self, socket: str | None) -> None:
        with self._lock:
            self._refuse_closed()
            self._own()
            if socket is not None and self._owner is not None:
                self._owner.listens_at(socket)

    def close(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
            try:
                with translated(self.name, self._repair):
                    self._read_engine.dispose()
                    if self._writer is not None:
                        _driver(self._writer).execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
                        self._writer.close()
                    self._write_engine.dispose()
            except (StoreError, sqlite3.Error) as error:  # all commits are safe in the log: a next start reads it
                _log.info("closing %s: %s", self.name, error)
            finally:
                self._disown()

    def backup(self, suffix: str) -> Path:
        """Copy the database, as it is now, to a new file beside it; the file's path."""
        number = 1
        while (
            target := self.path.with_name(f"{self.path.name}.{suffix}{f'-{number}' if number > 1 else ''}")
        ).exists():
            number += 1
        self.copy(target)
        return target

    def copy(self, target: Path, on_progress: Callable[[], None] | None = None) -> None:
        """Copy the database, as it is at one moment, to a new file. Others may own it, and go on writing.

        `on_progress` is called again and again while that takes.
        """
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        with translated(self.name, self._repair), self._read_engine.connect() as connection:
            driver = _driver(connection)
            driver.execute("PRAGMA query_only=OFF")  # VACUUM INTO counts as a write, though only of the new file
            driver.set_progress_handler(on_progress, _LOOK_UP_EVERY)
            try:
                with _driven(f"{self.name} cannot be copied to {target}"):
                    driver.execute("VACUUM INTO ?", (str(target),))
            finally:
                driver.set_progress_handler(None, 0)
                driver.execute("PRAGMA query_only=ON")
        with target.open("rb") as file:
            os.fsync(file.fileno())

    @property
    def size(self) -> int:
        """Bytes that are in use: pages that removing has freed do not count, though they are still in the file."""
        with self.reading() as connection:
            pages, unused, each = (connection.exec_driver_sql(pragma).scalar_one() for pragma in _SIZE)
        return int((pages - unused) * each)

    def shrink(self) -> bool:
        """Give some of the freed pages back to the disk, in one short transaction; whether there are more."""
        with self.migrating() as connection, _driven(f"{self.name} cannot be made smaller"):
            driver = _driver(connection)
            if driver.execute("PRAGMA auto_vacuum").fetchone()[0] != _INCREMENTAL:
                return False  # a file made before that was chosen; `compact` changes it
            driver.executescript(_SHRINK).close()  # it gives a page for each step; `execute` makes but one
            unused: int = driver.execute("PRAGMA freelist_count").fetchone()[0]
        return unused > 0

    def compact(self) -> None:
        """Write the whole file anew, without what is freed. Takes as long as that takes, and as much disk again."""
        with self.migrating() as connection, _driven(f"{self.name} cannot be written anew"):
            driver = _driver(connection)
            driver.execute("VACUUM")
            driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()

    def _repair(self) -> str:
        return repair_hint(self.path)

    def _own(self) -> None:
        if self._owner is None:
            self._owner = Owner.acquire(self.path)

    def _disown(self) -> None:
        if self._owner is not None:
            self._owner.release()
            self._owner = None

    def _refuse_closed(self) -> None:
        if self._closed:
            raise StoreError(f"the database {self.name} is closed")


def check_folder(folder: Path) -> None:
    """Refuse a folder where a database cannot live."""
    kind = _file_system(folder)
    if kind in _NETWORK:
        raise StoreError(
            f"{folder} is on a network file system ({kind}), where SQLite's log cannot be trusted",
            hint="Point --home to a local disk, or give a PostgreSQL URL as database.url.",
        )
    if folder.stat().st_mode & 0o222 == 0 or not os.access(folder, os.W_OK):
        mounted = hasattr(os, "ST_RDONLY") and os.statvfs(folder).f_flag & os.ST_RDONLY
        hint = "Its file system is: mount it to be written, or copy the folder." if mounted else f"chmod u+w {folder}"
        raise StoreError(f"the folder {folder} is read-only", hint=hint)


def check_file(path: Path) -> None:
    """Refuse a file that is not a whole SQLite database that we may write; a missing one is fine."""
    log = path.with_name(path.name + "-wal")
    size = path.stat().st_size if path.exists() else 0
    if size == 0:
        if log.exists() and log.stat().st_size > 0:
            raise StoreError(
                f"{path} is {'empty' if path.exists() else 'missing'}, but its log {log.name} is not",
                hint=f"{repair_hint(path)} To start afresh, move {log.name} away first.",
            )
        return
    if path.is_dir():
        raise StoreError(f"{path} is a folder", hint="The database must be a file.")
    if path.stat().st_mode & 0o222 == 0 or not os.access(path, os.R_OK | os.W_OK):
        raise StoreError(f"{path} is read-only", hint=f"chmod u+rw {path}")
    with path.open("rb") as file:
        head = file.read(100)
    if len(head) < 100 or not head.startswith(_MAGIC):
        raise StoreError(
            f"{path} is not a SQLite database",
            hint=f"It is left as it is. {repair_hint(path)} To start afresh, move it away first.",
        )


def repair_hint(path: Path) -> str:
    """What to do about a file that is damaged; names the newest backup beside it."""
    beside = path.parent.glob(f"{glob.escape(path.name)}.*backup*")
    whole = (file for file in beside if file.suffix != PART)
    backups = sorted(whole, key=lambda file: file.stat().st_mtime)
    if not backups:
        return "No backup is beside it; `penstock db restore FILE` restores one."
    return f"The newest backup beside it is {backups[-1]}: `penstock db restore {backups[-1]}` restores it."


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"the folder {folder} cannot be made: {error.strerror}", hint="Point --home to a folder of yours."
        ) from error


def _engine(path: Path, pragmas: tuple[str, ...], begin: str, *, pool_size: int | None) -> Engine:
    pool: dict[str, Any] = {"poolclass": NullPool}
    if pool_size is not None:
        pool = {"poolclass": QueuePool, "pool_size": pool_size, "max_overflow": 0}
    # `isolation_level: None` keeps the driver from opening transactions by itself.
    driver = {"isolation_level": None, "check_same_thread": False, "cached_statements": 256}
    engine = create_engine(URL.create("sqlite", database=str(path)), connect_args=driver, **pool)

    def set_up(connection: sqlite3.Connection, _record: object) -> None:
        for pragma in pragmas:
            connection.execute(pragma).close()

    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine, "connect", set_up)
    event.listen(engine, "begin", start)
    return engine


def _driver(connection: Connection) -> sqlite3.Connection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver


@contextmanager
def _driven(what_failed: str) -> Iterator[None]:
    """For what is asked of the driver itself: its errors as ours."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"{what_failed}: {error}", hint=_WRITE_HINT) from error


def _warn_of_old_sqlite() -> None:
    if sqlite3.sqlite_version_info < FIXED_IN:
        _log.info(
            "SQLite %s has a bug that can damage a database which two processes write at once (fixed in %s). "
            "One engine owns the file, so it is safe here; do not write to it with other tools while it runs.",
            sqlite3.sqlite_version,
            ".".join(map(str, FIXED_IN)),
        )


def _file_system(folder: Path) -> str:
    """The kind of file system the folder is on, as Linux names it; empty where that cannot be known."""
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    place, best, kind = folder.resolve(), -1, ""
    for line in mounts:
        _device, target, fs, *_rest = line.split(" ")
        depth = len(target)
        if depth >= best and place.is_relative_to(target.replace("\\040", " ")):
            best, kind = depth, fs
    return kind
