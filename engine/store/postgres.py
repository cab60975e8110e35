"""PostgreSQL as the store uses it: a pool, and certainty about every commit.

Always true: a connection goes back to the pool in no transaction, and a broken one never comes back. When the link
breaks during COMMIT, the server is asked on a fresh connection what became of that very transaction: a write that
was applied is never reported as failed, nor the other way round.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import URL, create_engine
from sqlalchemy.exc import DBAPIError, NoSuchModuleError

from engine.errors import CommitUnknown, UsageError
from engine.store.database import Database, translated

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

_CONNECT_SECONDS = 10
_UNDECIDED_SECONDS = 300  # how long the server may be away, or take to notice that the link is gone
_THIS_TRANSACTION = "SELECT pg_current_xact_id()::text, pg_postmaster_start_time()::text"
_NEVER_HEARD_OF = "22023"  # the server's word for the number of a transaction that is to come
_MIGRATION_LOCK, _TURN_LOCK = 0x70656E73, 0x70656E74  # any numbers, as long as they are always the same


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
                number, server = connection.exec_driver_sql(_THIS_TRANSACTION).one()
            except BaseException:
                transaction.rollback()
                raise
            try:
                transaction.commit()
            except DBAPIError as error:
                if not error.connection_invalidated or not self._was_committed(number, server):
                    raise

    @contextmanager
    def writing_in_turn(self) -> Iterator[Connection]:
        with self.writing() as connection:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_TURN_LOCK})")
            yield connection

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

    @contextmanager
    def alone(self, what: str) -> Iterator[bool]:
        with translated(self.name), self._engine.connect() as connection:
            number = int.from_bytes(sha256(f"penstock/{what}".encode()).digest()[:8], signed=True)
            is_alone = bool(connection.exec_driver_sql("SELECT pg_try_advisory_lock(%s)", (number,)).scalar_one())
            connection.commit()
            try:
                yield is_alone
            finally:
                if is_alone:
                    connection.exec_driver_sql("SELECT pg_advisory_unlock(%s)", (number,))
                    connection.commit()

    def close(self) -> None:
        self._engine.dispose()

    def _was_committed(self, number: str, server: str) -> bool:
        """What became of a transaction whose COMMIT was sent but never answered.

        `server` is when the server was started then: one that crashed may give a number that was lost once more.
        """
        deadline = time.monotonic() + _UNDECIDED_SECONDS
        while time.monotonic() < deadline:
            status, same = self._status(number, server)
            if status == "committed" and not same:
                break
            if status in ("committed", "aborted") or (status is not None and not same):
                return status == "committed"
            time.sleep(0.05)
        raise CommitUnknown(
            f"{self.name} lost the link during a commit and cannot say whether transaction {number} was applied",
            hint="Read again what is stored, and go on from there.",
        )

    def _status(self, number: str, server: str) -> tuple[str | None, bool]:
        """How the transaction stands, None while nobody answers; and whether it is the same server that says so."""
        try:
            with self._engine.connect() as connection:
                same = connection.exec_driver_sql("SELECT pg_postmaster_start_time()::text").scalar_one() == server
                query = "SELECT pg_xact_status(%s::xid8)"
                return connection.exec_driver_sql(query, (number,)).scalar_one() or "forgotten", same
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) == _NEVER_HEARD_OF:
                return "aborted", False
            return None, False


def _engine(url: URL) -> Engine:
    try:
        return create_engine(
            url.set(drivername="postgresql+psycopg"),
            paramstyle="format",  # rows are tuples, on every database
            pool_size=5,
            max_overflow=20,
            pool_pre_ping=True,
            connect_args={"connect_timeout": _CONNECT_SECONDS},
        )
    except (ImportError, NoSuchModuleError) as error:
        raise UsageError("PostgreSQL needs a driver", hint="pip install 'penstock[postgres]'") from error
