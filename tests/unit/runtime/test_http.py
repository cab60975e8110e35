"""`http()` in an expression, against a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from engine.errors import ExpressionError
from engine.expressions import Functions, evaluate
from engine.runtime import http
from tests.unit.web import Asked, Reply, Web, serving


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as server:
        yield server


def asked(web: Web, expression: str) -> Any:
    return evaluate(expression, {"at": web.at}, Functions(http=http.http))


def test_json_is_parsed_and_anything_else_is_text(web: Web) -> None:
    web.pages["/rows"] = Reply('[{"id": 1}]', headers={"Content-Type": "application/json; charset=utf-8"})
    web.pages["/problem"] = Reply('{"title": "x"}', headers={"Content-Type": "application/problem+json"})
    web.pages["/page"] = Reply("[1]", headers={"Content-Type": "text/html"})
    web.pages["/wrong"] = Reply("[1", headers={"Content-Type": "application/json"})
    assert asked(web, "{{ http(at ~ '/rows')[0].id }}") == 1
    assert asked(web, "{{ http(at ~ '/problem').title }}") == "x"
    assert asked(web, "{{ http(at ~ '/page') }}") == "[1]"
    assert asked(web, "{{ http(at ~ '/wrong') }}") == "[1"
    assert web.asked[0].method == "GET"
    assert "application/json" in web.asked[0].headers["Accept"]


@pytest.mark.parametrize(
    ("arguments", "type_", "body"),
    [
        ("body={'a': [1, null]}", "application/json", b'{"a":[1,null]}'),
        ("body='plain'", None, b"plain"),
        ("contentType='text/csv', body='a,b'", "text/csv", b"a,b"),
        (
            "body={'a': 'b c', 'd': [1, true]}, contentType='application/x-www-form-urlencoded'",
            "application/x-www-form-urlencoded",
            b"a=b+c&d=1&d=true",
        ),
        ("headers={'content-type': 'text/x', 'X-A': 5}, body={}", "text/x", b"{}"),
    ],
)
def test_a_body_is_sent(web: Web, arguments: str, type_: str | None, body: bytes) -> None:
    web.pages["/to"] = Reply("taken")
    assert asked(web, "{{ http(at ~ '/to', 'post', " + arguments + ") }}") == "taken"
    (request,) = web.asked
    assert (request.method, request.body) == ("POST", body)
    assert type_ is None or request.headers.get_all("Content-Type") == [type_]


def test_headers_and_options(web: Web) -> None:
    def echo(request: Asked) -> Reply:
        return Reply(json.dumps(dict(request.headers)), headers={"Content-Type": "application/json"}, code=418)

    web.pages["/"] = echo
    headers = asked(
        web,
        "{{ http(at ~ '/', headers={'X-N': 5, 'X-L': ['a', 'b'], 'X-Nothing': null}, "
        "options={'allowFailed': true, 'basicAuthUser': 'ada', 'basicAuthPassword': 'pw'}) }}",
    )
    assert (headers["X-N"], headers["Authorization"]) == ("5", "Basic YWRhOnB3")
    assert "X-Nothing" not in headers


@pytest.mark.parametrize(
    ("call", "message", "hint"),
    [
        ("http(at ~ '/none')", "answered 404 Not Found: no such page", None),
        ("http('nowhere')", "no address of http or https", "https://"),
        (
            "http(at, options={'readTimeOut': 'PT1S'})",
            "`http` has no option `readTimeOut`",
            'did you mean "readTimeout"?',
        ),
        ("http(at, options={'maxContentLength': 'x'})", "`maxContentLength`", None),
        ("http(at, options=5)", "the options of `http`", None),
        ("http(at, headers='Accept')", "`headers` of `http` are a map", "text/csv"),
        ("http(at ~ '/large', options={'maxContentLength': 10})", "more than 10 bytes", "maxContentLength"),
    ],
)
def test_what_goes_wrong_is_an_expression_error(web: Web, call: str, message: str, hint: str | None) -> None:
    web.pages["/large"] = Reply("x" * 11)
    with pytest.raises(ExpressionError, match=message) as caught:
        asked(web, "{{ " + call + " }}")
    assert caught.value.offset == 3
    assert hint is None or hint in str(caught.value.hint)
    assert asked(web, "{{ " + call + " ?? 'none' }}") == "none"


def test_a_slow_answer_has_an_end(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    def drip(request: Asked) -> Reply:
        web.closing.wait(20)
        return Reply("late")

    web.pages["/"] = drip
    monkeypatch.setattr(http, "PATIENCE", 0.05)
    with pytest.raises(ExpressionError, match="took longer than"):
        asked(web, "{{ http(at) }}")
