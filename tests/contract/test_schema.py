"""How a database gets to the current schema: made at once, migrated after a backup, or refused."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from engine.errors import StoreError
from engine.store import open_store, schema
from engine.store.database import Database
from engine.store.opening import open_database
from engine.store.tables import metadata
from tests.contract.builders import an_execution, created

#: Our version, and two that may come after it.
OURS = schema.VERSION
NEXT, LAST = (f"{int(OURS) + steps:04}" for steps in (1, 2))
BROKEN = f"""
import sqlalchemy as sa
from alembic import op
revision, down_revision = "{LAST}", "{NEXT}"
def upgrade():
    op.create_table("half", sa.Column("id", sa.Integer, primary_key=True))
    op.execute("INSERT INTO no_such_table VALUES (1)")
"""
FINE = f"""
import sqlalchemy as sa
from alembic import op
revision, down_revision = "{NEXT}", "{OURS}"
def upgrade():
    with op.batch_alter_table("meta") as meta:
        meta.add_column(sa.Column("note", sa.Text))
"""


def path_of(sqlite_url: str) -> Path:
    return Path(sqlite_url.removeprefix("sqlite:///"))


@pytest.fixture
def later(tmp_path: Path) -> Path:
    """A copy of our migrations, where a test may add more."""
    copy = tmp_path / "migrations"
    (copy / "versions").mkdir(parents=True)
    for file in (schema.migrations_folder(), schema.migrations_folder() / "versions"):
        for source in file.glob("*.py"):
            (copy / source.relative_to(schema.migrations_folder())).write_text(source.read_text())
    return copy


def shape(database: Database) -> Any:
    """Everything that can be told about the tables."""
    with database.reading() as connection:
        look = inspect(connection)
        return {
            name: {
                "columns": [
                    (c["name"], str(c["type"]), c["nullable"], c["default"], getattr(c["type"], "collation", None))
                    for c in look.get_columns(name)
                ],
                "key": look.get_pk_constraint(name)["constrained_columns"],
                "references": [
                    (k["constrained_columns"], k["referred_table"], k["options"]) for k in look.get_foreign_keys(name)
                ],
                "indexes": sorted(
                    (i["name"] or "", tuple(i["column_names"]), i["unique"]) for i in look.get_indexes(name)
                ),
            }
            for name in look.get_table_names()
        }


def test_the_migrations_make_what_a_new_database_is_made_as(url: str) -> None:
    open_store(url).close()
    fresh = open_database(url, owner=False)
    direct = shape(fresh)
    with fresh.migrating() as connection:
        with connection.begin():
            metadata.drop_all(connection)
        schema.upgrade(connection, schema.migrations_folder())
        with connection.begin():
            options = {"version_table": "schema_version"}
            assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []
    assert shape(fresh) == direct
    fresh.close()
    open_store(url).close()


def test_on_sqlite_even_the_words_are_the_same(sqlite_url: str) -> None:
    def words() -> dict[str, str]:
        with closing(sqlite3.connect(path_of(sqlite_url))) as bare:
            rows = bare.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
        return {name: re.sub(r"\s+", "", sql) for name, sql in rows}

    open_store(sqlite_url).close()
    direct = words()
    database = open_database(sqlite_url, owner=False)
    with database.migrating() as connection:
        with connection.begin():
            metadata.drop_all(connection)
        schema.upgrade(connection, schema.migrations_folder())
    database.close()
    assert words() == direct


def test_the_version_is_the_newest_migration() -> None:
    assert ScriptDirectory(str(schema.migrations_folder())).get_current_head() == schema.VERSION


def test_a_current_database_is_opened_without_alembic(sqlite_url: str) -> None:
    program = (
        "import sys; from engine.store import open_store, db_check\n"
        "assert not {name.partition('.')[0] for name in sys.modules} & {'sqlalchemy', 'alembic', 'psycopg'}\n"
        f"open_store({sqlite_url!r}, owner=True).close(); open_store({sqlite_url!r}).close()\n"
        "assert not {name.partition('.')[0] for name in sys.modules} & {'alembic', 'psycopg'}\n"
        "assert 'sqlalchemy.dialects.postgresql' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)


def test_opening_twice_changes_nothing(url: str) -> None:
    store = open_store(url)
    store.commit([created(an_execution())])
    store.close()
    again = open_store(url)
    assert again.execution("e1") is not None
    again.close()


def test_an_older_database_is_copied_then_migrated(
    sqlite_url: str, later: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(sqlite_url)
    store.commit([created(an_execution())])
    store.close()
    (later / "versions" / f"{NEXT}_note.py").write_text(FINE)
    monkeypatch.setattr(schema, "VERSION", NEXT)
    database = open_database(sqlite_url, owner=True)
    schema.ensure_schema(database, later)
    schema.ensure_schema(database, later)
    database.close()

    with closing(sqlite3.connect(path_of(sqlite_url))) as bare:
        assert bare.execute("SELECT version_num FROM schema_version").fetchall() == [(NEXT,)]
        assert "note" in [row[1] for row in bare.execute("PRAGMA table_info(meta)")]
    (copy,) = path_of(sqlite_url).parent.glob("*.backup*")
    assert copy.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(copy)) as bare:
        assert bare.execute("SELECT version_num FROM schema_version").fetchall() == [(OURS,)]
        assert bare.execute("SELECT id FROM executions").fetchall() == [("e1",)]


def test_a_failing_migration_is_undone_and_can_be_run_again(
    url: str, later: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(url)
    store.commit([created(an_execution())])
    store.close()
    (later / "versions" / f"{NEXT}_note.py").write_text(FINE)
    (later / "versions" / f"{LAST}_broken.py").write_text(BROKEN)
    monkeypatch.setattr(schema, "VERSION", LAST)
    database = open_database(url, owner=True)
    for _ in range(2):
        with pytest.raises(StoreError, match="no_such_table"):
            schema.ensure_schema(database, later)
        with database.reading() as connection:
            assert schema.version_of(connection, database) == NEXT
            assert "half" not in connection.exec_driver_sql(database.TABLE_NAMES).scalars().all()
    (later / "versions" / f"{LAST}_broken.py").write_text(BROKEN.replace("no_such_table VALUES (1)", "half VALUES (1)"))
    schema.ensure_schema(database, later)
    database.close()
    store = open_store(url)
    assert store.execution("e1") is not None
    store.close()


def test_a_newer_database_is_refused_and_left_alone(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    open_store(url).close()
    monkeypatch.setattr(schema, "VERSION", "0000")
    with pytest.raises(StoreError, match="newer Penstock") as refusal:
        open_store(url, owner=True)
    assert "pip install --upgrade" in (refusal.value.hint or "")
    monkeypatch.undo()
    open_store(url, owner=True).close()
