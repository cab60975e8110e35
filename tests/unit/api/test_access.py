"""Who may ask for what: every route there is, and every way around."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from starlette.testclient import TestClient

from engine.api.access import Access
from engine.api.app import PREFIXES, served
from engine.errors import UsageError
from tests.unit.api.conftest import Serve

TOKEN = "a-token-nobody-guesses"
GUARDED = Access(host="127.0.0.1", token=TOKEN)
PATHS = [
    (route.method, (prefix if route.path not in ("/health", "/ready") else "") + route.path)
    for route in served()
    for prefix in PREFIXES
]
WRONG = [None, "", "Bearer", "Bearer nothing", f"Bearer {TOKEN}x", "Basic !!", f"Basic {TOKEN}", f"Digest {TOKEN}"]


def filled(path: str) -> str:
    """The path with something for each of its parameters."""
    return "/".join("x" if part.startswith("{") else part for part in path.split("/"))


def headers(authorization: str | None) -> dict[str, str]:
    return {} if authorization is None else {"Authorization": authorization}


def is_open(path: str) -> bool:
    return path in ("/health", "/ready") or "/webhook/" in path


@pytest.fixture
def guarded(serve: Serve) -> TestClient:
    return serve(GUARDED)


@pytest.mark.parametrize(("method", "path"), sorted(set(PATHS)))
def test_every_route_wants_the_token_unless_anybody_may_use_it(guarded: TestClient, method: str, path: str) -> None:
    statuses = {guarded.request(method, filled(path), headers=headers(wrong)).status_code for wrong in WRONG}
    assert (401 in statuses) is not is_open(path)
    assert is_open(path) or statuses == {401}


@pytest.mark.parametrize("path", ["/api/v1/openapi.json", "/docs", "/redoc", "/", "/nothing", "/api/v1/configs"])
def test_what_is_no_route_is_not_told_apart_from_one(guarded: TestClient, path: str) -> None:
    assert guarded.get(path).status_code == 401


@pytest.mark.parametrize(
    "suffix",
    [
        "/health",
        "/ready",
        ";/health",
        "//health",
        "/..%2fhealth",
        "%2fhealth",
        "/health/",
        "?x=/health",
        "#/health",
        ".",
    ],
)
def test_a_path_is_not_opened_by_what_is_put_behind_it(guarded: TestClient, suffix: str) -> None:
    assert guarded.get("/api/v1/main/flows/search" + suffix).status_code == 401


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/flows/search/api/v1/executions/webhook/a/b/c",
        "/api/v1/executions/webhook/a/b/c/d",
        "/api/v1/executions/webhook/a/b/c;/kill",
        "/api/v1/executions/webhook/a/b",
        "//api/v1/executions/webhook/a/b/c",
        "/api/v1/other/executions/webhook/a/b/c",
    ],
)
def test_only_the_very_paths_of_webhooks_are_open(guarded: TestClient, path: str) -> None:
    assert guarded.post(f"http://localhost{path}").status_code == 401
    assert guarded.post("/api/v1/executions/webhook/a/b/c").status_code == 404


@pytest.mark.parametrize("path", ["/health/", "//health", "/HEALTH", "/health;x", "/health.", "/%68ealth", "/ready%2f"])
def test_only_the_exact_paths_are_open(guarded: TestClient, path: str) -> None:
    assert guarded.get(f"http://localhost{path}").status_code == 401


@pytest.mark.parametrize(
    "authorization",
    [f"Bearer {TOKEN}", f"bearer {TOKEN}", "Basic " + base64.b64encode(f"me:{TOKEN}".encode()).decode()],
)
def test_the_token_opens_it(guarded: TestClient, authorization: str) -> None:
    assert guarded.get("/api/v1/flows/search", headers=headers(authorization)).status_code == 200


def test_a_refusal_says_what_is_wanted(guarded: TestClient) -> None:
    refused = guarded.get("/api/v1/flows/search")
    assert refused.headers["WWW-Authenticate"] == "Bearer"
    assert "Authorization: Bearer TOKEN" in refused.json()["message"]


@pytest.mark.parametrize("host", ["evil.com", "localhost.evil.com", "evil.com:80", "", "127.0.0.1.evil.com"])
def test_a_name_that_is_not_ours_is_refused_everywhere(client: TestClient, host: str) -> None:
    for path in ("/health", "/api/v1/flows/search"):
        assert client.get(path, headers={"Host": host}).status_code == 421


@pytest.mark.parametrize("host", ["localhost", "localhost:8080", "127.0.0.1:1", "[::1]:80", "192.168.0.7", "LOCALHOST"])
def test_our_names_and_all_addresses_are_fine(client: TestClient, host: str) -> None:
    assert client.get("/health", headers={"Host": host}).status_code == 200


def test_a_name_of_the_settings_is_fine(serve: Serve) -> None:
    client = serve(Access(host="127.0.0.1", names=("Flows.example.com",)))
    assert client.get("/health", headers={"Host": "flows.example.com:8080"}).status_code == 200


@pytest.mark.parametrize(
    "sent",
    [
        {"Origin": "https://evil.com"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_a_page_of_another_site_changes_nothing(client: TestClient, sent: dict[str, str], kind: str) -> None:
    begin = "/api/v1/executions/acme.team/greet"
    assert client.post(begin, headers={**sent, "Content-Type": kind}, content=b"--x--\r\n").status_code == 403
    assert client.get("/api/v1/executions/search").json()["total"] == 0
    assert client.get("/health", headers=sent).status_code == 200


def test_a_page_of_our_own_may(client: TestClient) -> None:
    sent = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    assert client.post("/api/v1/executions/acme.team/greet", headers=sent).status_code == 200


def test_no_other_origin_is_let_read(client: TestClient) -> None:
    answer = client.get("/api/v1/flows/search", headers={"Origin": "https://evil.com"})
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("path", ["/health", "/nothing", "/api/v1/flows/search", "/api/v1/executions/no"])
def test_every_answer_has_the_headers_that_keep_it_safe(client: TestClient, path: str) -> None:
    found = client.get(path).headers
    assert (found["Cache-Control"], found["X-Content-Type-Options"]) == ("no-store", "nosniff")
    assert found["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert "server" not in found


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.0.7", "::", "flows.example.com", ""])
def test_who_can_be_reached_by_others_needs_a_token(host: str) -> None:
    with pytest.raises(UsageError, match="no token") as refused:
        Access(host=host)
    assert "PENSTOCK_SERVER__TOKEN" in (refused.value.hint or "")
    assert Access(host=host, token=TOKEN).token == TOKEN


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_needs_none(host: str) -> None:
    kept: Any = Access(host=host)
    assert kept.token is None
