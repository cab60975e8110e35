"""One engine for one SQLite file, by a lock that dies with its holder.

The lock is on `<database>.lock`, which also says who holds it. Always true: the lock is the truth and the text beside
it only a description, so a dead owner is known at once and never stands in the way. The file is never removed:
removing it would let two engines lock two files of the same name.
Where there is no `flock` (Windows), a byte far behind the text is locked with `msvcrt` instead.
"""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct
from msgspec.structs import asdict, replace

from engine.errors import StoreBusy, StoreError

_LOCKED_BYTE = 1 << 30  # far behind the text, which must stay readable while the lock is held
_PATIENCE = 10  # looks, 5 ms apart: somebody who only asks who the owner is holds the lock for a moment


class OwnerRecord(Struct, frozen=True, kw_only=True):
    """Who owns a database: `started_at` is ISO 8601 in UTC, `socket` where it listens for commands."""

    pid: int
    started_at: str
    command: str
    socket: str

    def __str__(self) -> str:
        return f"process {self.pid} ({self.command}), started {self.started_at}"


class Owner:
    """The right to write to a database, held until `release` or until this process ends, however it ends."""

    def __init__(self, file: int, record: OwnerRecord) -> None:
        self._file: int | None = file
        self._describe(record)

    @classmethod
    def acquire(cls, database: Path, *, socket: Path | None = None) -> Owner:
        """Own the database, or raise StoreBusy naming who does. `socket` is `engine.sock` beside it by default."""
        file = _open(lock_path(database))
        for look in range(_PATIENCE):
            if _try_lock(file):
                break
            time.sleep(0.005 if look else 0)
        else:
            os.close(file)
            raise StoreBusy(
                f"{database} is owned by {_read(database) or 'another engine'}",
                hint="Send commands through it, or end it first. Two engines never share one SQLite file.",
            )
        record = OwnerRecord(
            pid=os.getpid(),
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
            command=command_line(),
            socket=str(socket or database.with_name("engine.sock")),
        )
        return cls(file, record)

    def listens_at(self, socket: str) -> None:
        """Tell others where to send their commands, if not to where they expect it."""
        if socket != self._record.socket:
            self._describe(replace(self._record, socket=socket))

    def _describe(self, record: OwnerRecord) -> None:
        assert self._file is not None
        self._record = record
        os.ftruncate(self._file, 0)
        os.lseek(self._file, 0, os.SEEK_SET)
        os.write(self._file, json.dumps(asdict(record)).encode())

    def release(self) -> None:
        """Give the database up. Safe to call twice."""
        if self._file is not None:
            file, self._file = self._file, None
            os.ftruncate(file, 0)
            os.close(file)  # closing unlocks


def owner_of(database: Path) -> OwnerRecord | None:
    """Who owns the database now; None when nobody does, also when the last owner died without a word."""
    if not lock_path(database).exists():
        return None
    file = _open(lock_path(database), os.O_RDONLY)  # also where nothing can be written
    try:
        return None if _try_lock(file) else _read(database)
    finally:
        os.close(file)


def last_owner(database: Path) -> OwnerRecord | None:
    """Who owned the database last, if it never gave it up: the engine that a crash ended."""
    return _read(database)


def lock_path(database: Path) -> Path:
    return database.with_name(database.name + ".lock")


def _open(path: Path, how: int = os.O_RDWR | os.O_CREAT) -> int:
    try:
        return os.open(path, how | getattr(os, "O_CLOEXEC", 0), 0o600)
    except OSError as error:
        raise StoreError(
            f"the lock {path} cannot be opened: {error.strerror}", hint="Look at the permissions of its folder."
        ) from error


def _read(database: Path) -> OwnerRecord | None:
    try:
        return OwnerRecord(**json.loads(lock_path(database).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):  # the owner is just writing it
        return None


def command_line() -> str:
    """What was typed, up to the first option: options may carry secrets."""
    program = Path(sys.argv[0])
    words = [program.parent.name if program.name == "__main__.py" else program.name, *sys.argv[1:]]
    end = next((place for place, word in enumerate(words) if word.startswith("-")), len(words))
    return " ".join(words[:end])[:500] or "python"


if sys.platform == "win32":
    import msvcrt

    def _try_lock(file: int) -> bool:
        os.lseek(file, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        os.lseek(file, 0, os.SEEK_SET)
        return True
else:
    import fcntl

    def _try_lock(file: int) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
