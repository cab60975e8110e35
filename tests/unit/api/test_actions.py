"""What persons do to executions over the API: done when it is answered, or refused."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from engine.app import Engine

EXECUTIONS = "/api/v1/main/executions"
LATER = "scheduleDate=2999-01-01T00:00:00Z"


def begun(client: TestClient, flow: str, query: str = "wait=true") -> str:
    answer = client.post(f"{EXECUTIONS}/{flow}?{query}")
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


@pytest.fixture
def paused(client: TestClient, engine: Engine) -> str:
    id_ = begun(client, "acme/ask", "")
    while not engine.execution(id_).awaits_decision:
        pass
    return id_


def state(answer: Any) -> str:
    assert answer.status_code == 200, answer.text
    return str(answer.json()["state"]["current"])


def ended(client: TestClient, id_: str) -> Any:
    client.get(f"{EXECUTIONS}/{id_}/follow")
    return client.get(f"{EXECUTIONS}/{id_}").json()


@pytest.mark.parametrize("where", ["", "actions/"])
def test_a_pause_goes_on_with_what_it_asks_for(client: TestClient, paused: str, where: str) -> None:
    path = f"{EXECUTIONS}/{paused}/{where}resume"
    assert "ok" in client.post(path).json()["message"]
    assert client.post(path).status_code == 422
    assert client.post(path, files={"ok": (None, "perhaps")}).status_code == 422
    assert client.post(path, files={"ok": (None, "true")}).status_code == 200
    assert ended(client, paused)["taskRunList"][-1]["outputs"] == {"value": "true"}
    assert client.post(path, files={"ok": (None, "true")}).status_code == 409


@pytest.mark.parametrize("where", ["", "actions/"])
def test_a_kill_is_seen_at_once(client: TestClient, paused: str, where: str) -> None:
    assert state(client.delete(f"{EXECUTIONS}/{paused}/{where}kill")) in ("KILLING", "KILLED")
    assert ended(client, paused)["state"]["current"] == "KILLED"
    assert client.delete(f"{EXECUTIONS}/{paused}/{where}kill").status_code == 409


def test_a_failure_is_restarted_in_place_or_on_a_revision(client: TestClient) -> None:
    id_ = begun(client, "acme/fail")
    assert client.post(f"{EXECUTIONS}/{id_}/restart").json()["id"] == id_
    assert ended(client, id_)["state"]["current"] == "FAILED"
    on_revision = client.post(f"{EXECUTIONS}/{id_}/actions/restart?revision=1").json()
    assert on_revision["id"] != id_
    assert on_revision["originalId"] == id_
    assert client.post(f"{EXECUTIONS}/{id_}/restart?revision=9").status_code == 404


def test_a_success_is_not_restarted_but_replayed(client: TestClient) -> None:
    id_ = begun(client, "acme.team/greet")
    assert client.post(f"{EXECUTIONS}/{id_}/restart").status_code == 409
    again = client.post(f"{EXECUTIONS}/{id_}/replay").json()
    assert again["originalId"] == id_
    assert ended(client, again["id"])["outputs"] == {"text": "Hello Ada"}
    run = client.get(f"{EXECUTIONS}/{id_}").json()["taskRunList"][0]["id"]
    assert client.post(f"{EXECUTIONS}/{id_}/replay?taskRunId={run}").status_code == 200
    assert client.post(f"{EXECUTIONS}/{id_}/replay?taskRunId=nothing").status_code == 404


def test_a_replay_may_have_other_inputs(client: TestClient) -> None:
    path = f"{EXECUTIONS}/{begun(client, 'acme.team/greet')}/actions/replay-with-inputs"
    again = client.post(path, files={"name": (None, "Bob")}).json()
    assert ended(client, again["id"])["outputs"] == {"text": "Hello Bob"}
    empty = {"content": b"--x--\r\n", "headers": {"content-type": "multipart/form-data; boundary=x"}}
    assert client.post(path, **empty).status_code == 200  # type: ignore[arg-type]
    assert client.post(path, files={"data": (None, "/etc/passwd")}).status_code == 422


def test_what_waits_for_its_time_can_be_forced(client: TestClient) -> None:
    id_ = begun(client, "acme.team/greet", LATER)
    assert client.post(f"{EXECUTIONS}/{id_}/unqueue").status_code == 409
    assert client.post(f"{EXECUTIONS}/{id_}/unqueue?state=FAILED").status_code == 422
    assert client.post(f"{EXECUTIONS}/{id_}/force-run").status_code == 200
    assert ended(client, id_)["state"]["current"] == "SUCCESS"
    assert client.post(f"{EXECUTIONS}/{id_}/force-run").status_code == 409


def test_only_one_that_runs_can_be_paused(client: TestClient) -> None:
    assert client.post(f"{EXECUTIONS}/{begun(client, 'acme/fail')}/pause").status_code == 409


def test_a_state_is_changed_to_one_that_there_is(client: TestClient) -> None:
    id_ = begun(client, "acme/fail")
    assert state(client.post(f"{EXECUTIONS}/{id_}/change-status?status=WARNING")) == "WARNING"
    assert client.post(f"{EXECUTIONS}/{id_}/change-status?status=RUNNING").status_code == 409
    assert client.post(f"{EXECUTIONS}/{id_}/change-status?status=FINE").status_code == 422
    assert client.post(f"{EXECUTIONS}/{id_}/change-status").status_code == 400


def test_a_task_run_is_taken_for_one_that_went_well(client: TestClient) -> None:
    id_ = begun(client, "acme/fail")
    run = client.get(f"{EXECUTIONS}/{id_}").json()["taskRunList"][0]["id"]
    body = {"taskRunId": run, "state": "SUCCESS"}
    assert client.post(f"{EXECUTIONS}/{id_}/state", json=body).status_code == 200
    assert ended(client, id_)["state"]["current"] == "SUCCESS"
    assert client.post(f"{EXECUTIONS}/{id_}/state", json=body).status_code == 409
    assert client.post(f"{EXECUTIONS}/{id_}/state", json={"state": "SUCCESS"}).status_code == 422


def test_labels_are_set_when_it_has_ended(client: TestClient, paused: str) -> None:
    labels = [{"key": "a", "value": "b", "additional_properties": {}}]
    assert client.post(f"{EXECUTIONS}/{paused}/labels", json=labels).status_code == 400
    id_ = begun(client, "acme/fail")
    after = client.post(f"{EXECUTIONS}/{id_}/labels", json=labels).json()
    assert {"key": "a", "value": "b"} in after["labels"]
    assert client.post(f"{EXECUTIONS}/{id_}/labels", json=[{"key": "system.x", "value": "y"}]).status_code == 422


@pytest.mark.parametrize("body", [b"", b"{", b"1", b'{"a": 1}', b'[{"key": 1}]', b"[1]", b"[" * 100_000, b"\xff"])
def test_a_body_that_is_something_else_is_refused(client: TestClient, body: bytes) -> None:
    id_ = begun(client, "acme/fail")
    answer = client.post(f"{EXECUTIONS}/{id_}/labels", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["message"]


ACTIONS = ["pause", "resume", "restart", "replay", "replay-with-inputs", "force-run", "unqueue"]


@pytest.mark.parametrize("action", [*ACTIONS, "change-status?status=FAILED"])
def test_an_execution_that_is_not_there_is_told(client: TestClient, action: str) -> None:
    answer = client.post(f"{EXECUTIONS}/nothing/actions/{action}")
    assert answer.status_code == 404
    assert answer.json()["message"].startswith("Not Found: there is no execution")
