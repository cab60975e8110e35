"""Triggers and webhooks over the API."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from starlette.testclient import TestClient

from engine.app import Engine

TRIGGERS = "/api/v1/main/triggers"
HOOK = "/api/v1/main/executions/webhook/acme/hooked"
KEY = {"namespace": "acme", "flowId": "hooked", "triggerId": "daily"}
SOURCE = """\
id: hooked
namespace: acme
tasks:
  - {id: say, type: io.kestra.plugin.core.debug.Return, format: "{{ trigger.body ?? '' }}"}
triggers:
  - {id: daily, type: io.kestra.plugin.core.trigger.Schedule, cron: "0 3 * * *"}
  - id: hook
    type: io.kestra.plugin.core.trigger.Webhook
    key: a-key/with-a-slash
  - id: picky
    type: io.kestra.plugin.core.trigger.Webhook
    key: picky
    conditions:
      - {type: io.kestra.plugin.core.condition.Expression, expression: "{{ trigger.body.go == 'yes' }}"}
"""
PAST = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-03T00:00:00Z", "labels": [{"key": "a", "value": "b"}]}


@pytest.fixture(autouse=True)
def _hooked(engine: Engine) -> None:
    engine.push(engine.parse(SOURCE, file="test"))


def ids(client: TestClient, query: str) -> list[str]:
    page: Any = client.get(f"{TRIGGERS}/search?{query}").json()
    return [pair["trigger"]["id"] for pair in page["results"]]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["daily", "hook", "picky"]),
        ("sort=triggerId:desc&size=2", ["picky", "hook"]),
        ("filters[triggerId][STARTS_WITH]=da", ["daily"]),
        ("filters[triggerState][EQUALS]=DISABLED", []),
        ("namespace=elsewhere", []),
        ("flowId=hooked&q=pick", ["picky"]),
    ],
)
def test_triggers_are_searched_in_pages(client: TestClient, query: str, found: list[str]) -> None:
    assert ids(client, query) == found


def test_a_trigger_is_shown_with_what_is_written_and_how_far_it_has_come(client: TestClient) -> None:
    pair = client.get(f"{TRIGGERS}/search").json()["results"][0]
    assert pair["trigger"]["cron"] == "0 3 * * *"
    assert pair["state"] == {**KEY, "disabled": False, "locked": False}
    assert pair["abstractTrigger"] == pair["trigger"]
    of_flow = client.get(f"{TRIGGERS}/acme/hooked?q=dai").json()
    assert (of_flow["total"], of_flow["results"]) == (1, [pair["state"]])


def test_a_trigger_is_switched_off_and_on(client: TestClient) -> None:
    off = client.put(f"{TRIGGERS}/set-disabled", json={**KEY, "disabled": True})
    assert off.json()["disabled"] is True
    assert ids(client, "filters[triggerState][EQUALS]=DISABLED") == ["daily"]
    assert client.put(TRIGGERS, json={**KEY, "disabled": False}).json()["disabled"] is False
    assert client.put(f"{TRIGGERS}/set-disabled", json={**KEY, "triggerId": "no", "disabled": True}).status_code == 404
    assert client.put(f"{TRIGGERS}/set-disabled", json={**KEY, "disabled": "yes"}).status_code == 422
    assert client.put(f"{TRIGGERS}/set-disabled", json=[]).status_code == 422


def test_a_backfill_is_created_paused_and_deleted(client: TestClient) -> None:
    created = client.put(f"{TRIGGERS}/backfill/create", json={**KEY, "backfill": PAST})
    assert created.status_code == 200, created.text
    assert created.json()["backfill"]["start"] == "2026-01-01T00:00:00.000000Z"
    assert created.json()["backfill"]["labels"] == [{"key": "a", "value": "b"}]
    assert client.put(f"{TRIGGERS}/backfill/create", json={**KEY, "backfill": PAST}).status_code == 409
    assert client.put(f"{TRIGGERS}/backfill/pause", json=KEY).json()["backfill"]["paused"] is True
    assert client.put(f"{TRIGGERS}/backfill/unpause", json=KEY).json()["backfill"]["paused"] is False
    assert "backfill" not in client.post(f"{TRIGGERS}/backfill/delete", json=KEY).json()
    assert client.post(f"{TRIGGERS}/backfill/delete", json=KEY).status_code == 409


@pytest.mark.parametrize("change", [{"start": "soon"}, {"end": "2999-01-01T00:00:00Z"}, {"labels": 1}, {"inputs": []}])
def test_a_backfill_that_makes_no_sense_is_refused(client: TestClient, change: dict[str, Any]) -> None:
    answer = client.put(f"{TRIGGERS}/backfill/create", json={**KEY, "backfill": {**PAST, **change}})
    assert answer.status_code == (200 if change == {"inputs": []} else 422)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_a_webhook_starts_its_flow(client: TestClient, method: str) -> None:
    answer = client.request(method, f"{HOOK}/a-key%2Fwith-a-slash", content=b'{"n": 1}' if method != "GET" else None)
    assert answer.status_code == 200, answer.text
    execution = answer.json()
    assert (execution["flowId"], execution["tenantId"]) == ("hooked", "main")
    assert execution["trigger"]["id"] == "hook"
    assert execution["url"].endswith(execution["id"])


def test_a_call_that_names_itself_starts_one_execution(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    calls = [client.post(f"{HOOK}/a-key%2Fwith-a-slash", headers={"X-GitHub-Delivery": "d1"}) for _ in range(3)]
    assert len({call.json()["id"] for call in calls}) == 1
    assert client.get("/api/v1/executions/search").json()["total"] == 1
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_conditions_that_say_no_start_nothing(client: TestClient) -> None:
    assert client.post(f"{HOOK}/picky", json={"go": "no"}).status_code == 204
    assert client.post(f"{HOOK}/picky", json={"go": "yes"}).status_code == 200


def test_a_wrong_key_and_an_unknown_flow_look_alike(client: TestClient) -> None:
    wrong = client.post(f"{HOOK}/wrong")
    unknown = client.post("/api/v1/main/executions/webhook/acme/nothing/wrong")
    assert (wrong.status_code, unknown.status_code) == (404, 404)
    assert wrong.json()["message"] == unknown.json()["message"]
