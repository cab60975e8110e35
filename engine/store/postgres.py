"""PostgreSQL as the store uses it: a pool, and certainty about every commit.

Always true: a connection goes back to the pool in no transaction, and a broken one never comes back. When the link
breaks during COMMIT, the server is asked on a fresh connection what became of that very transaction: a write that
was applied is never reported as failed, nor the other way round.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import URL, create_engine
from sqlalchemy.exc import DBAPIError, NoSuchModuleError

from engine.errors import StoreError, UsageError
from engine.store.database import Database, translated

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

_CONNECT_SECONDS = 10
_UNDECIDED_SECONDS = 30  # how long the server may take to notice that the link of a transaction is gone
_MIGRATION_LOCK = 0x70656E73  # any number, as long as it is always the same


class PostgresDatabase(Database):
    """A PostgreSQL database, or the schema in it that the URL's search path names."""

    TABLE_NAMES = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
    OURS_ALONE = False
    INTEGRITY = ()  # the server checks its own pages

    def __init__(self, url: URL) -> None:
        self.name = url.render_as_string(hide_password=True)
        self._engine = _engine(url)
        self._snapshots = self._engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self.dialect = self._engine.dialect

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        with translated(self.name), self._engine.connect() as connection:
            transaction = connection.begin()
            try:
                yield connection
                number = int(connection.exec_driver_sql("SELECT pg_current_xact_id()::text").scalar_one())
            except BaseException:
                transaction.rollback()
                raise
            try:
                transaction.commit()
            except DBAPIError as error:
                if not error.connection_invalidated or not self._was_committed(number):
                    raise

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        with translated(self.name), self._snapshots.begin() as connection:
            yield connection

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        with translated(self.name), self._engine.connect() as connection:
            connection.exec_driver_sql(f"SELECT pg_advisory_lock({_MIGRATION_LOCK})")
            connection.commit()
            try:
                yield connection
            finally:
                connection.rollback()
                connection.exec_driver_sql(f"SELECT pg_advisory_unlock({_MIGRATION_LOCK})")
                connection.commit()

    def backup(self, suffix: str) -> Path | None:
        return None

    def compact(self) -> None:
        raise UsageError(
            f"{self.name} is compacted by its server",
            hint="`VACUUM FULL` does it at once, and locks each table for it.",
        )

    def close(self) -> None:
        self._engine.dispose()

    def _was_committed(self, number: int) -> bool:
        """What became of a transaction whose COMMIT was sent but never answered."""
        deadline = time.monotonic() + _UNDECIDED_SECONDS
        status: str | None = None
        while time.monotonic() < deadline:
            try:
                with self._engine.connect() as connection:
                    query = "SELECT pg_xact_status(%s::xid8)"
                    status = connection.exec_driver_sql(query, (str(number),)).scalar_one()
            except DBAPIError:
                status = "unreachable"
            if status in ("committed", "aborted"):
                return status == "committed"
            time.sleep(0.05)
        raise StoreError(
            f"{self.name} lost the link during a commit and could not say for {_UNDECIDED_SECONDS} s whether "
            f"transaction {number} was applied ({status or 'unknown'})",
            hint="Restart this engine: it reads what is stored and goes on from there.",
        )


def _engine(url: URL) -> Engine:
    try:
        return create_engine(
            url.set(drivername="postgresql+psycopg"),
            paramstyle="format",  # rows are tuples, on every database
            pool_size=5,
            max_overflow=5,
            pool_pre_ping=True,
            connect_args={"connect_timeout": _CONNECT_SECONDS},
        )
    except (ImportError, NoSuchModuleError) as error:
        raise UsageError("PostgreSQL needs a driver", hint="pip install 'penstock[postgres]'") from error
