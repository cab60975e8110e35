"""What the verbs need of a database: a transaction to write in, a transaction to read in, and honest errors.

Always true: a `writing` block is committed when it ends and rolled back when it raises, and no connection is left in
a transaction; a `reading` block sees one moment of the database. No driver's exception leaves this package.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoLinkFree

from engine.errors import Fenced, StoreError, StoreFull, StoreUnreachable

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Dialect

_FULL = "The disk is full. Free some space; nothing that was acknowledged is lost."
#: SQLite's own names for what went wrong, by their beginning, and what to do about it.
_SQLITE_HINTS = {
    "SQLITE_NOTADB": "The file is not a SQLite database.",
    "SQLITE_CORRUPT": "The file is damaged; `penstock db check` says how much.",
    "SQLITE_READONLY": "The file or its folder cannot be written. Give yourself the permission (chmod u+w).",
    "SQLITE_CANTOPEN": "The file or its folder cannot be opened. Look at their permissions.",
    "SQLITE_FULL": _FULL,
    "SQLITE_IOERR_SHMSIZE": _FULL,  # the index of the log does not fit on it any more
    "SQLITE_BUSY": "Another process is writing to this database. Find it and end it, then try again.",
    "SQLITE_LOCKED": "Another process is writing to this database. Find it and end it, then try again.",
    "SQLITE_IOERR": "The disk reports an error. Look at the system's log before you trust this disk.",
    "SQLITE_TOOBIG": "A value is larger than SQLite takes (1 GB). Write it to a file and store its URI.",
}
#: What SQLite and PostgreSQL say when the disk is full.
_NO_ROOM = ("SQLITE_FULL", "53100")
#: How PostgreSQL's codes begin where there is no link, no room for one, or it starts, stops, or lets nobody in.
_NO_SERVER = ("08", "53300", "57P")
_DAMAGED = (_SQLITE_HINTS["SQLITE_NOTADB"], _SQLITE_HINTS["SQLITE_CORRUPT"])


class Database(ABC):
    """One database, opened. `name` is fit for messages: no password in it."""

    TABLE_NAMES: ClassVar[str]  #: the query that lists the tables
    OURS_ALONE: ClassVar[bool]  #: whether nobody else may keep tables here
    INTEGRITY: ClassVar[tuple[str, ...]]  #: queries that give a row for each thing that is damaged, or just `ok`

    name: str
    dialect: Dialect

    @abstractmethod
    def writing(self) -> AbstractContextManager[Connection]:
        """A transaction that writes."""

    def writing_in_turn(self) -> AbstractContextManager[Connection]:
        """A transaction that writes what it has read before, while no other of this kind goes on."""
        return self.writing()

    @abstractmethod
    def reading(self) -> AbstractContextManager[Connection]:
        """A transaction that only reads, all of it at one moment."""

    @abstractmethod
    def migrating(self) -> AbstractContextManager[Connection]:
        """A connection that is in no transaction yet, while nobody else changes the schema."""

    @abstractmethod
    def backup(self, suffix: str) -> Path | None:
        """Copy the database to a new file and give its path; None where its administrator does that."""

    @property
    def size(self) -> int | None:
        """Bytes in use; None where deleting frees none that could be counted."""
        return None

    def shrink(self) -> bool:
        """Give a little of what is freed back to the disk; whether there is more."""
        return False

    @abstractmethod
    def compact(self) -> None:
        """Write everything anew, without what is freed. Takes long, and nobody else writes meanwhile."""

    def own(self, socket: str | None) -> None:  # noqa: B027 - a server lets many write; nothing to do is right
        """Take the right to write, or raise StoreBusy; `socket` is where its owner listens."""

    def alone(self, what: str) -> AbstractContextManager[bool]:
        """Whether no other engine is in a block of this name. Here no other writes at all."""
        return nullcontext(enter_result=True)

    @abstractmethod
    def close(self) -> None:
        """Release everything. Safe to call twice."""


@contextmanager
def translated(name: str, repair: Callable[[], str] | None = None) -> Iterator[None]:
    """Turn what a driver raises into an error that says whose fault it is and what to do next.

    `repair` tells what to do about a file that is damaged.
    """
    try:
        yield
    except IntegrityError as error:
        raise Fenced(
            f"the database {name} already holds, or no longer holds, what this write relies on: {error.orig}",
            hint="Another engine wrote it. Read it again before going on.",
        ) from error
    except DBAPIError as error:
        hint = _hint(error)
        if repair is not None and hint is not None and hint.startswith(_DAMAGED):
            hint = f"{hint} {repair()}"
        raise _kind(error)(f"the database {name} failed: {_reason(error)}", hint=hint) from error
    except NoLinkFree as error:
        raise StoreUnreachable(f"the database {name} has no link free: {error}") from error
    except SQLAlchemyError as error:
        raise StoreError(f"the database {name} failed: {error}") from error
    except OverflowError as error:
        raise StoreError(f"a number is too large for the database {name}: {error}") from error


def _kind(error: DBAPIError) -> type[StoreError]:
    codes = (getattr(error.orig, "sqlite_errorname", None), getattr(error.orig, "sqlstate", None))
    if any(code in _NO_ROOM for code in codes):
        return StoreFull
    return StoreUnreachable if _is_unreachable(error) else StoreError


def _is_unreachable(error: DBAPIError) -> bool:
    """Whether the server, rather than the statement, is why it failed. A SQLite file is always there, or never."""
    code = getattr(error.orig, "sqlstate", "")
    if code is None:
        return isinstance(error, OperationalError)  # it never came to the server
    return error.connection_invalidated or code.startswith(_NO_SERVER)


def _reason(error: DBAPIError) -> str:
    words = str(error.orig).strip() or type(error.orig).__name__
    return words.partition(" with text ")[0].splitlines()[0]  # the driver shows the text that it cannot decode


def _hint(error: DBAPIError) -> str | None:
    words, code = str(error.orig), getattr(error.orig, "sqlite_errorname", None)
    if "Could not decode" in words:
        code = "SQLITE_CORRUPT"
    if code is not None:
        return next((hint for start, hint in _SQLITE_HINTS.items() if code.startswith(start)), None)
    if error.connection_invalidated or "connect" in words:
        return "Is the database running, and does the URL name its host, port, user and password?"
    return None
