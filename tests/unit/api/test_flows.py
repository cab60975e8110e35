"""Flows over the API: stored, read, listed, checked, deleted."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from engine.app import Engine
from tests.unit.api.conftest import GREET

FLOWS = "/api/v1/main/flows"
NEW = """\
id: new
namespace: other
labels: {a: b}
tasks:
  - {id: say, type: io.kestra.plugin.core.log.Log, message: hi}
"""
BAD = "id: bad\nnamespace: other\ntasks:\n  - {id: say, type: io.kestra.plugin.core.log.Lgo, message: hi}\n"
YAML = {"content-type": "application/x-yaml"}


def test_a_new_flow_is_stored_and_deployed(client: TestClient, engine: Engine) -> None:
    answer = client.post(FLOWS, content=NEW, headers=YAML)
    assert answer.status_code == 200
    flow = answer.json()
    assert (flow["id"], flow["revision"], flow["source"]) == ("new", 1, NEW)
    assert flow["labels"] == [{"key": "a", "value": "b"}]
    assert flow["tasks"] == [{"id": "say", "type": "io.kestra.plugin.core.log.Log", "message": "hi"}]
    assert (flow["disabled"], flow["deleted"], flow["draft"]) == (False, False, False)
    assert ("other", "new", "push") in [(one.namespace, one.flow_id, one.origin) for one in engine.store.deployments()]
    assert client.post(FLOWS, content=NEW).status_code == 422


def test_the_text_is_given_to_who_asks(client: TestClient) -> None:
    assert "source" not in client.get(f"{FLOWS}/acme.team/greet").json()
    assert client.get(f"{FLOWS}/acme.team/greet?source=true").json()["source"] == GREET
    assert client.get(f"{FLOWS}/acme.team/greet?source=maybe").status_code == 422
    assert client.get(f"{FLOWS}/acme.team/greet?revision=2").status_code == 404
    assert client.get(f"{FLOWS}/acme/greet").status_code == 404


def test_a_change_is_a_revision_and_no_change_is_none(client: TestClient) -> None:
    path = f"{FLOWS}/acme.team/greet"
    changed = GREET.replace("Hello", "Good day")
    assert [client.put(path, content=text).json()["revision"] for text in (GREET, changed, changed)] == [1, 2, 2]
    assert [flow["revision"] for flow in client.get(f"{path}/revisions").json()] == [1, 2]
    assert client.put(f"{FLOWS}/acme/other", content=NEW).status_code == 404
    assert "path about" in client.put(path, content=NEW).json()["message"]


def test_a_deleted_flow_is_gone_and_comes_back_as_a_later_revision(client: TestClient, engine: Engine) -> None:
    path = f"{FLOWS}/acme.team/greet"
    execution = client.post("/api/v1/executions/acme.team/greet?wait=true").json()
    assert client.delete(path).status_code == 204
    assert client.delete(path).status_code == 404
    assert client.get(path).status_code == 404
    assert client.get(f"{path}/revisions").status_code == 404
    assert client.post("/api/v1/executions/acme.team/greet").status_code == 404
    assert "greet" not in [one.flow_id for one in engine.store.deployments()]
    assert client.post(f"/api/v1/executions/{execution['id']}/replay").status_code == 200
    assert client.post(FLOWS, content=GREET).json()["revision"] == 3
    assert engine.run("acme.team/greet").flow_revision == 3


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (BAD.encode(), "Log"),
        (b"id: x", "namespace"),
        (b"", ""),
        (b"\xff\xfe", "UTF-8"),
        (b"a: [", ""),
        (b"- 1", ""),
        (b"id: !!python/object/apply:os.system [id]", ""),
    ],
)
def test_what_is_no_flow_is_refused_with_its_place(client: TestClient, body: bytes, word: str) -> None:
    answer = client.post(FLOWS, content=body)
    assert answer.status_code == 422
    assert word in answer.text
    assert "Traceback" not in answer.text


def test_each_finding_has_its_place(client: TestClient) -> None:
    errors = client.post(FLOWS, content=BAD).json()["_embedded"]["errors"]
    assert [(error["path"], error["code"]) for error in errors] == [("4:21", "unknown-type")]


def test_validation_tells_of_each_document_by_its_lines(client: TestClient) -> None:
    answer = client.post(f"{FLOWS}/validate", content=f"{NEW}---\n{BAD}---\nnot: [a flow\n")
    assert answer.status_code == 200
    fine, bad, worse = answer.json()
    assert "constraints" not in fine
    assert (fine["index"], fine["flow"], fine["namespace"]) == (0, "new", "other")
    assert (bad["index"], bad["flow"]) == (1, "bad")
    assert bad["constraints"].startswith("10:21: ")
    assert worse["constraints"]


def listed(client: TestClient, query: str) -> list[str]:
    page: Any = client.get(f"{FLOWS}/search?{query}").json()
    return [flow["id"] for flow in page["results"]]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", ["ask", "fail", "greet"]),
        ("size=2&page=2", ["greet"]),
        ("sort=id:desc", ["greet", "fail", "ask"]),
        ("namespace=acme.team", ["greet"]),
        ("q=as", ["ask"]),
        ("q=team", ["greet"]),
        ("filters[flowId][STARTS_WITH]=f", ["fail"]),
        ("filters[namespace][EQUALS]=acme&filters[flowId][NOT_EQUALS]=ask", ["fail"]),
    ],
)
def test_flows_are_searched_in_pages(client: TestClient, query: str, ids: list[str]) -> None:
    assert listed(client, query) == ids


def test_the_flows_of_exactly_one_namespace(client: TestClient) -> None:
    assert [flow["id"] for flow in client.get(f"{FLOWS}/acme").json()] == ["ask", "fail"]
    assert client.get(f"{FLOWS}/nothing").json() == []
