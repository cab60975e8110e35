"""Where state lives: SQLite or PostgreSQL behind the verbs of `engine.ports.Store`, and a twin in memory for tests.

Importing this package costs next to nothing; SQLAlchemy is loaded when a database is opened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import NotFound, StoreError
from engine.store.memory import MemoryStore
from engine.store.owner import Owner, OwnerRecord, owner_of

if TYPE_CHECKING:
    from engine.store.database import Database
    from engine.store.integrity import DatabaseReport
    from engine.store.sql import SqlStore

__all__ = ["MemoryStore", "Owner", "OwnerRecord", "db_check", "open_as_it_is", "open_store", "owner_of"]


def open_store(url: str, *, owner: bool = False) -> SqlStore:
    """Open the database at a `sqlite:///path` or `postgresql://...` URL, making or migrating it where needed.

    With `owner` a SQLite file is owned from now on (StoreBusy if somebody else does). Without, it can be read at
    any time, and is owned from the first write on. Raises StoreError for a database that cannot be used as it is.
    """
    from engine.store.opening import open_database
    from engine.store.schema import ensure_schema

    database = open_database(url, owner=owner)
    try:
        ensure_schema(database)
    except BaseException:
        database.close()
        raise
    return _store(database)


def _store(database: Database) -> SqlStore:
    if database.dialect.name == "postgresql":
        from engine.store.shared import SharedStore

        return SharedStore(database)
    from engine.store.sql import SqlStore

    return SqlStore(database)


def open_as_it_is(url: str) -> SqlStore | None:
    """Open a database for reading alone, neither making nor migrating anything.

    None where there is none. Raises StoreError where nothing can be read, or not by this version.
    """
    from engine.store.opening import open_database
    from engine.store.schema import VERSION, version_of

    try:
        database = open_database(url, owner=False, make=False)
    except NotFound:
        return None
    try:
        with database.reading() as connection:
            version = version_of(connection, database)
        if version == VERSION:
            return _store(database)
    except BaseException:
        database.close()
        raise
    database.close()
    if version is None:
        return None
    raise StoreError(f"{database.name} has an older schema", hint="`penstock db upgrade` brings it up to date")


def db_check(url: str, *, contents: bool = True) -> DatabaseReport:
    """Look whether the database is whole, with `contents` down to every execution; nothing is changed.

    Raises StoreError where nothing can be read at all.
    """
    from engine.store import integrity

    return integrity.db_check(url, contents=contents)
