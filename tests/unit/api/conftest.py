"""The API over an engine of its own, asked without a network in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from engine.api.access import Access
from engine.api.app import create_api
from engine.app import Engine
from engine.settings import Settings

GREET = """\
id: greet
namespace: acme.team
labels: {team: blue}
inputs:
  - {id: name, type: STRING, defaults: Ada}
  - {id: data, type: FILE, required: false}
tasks:
  - {id: hello, type: io.kestra.plugin.core.log.Log, message: "Hello {{ inputs.name }}"}
outputs:
  - {id: text, type: STRING, value: "Hello {{ inputs.name }}"}
"""
ASK = """\
id: ask
namespace: acme
tasks:
  - id: wait
    type: io.kestra.plugin.core.flow.Pause
    onResume: [{id: ok, type: BOOLEAN}]
  - {id: said, type: io.kestra.plugin.core.debug.Return, format: "{{ outputs.wait.onResume.ok }}"}
"""
FAIL = "id: fail\nnamespace: acme\ntasks: [{id: no, type: io.kestra.plugin.core.execution.Fail}]\n"
LOOPBACK = Access(host="127.0.0.1")
Serve = Callable[..., TestClient]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(tmp_path / "home", settings=_settings(tmp_path)) as engine:
        for source in (GREET, ASK, FAIL):
            engine.push(engine.parse(source, file="test"))
        yield engine


def _settings(folder: Path) -> Settings:
    return Settings.model_validate({"database": {"url": f"sqlite:///{folder / 'home' / 'penstock.db'}"}})


@pytest.fixture
def serve(engine: Engine) -> Iterator[Serve]:
    clients: list[TestClient] = []

    def served(access: Access = LOOPBACK, is_ready: Callable[[], bool] = lambda: True) -> TestClient:
        api = create_api(engine, access, is_ready=is_ready)
        client = TestClient(api, base_url="http://localhost", raise_server_exceptions=False)
        clients.append(client)
        return client.__enter__()

    yield served
    for client in clients:
        client.__exit__()


@pytest.fixture
def client(serve: Serve) -> TestClient:
    return serve()
