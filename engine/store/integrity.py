"""Is the database whole? Looks everywhere, changes nothing, and needs neither ownership nor a current schema."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from msgspec import Struct
from sqlalchemy import func, select

from engine.errors import StoreError
from engine.store import reading, schema
from engine.store.codec import from_text
from engine.store.database import translated
from engine.store.opening import open_database
from engine.store.tables import executions, metadata

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from engine.store.database import Database

_ENOUGH = 20  # problems of one kind


class DatabaseReport(Struct, frozen=True, kw_only=True):
    """What `penstock db check` shows. `version` is None for a database without tables; `counts` is rows by table."""

    name: str
    version: str | None
    expected: str
    counts: dict[str, int]
    damage: tuple[str, ...]

    @property
    def problems(self) -> tuple[str, ...]:
        """What is damaged, and what else keeps this version from using it as it is."""
        if self.version in (None, self.expected):
            return self.damage
        older = f"the schema is {self.version}, not {self.expected}: the next start migrates it, after a backup"
        return (*self.damage, older)

    @property
    def is_sound(self) -> bool:
        return not self.problems


def db_check(url: str, *, contents: bool = True) -> DatabaseReport:
    """Look at every page and reference, and with `contents` at every execution too.

    Raises StoreError for what is no database of ours.
    """
    database = open_database(url, owner=False, make=False)
    try:
        return _check(database, contents=contents)
    finally:
        database.close()


def _check(database: Database, *, contents: bool) -> DatabaseReport:
    with database.reading() as connection:
        version = schema.version_of(connection, database)
    counts: dict[str, int] = {}
    damage: list[str] = []
    for query in database.INTEGRITY:
        with _noted(damage), database.reading() as connection:
            found = (" ".join(map(str, row)) for row in connection.exec_driver_sql(query).fetchmany(_ENOUGH))
            damage.extend(line for line in found if line != "ok")
    if version == schema.VERSION:
        with _noted(damage), database.reading() as connection:
            for table in metadata.sorted_tables:
                counts[table.name] = connection.execute(select(func.count()).select_from(table)).scalar_one()
            if contents:
                damage.extend(_damaged_executions(connection, database.name))
    return DatabaseReport(
        name=database.name, version=version, expected=schema.VERSION, counts=counts, damage=tuple(damage)
    )


@contextmanager
def _noted(damage: list[str]) -> Iterator[None]:
    """One look that fails is a finding, and the other looks go on."""
    try:
        yield
    except StoreError as error:
        damage.append(error.message)


def _damaged_executions(connection: Connection, name: str) -> Iterator[str]:
    """What does not decode: pages can be in order while the text in them is not."""
    found = 0
    for id_ in connection.execute(select(executions.c.id)).scalars().all():
        try:
            with translated(f"{name}, execution {id_},"):
                reading.execution(connection, from_text(id_))
        except StoreError as error:
            yield error.message
            found += 1
            if found == _ENOUGH:
                return
