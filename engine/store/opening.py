"""From a URL to a database."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from engine.errors import NotFound, UsageError
from engine.store.database import Database

_EXAMPLES = "Write sqlite:///path/to/file.db or postgresql://user:password@host/database."


def open_database(url: str, *, owner: bool, make: bool = True) -> Database:
    """Open it as it is, whatever its schema; make a SQLite file that is missing only with `make`.

    Raises UsageError for a URL that makes no sense, NotFound for a file that is missing.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise UsageError("the database URL cannot be read", hint=_EXAMPLES) from error  # it may hold a password
    match parsed.get_backend_name():
        case "sqlite":
            from engine.store.sqlite import SqliteDatabase

            if parsed.database in (None, "", ":memory:") or parsed.query:
                raise UsageError(f"{url} names no file, or more than a file", hint=_EXAMPLES)
            path = Path(str(parsed.database)).absolute()
            if not make and not path.exists():
                raise NotFound(f"there is no database {path}", hint="It is made by the first run of a flow.")
            return SqliteDatabase(path, owner=owner, make=make)
        case "postgresql" | "postgres":
            from engine.store.postgres import PostgresDatabase

            return PostgresDatabase(parsed)
        case other:
            raise UsageError(f"a {other} database is not supported", hint=_EXAMPLES)
