"""Executions over the API: begun, found, followed, removed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from engine.app import Engine

GREET, ASK, FAIL = (f"/api/v1/main/executions/{flow}" for flow in ("acme.team/greet", "acme/ask", "acme/fail"))


def begun(client: TestClient, path: str = GREET, **how: Any) -> Any:
    answer = client.post(path + "?wait=true" * (path != ASK), **how)
    assert answer.status_code == 200, answer.text
    return answer.json()


def found(client: TestClient, query: str) -> list[str]:
    answer = client.get(f"/api/v1/main/executions/search?{query}")
    assert answer.status_code == 200, answer.text
    return [execution["flowId"] for execution in answer.json()["results"]]


def test_an_execution_has_what_clients_rely_on(client: TestClient) -> None:
    execution = begun(client)
    assert execution.keys() >= {
        "id",
        "namespace",
        "flowId",
        "flowRevision",
        "state",
        "originalId",
        "deleted",
        "metadata",
    }
    assert execution["state"]["current"] == "SUCCESS"
    assert execution["outputs"] == {"text": "Hello Ada"}
    assert execution["url"] == f"http://localhost/api/v1/main/executions/{execution['id']}"
    again = client.get(f"/api/v1/executions/{execution['id']}").json()
    assert again == {key: value for key, value in execution.items() if key != "url"}


def test_inputs_come_as_a_form_and_labels_in_the_query(client: TestClient) -> None:
    execution = begun(client, f"{GREET}?labels=why:a%3Ab&labels=who:me&wait=true&x=", files={"name": (None, "Bob")})
    assert execution["inputs"]["name"] == "Bob"
    labels = {label["key"]: label["value"] for label in execution["labels"]}
    assert labels == {"team": "blue", "why": "a:b", "who": "me", "system.correlationId": execution["id"]}


def test_a_file_is_stored_under_its_name(client: TestClient, engine: Engine) -> None:
    execution = begun(client, files={"data": ("rows.csv", b"a,b\n1,2\n")})
    uri = execution["inputs"]["data"]
    assert uri.endswith("/rows.csv")
    with engine.files.open(uri) as file:
        assert file.read() == b"a,b\n1,2\n"


@pytest.mark.parametrize("named", ["{path}", "../../secret.txt", "/etc/passwd"])
def test_a_text_cannot_name_a_file_of_the_server(client: TestClient, tmp_path: Path, named: str) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    answer = client.post(GREET, files={"data": (None, named.format(path=secret))})
    assert answer.status_code == 422
    assert "a part of its own" in answer.json()["message"]


def test_the_name_of_a_file_cannot_lead_elsewhere(client: TestClient) -> None:
    uri = begun(client, files={"data": ("../../../up.csv", b"x")})["inputs"]["data"]
    assert uri.endswith("/up.csv")
    assert ".." not in uri


@pytest.mark.parametrize(
    ("path", "how", "status", "word"),
    [
        ("/api/v1/executions/acme/nothing", {}, 404, "no flow acme/nothing"),
        (f"{GREET}?revision=7", {}, 404, "revision 7"),
        (f"{GREET}?revision=x", {}, 422, "revision"),
        (f"{GREET}?labels=x", {}, 422, "key:value"),
        (f"{GREET}?labels=a:1&labels=a:2", {}, 422, "two values"),
        (f"{GREET}?labels=system.x:1", {}, 422, "system"),
        (f"{GREET}?wait=perhaps", {}, 422, "wait"),
        (f"{GREET}?scheduleDate=soon", {}, 422, "scheduleDate"),
        (GREET, {"files": {"nmae": (None, "x")}}, 422, "nmae"),
        (GREET, {"json": {"name": "x"}}, 422, "multipart/form-data"),
        (GREET, {"files": {"name": (None, "x" * 1_100_000)}}, 400, "1024KB"),
        (GREET, {"files": {f"f{number}": (None, "x") for number in range(201)}}, 400, "200"),
        (GREET, {"content": b"junk", "headers": {"content-type": "multipart/form-data"}}, 400, "boundary"),
        (GREET, {"content": b"junk", "headers": {"content-type": "multipart/form-data; boundary=x"}}, 400, ""),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_begins(
    client: TestClient, path: str, how: dict[str, Any], status: int, word: str
) -> None:
    answer = client.post(path, **how)
    assert answer.status_code == status, answer.text
    assert word in answer.json()["message"]
    assert answer.json()["_links"]["self"][0]["href"] == path.partition("?")[0]
    assert found(client, "") == []


def test_a_disabled_flow_does_not_begin(client: TestClient, engine: Engine) -> None:
    source = "id: off\nnamespace: acme\ndisabled: true\ntasks: [{id: a, type: io.kestra.plugin.core.execution.Fail}]\n"
    engine.push(engine.parse(source, file="test"))
    assert client.post("/api/v1/executions/acme/off").status_code == 409


def test_an_old_revision_runs_as_it_is(client: TestClient, engine: Engine) -> None:
    record = engine.record("acme.team/greet")
    engine.push(engine.parse(record.source.replace("Hello", "Good day"), file="test"))
    executions = [begun(client, f"{GREET}?revision={number}&wait=true&x=") for number in (1, 2)]
    assert [execution["outputs"]["text"] for execution in executions] == ["Hello Ada", "Good day Ada"]
    assert [execution["flowRevision"] for execution in executions] == [1, 2]
    assert engine.record("acme.team/greet").revision == 2


class TestIdempotencyKey:
    def test_the_same_request_is_the_same_execution(self, client: TestClient) -> None:
        how: dict[str, Any] = {"headers": {"Idempotency-Key": "k1"}, "files": {"data": ("a.txt", b"x")}}
        first, again = begun(client, **how), begun(client, **how)
        assert first["id"] == again["id"]
        assert found(client, "") == ["greet"]

    @pytest.mark.parametrize(
        ("path", "files"),
        [(GREET, {"data": ("a.txt", b"y")}), (GREET, {"data": ("b.txt", b"x")}), (GREET, {}), (ASK, None)],
    )
    def test_another_request_is_refused(self, client: TestClient, path: str, files: Any) -> None:
        key = {"Idempotency-Key": "k1"}
        begun(client, headers=key, files={"data": ("a.txt", b"x")})
        refused = client.post(path, headers=key, files=files)
        assert refused.status_code == 409
        assert "k1" in refused.json()["message"]
        assert found(client, "") == ["greet"]

    def test_another_key_is_another_execution(self, client: TestClient) -> None:
        first, second = (begun(client, headers={"Idempotency-Key": key}) for key in ("k1", "k2"))
        assert first["id"] != second["id"]


class TestSearch:
    @pytest.fixture
    def filled(self, client: TestClient) -> TestClient:
        begun(client, f"{GREET}?labels=env:prod&wait=true&x=")
        begun(client, FAIL)
        begun(client, ASK)
        return client

    @pytest.mark.parametrize(
        ("query", "flows"),
        [
            ("", ["ask", "fail", "greet"]),
            ("page=2&size=2", ["greet"]),
            ("page=9", []),
            ("sort=flowId:desc", ["greet", "fail", "ask"]),
            ("sort=namespace:desc&sort=id:asc", ["greet", "fail", "ask"]),
            ("namespace=acme.team", ["greet"]),
            ("namespace=acme", ["ask", "fail", "greet"]),
            ("filters[namespace][EQUALS]=acme", ["ask", "fail"]),
            ("filters[namespace][PREFIX]=acme", ["ask", "fail", "greet"]),
            ("filters%5Bnamespace%5D%5BNOT_EQUALS%5D=acme", ["greet"]),
            ("flowId=fail", ["fail"]),
            ("filters[flowId][IN]=fail,greet", ["fail", "greet"]),
            ("state=FAILED&state=SUCCESS", ["fail", "greet"]),
            ("filters[state][IN]=FAILED,SUCCESS", ["fail", "greet"]),
            ("filters[state][NOT_IN]=FAILED,SUCCESS,RUNNING,PAUSED", []),
            ("labels=team:blue&labels=env:prod", ["greet"]),
            ("filters[labels][EQUALS][env]=prod", ["greet"]),
            ("filters[labels][EQUALS][env]=test", []),
            ("startDate=2000-01-01T00:00:00Z", ["ask", "fail", "greet"]),
            ("startDate=2999-01-01T00:00:00%2B02:00", []),
            ("filters[startDate][LESS_THAN]=2000-01-01T00:00:00Z", []),
            ("endDate=2999-01-01T00:00:00Z", ["fail", "greet"]),
            ("filters[endDate][GREATER_THAN]=2999-01-01T00:00:00Z", []),
            ("sort=state.duration:asc&flowId=ask", ["ask"]),
            ("timeRange=PT1H", ["ask", "fail", "greet"]),
            ("filters[or][0][flowId][EQUALS]=ask&filters[or][1][flowId][EQUALS]=fail", ["ask", "fail"]),
            (
                "filters[and][0][namespace][EQUALS]=acme&filters[and][1][or][0][flowId][EQUALS]=ask"
                "&filters[and][1][or][1][flowId][EQUALS]=greet",
                ["ask"],
            ),
        ],
    )
    def test_a_query_finds_what_it_means(self, filled: TestClient, query: str, flows: list[str]) -> None:
        assert found(filled, query) == flows

    @pytest.mark.parametrize(
        ("query", "status"),
        [
            ("page=0", 422),
            ("size=0", 422),
            ("size=1001", 422),
            ("size=x", 422),
            ("sort=id", 422),
            ("sort=outputs:asc", 422),
            ("state=NOPE", 422),
            ("startDate=yesterday", 422),
            ("timeRange=P", 422),
            ("nonsense=1", 400),
            ("dateFilter=END_DATE", 400),
            ("scope=USER", 400),
            ("filters[nonsense][EQUALS]=1", 400),
            ("filters[state][CONTAINS]=RUN", 400),
            ("filters[state]=RUNNING", 400),
            ("filters[labels][EQUALS]=x", 400),
            ("filters[or][0][or][0][or][0][or][0][state][EQUALS]=RUNNING", 400),
            ("filters[state][EQUALS]x=RUNNING", 400),
        ],
    )
    def test_a_query_that_makes_no_sense_is_refused(self, filled: TestClient, query: str, status: int) -> None:
        answer = filled.get(f"/api/v1/executions/search?{query}")
        assert answer.status_code == status
        assert answer.json()["message"]

    def test_a_list_has_no_task_runs_but_a_total(self, filled: TestClient) -> None:
        page = filled.get("/api/v1/executions/search?size=1").json()
        assert (len(page["results"]), page["total"]) == (1, 3)
        assert "taskRunList" not in page["results"][0]
        assert page["results"][0]["state"]["histories"]

    def test_the_executions_of_one_flow(self, filled: TestClient) -> None:
        page = filled.get("/api/v1/executions?namespace=acme&flowId=fail").json()
        assert [execution["flowId"] for execution in page["results"]] == ["fail"]
        assert filled.get("/api/v1/executions?namespace=acme").status_code == 400


def events(text: str) -> list[tuple[str, Any]]:
    return [(marker, json.loads(data)) for marker, data in re.findall(r"id: ([\w-]+)\ndata: (.*)\n\n", text)]


def test_one_that_has_ended_is_told_at_once(client: TestClient) -> None:
    execution = begun(client)
    answer = client.get(f"/api/v1/main/executions/{execution['id']}/follow")
    assert answer.headers["content-type"].startswith("text/event-stream")
    told = events(answer.text)
    assert [marker for marker, _ in told] == ["end"]
    assert told[0][1]["id"] == execution["id"]
    assert client.get("/api/v1/main/executions/nothing/follow").status_code == 404


def test_one_that_goes_on_is_told_from_its_state_to_its_end(client: TestClient, engine: Engine) -> None:
    execution = client.post(f"{FAIL}?scheduleDate=2999-01-01T00:00:00Z").json()
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as threads:
        following = threads.submit(client.get, f"/api/v1/executions/{execution['id']}/follow")
        while not engine.loop.followers._listeners:
            pass
        client.delete(f"/api/v1/executions/{execution['id']}/kill")
        told = events(following.result().text)
    markers = [marker for marker, _ in told]
    assert (markers[0], markers[-1]) == ("start", "end")
    assert set(markers[1:-1]) <= {"progress"}
    assert told[-1][1]["state"]["current"] == "KILLED"
    assert not engine.loop.followers._listeners


def test_one_that_another_engine_moves_is_looked_at(
    client: TestClient, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.api.streams.LOOK_EVERY", 0.01)
    monkeypatch.setattr(engine, "runs", lambda execution_id: False)
    monkeypatch.setattr(engine.loop.followers, "tell", lambda change: None)
    execution = client.post(f"{GREET}?wait=true").json()
    assert execution["state"]["current"] == "SUCCESS"


def test_the_log_is_listed_downloaded_and_followed(client: TestClient) -> None:
    id_ = begun(client)["id"]
    lines = client.get(f"/api/v1/logs/{id_}?minLevel=INFO").json()
    assert [line["message"] for line in lines] == ["Hello Ada"]
    assert client.get(f"/api/v1/logs/{id_}?minLevel=ERROR").json() == []
    assert client.get(f"/api/v1/logs/{id_}?minLevel=LOUD").status_code == 422
    text = client.get(f"/api/v1/logs/{id_}/download")
    assert text.text.endswith("INFO Hello Ada\n")
    assert text.headers["content-disposition"] == f'attachment; filename="{id_}.log"'
    told = events(client.get(f"/api/v1/logs/{id_}/follow").text)
    assert told == [("progress", lines[0])]
    assert (lines[0]["namespace"], lines[0]["flowId"]) == ("acme.team", "greet")
    assert client.get("/api/v1/logs/nothing").status_code == 404


def test_what_has_ended_can_be_deleted(client: TestClient) -> None:
    ended, waits = begun(client), begun(client, ASK)
    assert client.delete(f"/api/v1/executions/{waits['id']}").status_code == 409
    assert client.delete(f"/api/v1/executions/{ended['id']}?deleteLogs=false").status_code == 422
    assert client.delete(f"/api/v1/executions/{ended['id']}").status_code == 204
    assert client.get(f"/api/v1/executions/{ended['id']}").status_code == 404
    assert client.delete(f"/api/v1/executions/{ended['id']}").status_code == 404
