"""Copies of a SQLite database that are worth having, and the way back.

Always true: a backup is one moment of the database, is found whole before it gets its name, and is closed to other
users; no file is ever overwritten; what a restore replaces is kept beside it. A copy says that it is one (`backup_of`,
`restored`), and its triggers begin anew: an engine that starts on it does not make up for what was due since.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from msgspec import Struct

from engine.errors import NotFound, StoreError, UsageError
from engine.store import integrity
from engine.store.opening import open_database
from engine.store.owner import Owner
from engine.store.rows import meta_row
from engine.store.sqlite import PART, SqliteDatabase, check_file

#: The keys of `Store.meta` that only a copy has; the values are instants in ISO 8601.
BACKUP_OF, RESTORED = "backup_of", "restored"

OnProgress = Callable[[int, int], None]  #: bytes written so far, bytes that there may be


class Backup(Struct, frozen=True, kw_only=True):
    """A copy that was made."""

    file: Path
    bytes: int


class Restored(Struct, frozen=True, kw_only=True):
    """What a restore did. `kept` is where the database that was there before is now; None when there was none."""

    database: Path
    kept: Path | None


def back_up(url: str, target: Path | None, at: datetime, on_progress: OnProgress | None = None) -> Backup:
    """Copy the database to `target`: a new file, or a folder, or (None) the folder of the database.

    An engine may own the database and go on. Raises UsageError where that is not ours to do, StoreError if it fails.
    """
    database = open_database(url, owner=False, make=False)
    try:
        if not isinstance(database, SqliteDatabase):
            raise UsageError(
                f"{database.name} is backed up with the tools of its server",
                hint="`pg_dump --format=custom --file=penstock.dump DATABASE`; `pg_restore` is the way back.",
            )
        if target is None or target.is_dir():
            target = (target or database.path.parent) / f"{database.path.name}.{_stamp(at)}.backup"
        with _new_file(target) as draft:
            expected = _size(database.path)
            database.copy(draft, on_progress and (lambda: on_progress(_size(draft), expected)))
            _mark(draft, {BACKUP_OF: at.isoformat(), RESTORED: at.isoformat()})
            _refuse_damaged(draft, target)
    finally:
        database.close()
    return Backup(file=target, bytes=_size(target))


def restore(url: str, backup: Path, at: datetime) -> Restored:
    """Put a copy in the place of the database. Raises StoreBusy while an engine owns it, StoreError for a bad copy."""
    path = database_path(url)
    if not backup.is_file():
        raise NotFound(f"there is no backup {backup}", hint="`penstock db backup` says where it puts them")
    if path.exists() and backup.samefile(path):
        raise UsageError(f"{backup} is the database itself", hint="Name a file that `penstock db backup` made.")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    owner = Owner.acquire(path)
    try:
        draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}.restoring")
        try:
            _read_into(draft, backup)
            _refuse_damaged(draft, backup)
            _mark(draft, {RESTORED: at.isoformat()})
            _sync(draft)
            kept = _put_away(path, at)
            os.replace(draft, path)
            _sync(path.parent)
        except OSError as error:
            reason = error.strerror or error
            raise StoreError(f"cannot restore {path}: {reason}", hint="What was there is still there.") from error
        finally:
            _remove(draft)
    finally:
        owner.release()
    return Restored(database=path, kept=kept)


def database_path(url: str) -> Path:
    """The SQLite file of a URL, which need not exist. Raises UsageError for a server's database."""
    if not url.startswith("sqlite:///"):
        raise UsageError("only a SQLite database is a file", hint="`pg_restore` restores what `pg_dump` wrote.")
    return Path(url.removeprefix("sqlite:///")).absolute()


@contextmanager
def _new_file(target: Path) -> Iterator[Path]:
    """A draft that gets the name of `target` once it is whole. Raises UsageError where something has that name."""
    if not target.parent.is_dir():
        raise UsageError(f"there is no folder {target.parent}", hint="make it first, or name another file")
    if target.exists():
        raise UsageError(f"{target} exists already, and is left as it is", hint="name a new file, or a folder")
    draft = target.with_name(f"{target.name}.{secrets.token_hex(4)}{PART}")
    try:
        yield draft
        _sync(draft)
        _name(draft, target)
        _sync(target.parent)
    except OSError as error:
        raise StoreError(f"cannot write {target}: {error.strerror or error}", hint="Name a file elsewhere.") from error
    finally:
        _remove(draft)


def _name(draft: Path, target: Path) -> None:
    """Give a file its name, unless somebody else has just taken it."""
    try:
        os.link(draft, target)
    except FileExistsError:
        raise
    except OSError:  # there are file systems without links
        os.rename(draft, target)


def _read_into(draft: Path, backup: Path) -> None:
    """Copy a database, with what is in its log, whoever has it open."""
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    uri = f"file:{quote(str(backup.absolute()))}?mode=ro"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as source, closing(sqlite3.connect(draft)) as copy:
            source.backup(copy)
    except sqlite3.Error as error:
        raise StoreError(
            f"{backup} cannot be read as a backup: {error}", hint="Nothing was changed. Choose another backup."
        ) from error


def _refuse_damaged(draft: Path, name: Path) -> None:
    try:
        report = integrity.db_check(f"sqlite:///{draft}", contents=False)
        problems = report.damage if report.version is not None else ("there are no tables in it",)
    except StoreError as error:
        problems = (error.message,)
    if problems:
        raise StoreError(
            f"{name} is not whole: {problems[0].replace(str(draft), 'it')}",
            hint="Nothing was changed. Choose another backup; `penstock db check` looks at the database itself.",
        )


def _mark(file: Path, marks: dict[str, str]) -> None:
    """Say that it is a copy, and have its triggers begin anew: what was due is the business of the other database."""
    try:
        with closing(sqlite3.connect(file)) as connection, connection:
            rows = [meta_row(key, value) for key, value in marks.items()]
            connection.executemany("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", rows)
            if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'triggers'").fetchone():  # since 0004
                connection.execute("UPDATE triggers SET definition = NULL, next_at = NULL")
                connection.execute("DELETE FROM announcements")
    except sqlite3.Error as error:
        raise StoreError(f"{file} cannot be marked as a copy: {error}") from error


def _put_away(path: Path, at: datetime) -> Path | None:
    """Rename the old database with its log, which belongs to it alone; a new file must never meet it."""
    log, index = (path.with_name(path.name + suffix) for suffix in ("-wal", "-shm"))
    if not path.exists() and not log.exists():
        return None
    with suppress(sqlite3.Error, StoreError):
        check_file(path)  # SQLite throws a log away that it finds beside anything else
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()  # so that it is one file
    kept = path.with_name(f"{path.name}.{_stamp(at)}.replaced")
    while kept.exists():
        kept = kept.with_name(f"{kept.name}-2")
    if path.exists():
        _name_too(path, kept)  # there is a database at `path` at any moment
    if log.exists():
        os.replace(log, kept.with_name(f"{kept.name}-wal"))
    index.unlink(missing_ok=True)
    return kept


def _name_too(path: Path, kept: Path) -> None:
    try:
        os.link(path, kept)
    except OSError:  # there are file systems without links
        os.rename(path, kept)


def _remove(draft: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal", ".lock"):
        with suppress(OSError):
            draft.with_name(draft.name + suffix).unlink(missing_ok=True)


def _stamp(at: datetime) -> str:
    return at.strftime("%Y%m%dT%H%M%SZ")


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def _sync(path: Path) -> None:
    """Have a file's content, or the names in a folder, outlast a power failure."""
    if os.name == "nt" and path.is_dir():
        return  # where folders cannot be synced
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
