"""When the link to PostgreSQL breaks: no write is lost, none is done twice, and the next one just works."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Literal

import pytest
from sqlalchemy import create_engine
from sqlalchemy.engine import URL, make_url

from engine.errors import StoreError
from engine.store import open_store
from engine.store.sql import SqlStore
from tests.contract.builders import a_line, a_task_run, an_execution, changed, created, moved

Cut = Literal["before COMMIT", "after COMMIT"]


class Proxy:
    """Stands between the store and PostgreSQL, and cuts the link at the next COMMIT when told to."""

    def __init__(self, server: URL) -> None:
        self.cut: Cut | None = None
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._links: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        host, port = self._listener.getsockname()
        plain = {"sslmode": "disable", "gssencmode": "disable", "options": self._server.query["options"]}
        return self._server.set(host=host, port=port, query=plain).render_as_string(False)

    def close(self) -> None:
        for link in (self._listener, *self._links):
            _shut(link)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _address = self._listener.accept()
                server = self._connect()
                self._links += [client, server]
                deaf = threading.Event()
                threading.Thread(target=self._up, args=(client, server, deaf), daemon=True).start()
                threading.Thread(target=self._down, args=(server, client, deaf), daemon=True).start()

    def _connect(self) -> socket.socket:
        host = str(self._server.query.get("host") or self._server.host or "127.0.0.1")
        port = self._server.port or 5432
        if not host.startswith("/"):
            return socket.create_connection((host, port))
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{host}/.s.PGSQL.{port}")
        return server

    def _up(self, client: socket.socket, server: socket.socket, deaf: threading.Event) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                if self.cut and b"COMMIT\x00" in data:
                    cut, self.cut = self.cut, None
                    if cut == "before COMMIT":
                        break
                    deaf.set()
                server.sendall(data)
        _shut(client)
        _shut(server)

    def _down(self, server: socket.socket, client: socket.socket, deaf: threading.Event) -> None:
        with suppress(OSError):
            while (data := server.recv(65536)) and not deaf.is_set():
                client.sendall(data)
        _shut(client)
        _shut(server)


def _shut(link: socket.socket) -> None:
    with suppress(OSError):
        link.shutdown(socket.SHUT_RDWR)
    link.close()


@pytest.fixture
def proxy(postgres_url: str) -> Iterator[Proxy]:
    between = Proxy(make_url(postgres_url))
    yield between
    between.close()


@pytest.fixture
def store(proxy: Proxy) -> Iterator[SqlStore]:
    opened = open_store(proxy.url)
    yield opened
    opened.close()


def test_a_commit_whose_answer_is_lost_is_known_to_be_done(store: SqlStore, proxy: Proxy) -> None:
    run = a_task_run()
    start = created(an_execution(), run)
    store.commit([start])
    proxy.cut = "after COMMIT"
    end = changed(start.after, start.after, moved(run, run.state, epoch=1))
    end.logs.append(a_line())
    store.commit([end])
    assert proxy.cut is None
    assert store.execution("e1") == end.after
    assert len(store.logs("e1")) == 1


def test_a_commit_that_never_arrived_is_known_not_to_be_done(store: SqlStore, proxy: Proxy) -> None:
    start = created(an_execution(), a_task_run())
    proxy.cut = "before COMMIT"
    with pytest.raises(StoreError):
        store.commit([start])
    assert proxy.cut is None
    assert store.execution("e1") is None
    store.commit([start])
    assert store.execution("e1") == start.after


def test_all_sessions_ended_by_an_administrator_are_made_again(store: SqlStore, postgres_url: str) -> None:
    store.commit([created(an_execution())])
    admin = create_engine(postgres_url)
    with admin.connect() as connection:
        others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ended = connection.exec_driver_sql(f"SELECT pg_terminate_backend(pid) {others}").all()
        assert ended
    admin.dispose()
    store.commit([created(an_execution("e2"))])
    assert store.unfinished() == ["e1", "e2"]


def test_a_failed_write_leaves_no_open_transaction(store: SqlStore, postgres_url: str) -> None:
    store.commit([created(an_execution())])
    for _ in range(20):
        with pytest.raises(StoreError):
            store.commit([created(an_execution())])
    admin = create_engine(postgres_url)
    with admin.connect() as connection:
        idle = (
            "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%%' AND pid <> pg_backend_pid()"
        )
        assert connection.exec_driver_sql(idle).scalar_one() == 0
    admin.dispose()


def test_two_engines_may_make_the_tables_at_once(postgres_url: str) -> None:
    opened: list[SqlStore] = []
    threads = [threading.Thread(target=lambda: opened.append(open_store(postgres_url))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 4
    for store in opened:
        store.close()


def test_a_server_that_is_not_there_is_a_store_error_without_the_password() -> None:
    with pytest.raises(StoreError) as refused:
        open_store("postgresql://somebody:hunter2@127.0.0.1:1/nothing?connect_timeout=2")
    assert "hunter2" not in f"{refused.value} {refused.value.hint}"
    assert refused.value.hint
