"""The HTTP tasks against a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from engine.sdk.testing import TaskResult, run_task
from plugins.core.http import Download, Request
from tests.unit.web import Asked, Reply, Web, serving


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as server:
        yield server


def request(web: Web, path: str, **properties: Any) -> TaskResult:
    return run_task({"type": Request, "uri": web.at + path, **properties})


def download(web: Web, path: str, **properties: Any) -> TaskResult:
    return run_task({"type": Download, "uri": web.at + path, **properties})


def test_an_answer_is_the_output(web: Web) -> None:
    web.pages["/a"] = Reply('{"n": 1}', headers={"Content-Type": "application/json", "X-B": "b"})
    result = request(web, "/a?q=1")
    assert result.state == "SUCCESS", result.error
    assert {key: result.outputs[key] for key in ("uri", "code", "body")} == {
        "uri": f"{web.at}/a?q=1",
        "code": 200,
        "body": '{"n": 1}',
    }
    assert result.outputs["headers"]["x-b"] == ["b"]
    assert web.asked[0].method == "GET"


@pytest.mark.parametrize(
    ("properties", "type_", "body"),
    [
        ({"body": "a", "contentType": "text/plain"}, "text/plain", b"a"),
        ({"body": {"a": "{{ 1 + 1 }}"}}, "application/json", b'{"a":2}'),
        ({"body": "{{ [1, 2] }}"}, "application/json", b"[1,2]"),
        ({"body": "x", "headers": {"content-type": "text/x"}}, "text/x", b"x"),
        ({"formData": {"a": "b c", "d": [1, True]}}, "application/x-www-form-urlencoded", b"a=b+c&d=1&d=true"),
    ],
)
def test_what_is_sent(web: Web, properties: dict[str, Any], type_: str, body: bytes) -> None:
    web.pages["/to"] = Reply("taken", code=201)
    result = request(web, "/to", method="post", **properties)
    assert result.outputs["code"] == 201, result.error
    (asked,) = web.asked
    assert (asked.method, asked.body) == ("POST", body)
    assert asked.headers.get_all("Content-Type") == [type_]


@pytest.mark.parametrize(
    ("properties", "key"),
    [
        ({"method": "POST"}, ["idempotency-key"]),
        ({"method": "put", "body": "x"}, ["idempotency-key"]),
        ({"method": "PATCH"}, ["idempotency-key"]),
        ({"method": "DELETE"}, None),
        ({}, None),
        ({"method": "POST", "idempotencyKey": False}, None),
        ({"method": "POST", "headers": {"idempotency-key": "mine"}}, ["mine"]),
    ],
)
def test_what_changes_something_carries_a_key(web: Web, properties: dict[str, Any], key: list[str] | None) -> None:
    web.pages["/to"] = Reply("taken")
    result = request(web, "/to", **properties)
    assert result.state == "SUCCESS", result.error
    assert web.asked[0].headers.get_all("Idempotency-Key") == key


def test_headers_parameters_and_signing_in(web: Web) -> None:
    web.pages["/"] = Reply("in")
    task = {
        "type": Request,
        "uri": f"{web.at}/?a=1",
        "params": {"b": ["2", "3 4"], "c": None},
        "headers": {"X-L": ["a", 5], "X-N": None},
        "options": {"auth": {"type": "BEARER", "token": "{{ secret('T') }}"}},
    }
    assert run_task(task, secrets={"T": "t0k3n"}).state == "SUCCESS"
    (asked,) = web.asked
    assert asked.path == "/?a=1&b=2&b=3+4"
    assert asked.headers.get_all("X-L") == ["a", "5"]
    assert asked.headers["Authorization"] == "Bearer t0k3n"
    assert asked.headers["X-N"] is None


def test_files_go_into_a_multipart_form(web: Web) -> None:
    web.pages["/up"] = Reply("thanks")
    uri = "kestra:///company/team/_files/dir/data.csv"
    task = {
        "type": Request,
        "uri": f"{web.at}/up",
        "method": "POST",
        "contentType": "multipart/form-data",
        "formData": {"note": "hello", "plain": uri, "named": {"name": "other.csv", "content": uri}},
    }
    result = run_task(task, files={uri: "a,b\n"})
    assert result.state == "SUCCESS", result.error
    sent = web.asked[0].body.decode()
    assert web.asked[0].headers["Content-Type"].startswith("multipart/form-data; boundary=")
    assert 'name="note"\r\n\r\nhello' in sent
    assert 'name="plain"; filename="data.csv"' in sent
    assert 'name="named"; filename="other.csv"' in sent
    assert sent.count("a,b\n") == 2


def test_failures(web: Web) -> None:
    web.pages["/broken"] = Reply("full", code=500)
    failed = request(web, "/broken")
    assert failed.state == "FAILED"
    assert "answered 500 Internal Server Error: full" in str(failed.error)
    for allowing in ({"allowFailed": True}, {"options": {"allowFailed": True}}):
        allowed = request(web, "/broken", **allowing)
        assert (allowed.outputs["code"], allowed.outputs["body"]) == (500, "full")
    assert "no address of http" in str(run_task({"type": Request, "uri": "gopher://a"}).error)
    assert "outputs are not encrypted here" in str(request(web, "/broken", encryptBody=True).error)
    assert "maxContentLenght" in str(request(web, "/broken", options={"maxContentLenght": 5}).error)
    web.pages["/large"] = Reply("x" * 11)
    assert "more than 10 bytes" in str(request(web, "/large", options={"maxContentLength": 10}).error)


def test_both_stop_when_told_to(web: Web) -> None:
    def late(asked: Asked) -> Reply:
        web.closing.wait(20)
        return Reply("late")

    web.pages["/late"] = late
    for type_ in (Request, Download):
        assert run_task({"type": type_, "uri": f"{web.at}/late"}, cancel_after=0).state == "KILLED"


@pytest.mark.parametrize(
    ("path", "said", "name"),
    [
        ("/dir/orders.csv?x=1", "", "orders.csv"),
        ("/", "", "file"),
        ("/x", 'attachment; filename="a b.csv"', "a%20b.csv"),
        ("/x", "attachment; filename=plain.csv", "plain.csv"),
        ("/x", "attachment; filename*=UTF-8''na%20me.csv", "na%20me.csv"),
        ("/x", 'attachment; filename="../../etc/passwd"', "passwd"),
        ("/x", 'attachment; filename=".."', "x"),
    ],
)
def test_an_answer_is_stored_as_a_file(web: Web, path: str, said: str, name: str) -> None:
    web.pages[path.partition("?")[0]] = Reply(
        [b"a,b\n", b"1,2\n"], headers={"Content-Disposition": said} if said else {}
    )
    result = download(web, path)
    assert result.state == "SUCCESS", result.error
    uri = result.outputs["uri"]
    assert uri.startswith("kestra:///")
    assert uri.rpartition("/")[2] == name
    assert (result.outputs["code"], result.outputs["length"]) == (200, 8)
    assert result.files[uri] == b"a,b\n1,2\n"
    assert [(metric.name, metric.value) for metric in result.metrics] == [("response.length", 8)]


def test_a_download_has_no_limit_but_the_one_that_is_written(web: Web) -> None:
    web.pages["/large"] = Reply([b"x" * 2**20] * 12)
    assert download(web, "/large", saveAs="big.bin").outputs["length"] == 12 * 2**20
    assert "more than 1,000 bytes" in str(download(web, "/large", options={"maxContentLength": 1000}).error)


def test_an_empty_download(web: Web) -> None:
    web.pages["/empty"] = Reply("")
    assert "answered nothing" in str(download(web, "/empty").error)
    assert download(web, "/empty", failOnEmptyResponse=False).outputs["length"] == 0


def test_a_download_that_fails_stores_nothing(web: Web) -> None:
    web.pages["/broken"] = Reply(json.dumps({"why": "full"}), code=503)
    result = download(web, "/broken")
    assert "answered 503" in str(result.error)
    assert "full" in str(result.error)
    assert not result.files
