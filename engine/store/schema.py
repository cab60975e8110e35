"""Which version a database is at, and how it gets to ours.

Always true: a database that is current costs one small query and no import of Alembic. A new one is made in one
transaction straight from `engine.store.tables`, which is what all migrations together make (a test holds them to
it). An older one is copied first, then each migration is one transaction. A newer one is refused.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import insert

from engine.errors import StoreError
from engine.store.database import Database
from engine.store.tables import metadata, schema_version

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_log = logging.getLogger(__name__)

#: The newest migration, which is the schema of `engine.store.tables`. Numbers have four digits and rise.
VERSION = "0005"


def ensure_schema(database: Database, migrations: Path | None = None) -> None:
    """Bring the database to `VERSION`. Raises StoreError when it is newer, or not ours."""
    with database.reading() as connection:
        if version_of(connection, database) == VERSION:
            return
    with database.migrating() as connection:
        with connection.begin():
            version = version_of(connection, database)  # again: another engine may have been faster
            if version is None:
                create(connection)
        if version is not None and version < VERSION:
            copy = database.backup(f"before-{VERSION}.backup")
            _log.info("migrating %s from %s to %s; backup: %s", database.name, version, VERSION, copy or "none")
            upgrade(connection, migrations or migrations_folder())


def version_of(connection: Connection, database: Database) -> str | None:
    """The version that the database is at; None when it is new. Raises StoreError when it is newer, or not ours."""
    names = set(connection.exec_driver_sql(database.TABLE_NAMES).scalars())
    if schema_version.name not in names:
        if database.OURS_ALONE and names:
            raise StoreError(
                f"{database.name} holds other tables ({', '.join(sorted(names)[:5])}), but is no Penstock database",
                hint="It is left as it is. Point --home elsewhere, or move it away.",
            )
        return None
    versions = connection.exec_driver_sql("SELECT version_num FROM schema_version").scalars().all()
    if len(versions) != 1:
        raise StoreError(
            f"{database.name} names {len(versions)} schema versions instead of one", hint="Restore a backup."
        )
    if versions[0] > VERSION:
        raise StoreError(
            f"{database.name} was made by a newer Penstock: its schema is {versions[0]}, this one knows {VERSION}",
            hint="Install that version or a later one (pip install --upgrade penstock).",
        )
    return str(versions[0])


def create(connection: Connection) -> None:
    """Make all tables in a new database and stamp it, inside the connection's transaction."""
    metadata.create_all(connection, checkfirst=False)
    connection.execute(insert(schema_version).values(version_num=VERSION))


def upgrade(connection: Connection, migrations: Path, to: str = "head") -> None:
    """Run the migrations that are missing, one transaction each, on a connection that is in none."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, to)


def migrations_folder() -> Path:
    """`migrations/` of the checkout, or its copy in the wheel."""
    package = Path(__file__).parents[1]
    for place in (package / "_migrations", package.parent / "migrations"):
        if place.is_dir():
            return place
    raise StoreError("the migrations are missing from this installation", hint="Install Penstock again.")
