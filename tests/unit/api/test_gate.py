"""What no request can do to the server, whatever it sends, and what an answer never shows."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from engine.api.app import create_api
from engine.api.gate import Gate
from engine.app import Engine
from engine.errors import StoreError
from tests.unit.api.conftest import LOOPBACK, Serve

LIMIT = 1000


@pytest.fixture
def small(engine: Engine) -> Iterator[TestClient]:
    gate = create_api(engine, LOOPBACK)
    limited = Gate(gate._app, LOOPBACK, max_body=LIMIT, max_upload=2 * LIMIT)
    with TestClient(limited, base_url="http://localhost") as client:
        yield client


@pytest.mark.parametrize("path", ["/flows", "/flows/validate", "/executions/acme/ask", "/executions/x/labels"])
def test_a_body_that_is_too_large_is_refused_before_it_is_read(small: TestClient, path: str) -> None:
    announced = small.post(f"/api/v1{path}", content=b"x" * (LIMIT + 1))
    assert announced.status_code == 413
    assert f"{LIMIT:,} bytes" in announced.json()["message"]
    assert small.post(f"/api/v1{path}", content=b"x" * LIMIT).status_code != 413


def test_a_body_that_does_not_tell_its_size_is_cut_off(small: TestClient) -> None:
    chunks = (b"x" * 100 for _ in range(100))
    assert small.post("/api/v1/flows", content=chunks).status_code == 413


def test_a_form_may_be_larger(small: TestClient) -> None:
    kept = small.post("/api/v1/executions/acme.team/greet", files={"data": ("a", b"x" * LIMIT)})
    assert kept.status_code == 200
    refused = small.post("/api/v1/executions/acme.team/greet", files={"data": ("a", b"x" * 2 * LIMIT)})
    assert refused.status_code == 413


@pytest.mark.parametrize("path", ["/flows", "/executions/webhook/acme/ask/key", "/executions/x/labels"])
def test_what_only_says_that_it_is_a_form_is_no_larger(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr("engine.api.reading.MAX_BODY", LIMIT)
    form = {"content-type": "multipart/form-data; boundary=x"}
    assert client.post(f"/api/v1{path}", content=b"x" * (LIMIT + 1), headers=form).status_code == 413


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/api/v1/other-tenant/flows/search", 404),
        ("GET", "/api/v1/flows/search/", 404),
        ("POST", "/api/v1/flows/search", 405),
        ("PATCH", "/api/v1/flows/acme/ask", 405),
        ("GET", "/api/v1/flows/acme%2Fask", 200),
        ("GET", "/api/v1/flows/acme/%61sk", 200),
        ("GET", "/api/v1/flows/%2e%2e/ask", 404),
        ("GET", "/api%2Fv1/flows/acme/ask", 404),
        ("GET", "/api/v1/executions/%00", 404),
        ("GET", "/api/v1/executions/%ff%fe", 404),
        ("DELETE", "/api/v1/executions/..%2f..%2fhome", 404),
        ("GET", "/api/v1/logs/%0d%0aX-Evil:1/download", 404),
    ],
)
def test_paths_are_taken_as_they_were_sent(client: TestClient, method: str, path: str, status: int) -> None:
    answer = client.request(method, f"http://localhost{path}")
    assert answer.status_code == status
    if status >= 400:
        assert answer.json()["_links"]["self"][0]["href"]


def test_a_wrong_method_is_told_the_right_ones(client: TestClient) -> None:
    answer = client.delete("/api/v1/executions/webhook/acme/ask/key")
    assert answer.headers["allow"] == "GET, POST, PUT"
    assert answer.json()["message"] == "Method Not Allowed: this path takes GET, POST, PUT"


class Broken:
    """A store that raises."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __getattr__(self, name: str) -> Any:
        raise self.error

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def with_store(engine: Engine, serve: Serve) -> Iterator[Any]:
    client, kept = serve(), engine.store

    def use(error: Exception) -> TestClient:
        engine.__dict__["store"] = Broken(error)
        return client

    yield use
    engine.__dict__["store"] = kept


def test_a_database_that_fails_is_503_and_says_when_to_ask_again(with_store: Any) -> None:
    client = with_store(StoreError("the database /home/me/.penstock/penstock.db failed: SELECT secret"))
    for answer in (client.get("/api/v1/flows/search"), client.get("/api/v1/flows/acme/ask")):
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert "penstock.db" not in answer.text
        assert "SELECT" not in answer.text


def test_a_bug_shows_nothing_of_the_inside(with_store: Any, caplog: pytest.LogCaptureFixture) -> None:
    client = with_store(ZeroDivisionError("the secret word"))
    answer = client.get("/api/v1/flows/search")
    assert answer.status_code == 500
    assert answer.json()["message"].startswith("Internal server error")
    assert "secret word" not in answer.text
    assert "Traceback" not in answer.text
    assert "secret word" in caplog.text


def test_ready_is_another_question_than_health(serve: Serve) -> None:
    client = serve(is_ready=lambda: False)
    assert client.get("/health").status_code == 200
    assert client.get("/ready").status_code == 503


def test_a_server_that_ends_only_shows(engine: Engine) -> None:
    gate = create_api(engine, LOOPBACK)
    with TestClient(gate, base_url="http://localhost") as client:
        gate.is_ending = True
        refused = client.post("/api/v1/executions/acme/ask")
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
        assert client.get("/api/v1/executions/search").json()["total"] == 0


def test_the_access_log_has_a_line_each_and_no_key(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="engine.api.access_log"):
        client.get("/api/v1/flows/search?q=secret-q")
        client.post("/api/v1/main/executions/webhook/acme/ask/secret-key")
        client.get("http://localhost/api/v1/executions/%0aforged")
    lines = [record.getMessage() for record in caplog.records if record.name == "engine.api.access_log"]
    assert len(lines) == 3
    assert lines[0].startswith("testclient GET /api/v1/flows/search 200 ")
    assert "POST /api/v1/main/executions/webhook/acme/ask/*** 404" in lines[1]
    assert not any("secret" in line or "\n" in line for line in lines)
