"""Requests against a real server: what is sent, what is read, and every way in which there is no answer."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from engine.errors import TaskCancelled, TaskFailed
from engine.sdk.http import HttpOptions, HttpRequest, exchange
from tests.unit.web import Asked, Reply, Web, serving


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as server:
        yield server


@pytest.fixture
def nameless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has a name."""

    def find(host: str, port: int, *_: Any, **__: Any) -> Any:
        if host != "127.0.0.1":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))]

    monkeypatch.setattr(socket, "getaddrinfo", find)


def body(uri: str, options: HttpOptions | None = None, check: Any = lambda: None, **request: Any) -> str:
    with exchange(HttpRequest(uri=uri, **request), options or HttpOptions(), check) as answer:
        answer.check("GET")
        return answer.text()


def test_what_is_sent_and_what_is_told_of_the_answer(web: Web) -> None:
    web.pages["/a"] = Reply("été", headers={"Content-Type": "text/plain; charset=UTF-8", "X-Two": "2"})
    request = HttpRequest(uri=f"{web.at}/a?b=c", method="PUT", headers={"X-One": ["1", "2"]}, content=b"sent")
    with exchange(request, HttpOptions(), lambda: None) as answer:
        assert (answer.uri, answer.code, answer.content_type) == (f"{web.at}/a?b=c", 200, "text/plain")
        assert answer.headers["x-two"] == ["2"]
        assert answer.text() == "été"
    (asked,) = web.asked
    assert (asked.method, asked.path, asked.body) == ("PUT", "/a?b=c", b"sent")
    assert asked.headers.get_all("X-One") == ["1", "2"]


def test_texts_are_read_as_the_answer_or_the_options_say(web: Web) -> None:
    web.pages["/said"] = Reply("é".encode("latin-1"), headers={"Content-Type": "text/plain; charset=latin-1"})
    web.pages["/unsaid"] = Reply("é".encode("latin-1"))
    web.pages["/packed"] = Reply(gzip.compress(b"unpacked"), headers={"Content-Encoding": "gzip"})
    assert body(f"{web.at}/said") == "é"
    assert body(f"{web.at}/unsaid", HttpOptions(default_charset="latin-1")) == "é"
    assert body(f"{web.at}/unsaid") == "\ufffd"
    assert body(f"{web.at}/packed") == "unpacked"
    with pytest.raises(TaskFailed, match="unknown encoding"):
        body(f"{web.at}/unsaid", HttpOptions(default_charset="klingon"))


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        (HttpOptions(basic_auth_user="ada", basic_auth_password="pw"), "Basic YWRhOnB3"),
        (
            HttpOptions.model_validate({"auth": {"type": "BASIC", "username": "ada", "password": "pw"}}),
            "Basic YWRhOnB3",
        ),
        (HttpOptions.model_validate({"auth": {"type": "BEARER", "token": "t0k"}}), "Bearer t0k"),
        (HttpOptions(), None),
    ],
)
def test_signing_in(web: Web, options: HttpOptions, sent: str | None) -> None:
    web.pages["/"] = Reply("in")
    assert body(f"{web.at}/", options) == "in"
    assert web.asked[0].headers["Authorization"] == sent


def test_a_failure_tells_its_code_and_the_beginning_of_its_body(web: Web) -> None:
    web.pages["/broken"] = Reply("the disk is full " * 100, code=507)
    with pytest.raises(
        TaskFailed, match=r"GET http://127.0.0.1:\d+/broken answered 507 .*: the disk is full"
    ) as caught:
        body(f"{web.at}/broken".replace("//", "//ada:s3cret@"))
    assert len(caught.value.message) < 700
    assert "s3cret" not in caught.value.message
    assert body(f"{web.at}/broken", HttpOptions(allow_failed=True)).startswith("the disk")
    assert body(f"{web.at}/broken", HttpOptions(allowed_response_codes=[507])).startswith("the disk")
    web.pages["/fine"] = Reply("fine")
    with pytest.raises(TaskFailed, match="answered 200 OK: fine"):
        body(f"{web.at}/fine", HttpOptions(allowed_response_codes=[507]))


def test_redirects_are_followed_five_times(web: Web) -> None:
    def next_(asked: Asked) -> Reply:
        left = int(asked.path.partition("?")[2])
        return Reply("there") if left == 0 else Reply(code=302, headers={"Location": f"/hop?{left - 1}"})

    web.pages["/hop"] = next_
    assert body(f"{web.at}/hop?5") == "there"
    with pytest.raises(TaskFailed, match="more than 5 redirects"):
        body(f"{web.at}/hop?6")
    with exchange(HttpRequest(uri=f"{web.at}/hop?1"), HttpOptions(follow_redirects=False), lambda: None) as answer:
        assert answer.code == 302


def test_no_more_is_read_than_allowed(web: Web) -> None:
    web.pages["/"] = Reply([b"x" * 600] * 2)
    assert len(body(f"{web.at}/", HttpOptions(max_content_length=1200))) == 1200
    with pytest.raises(TaskFailed, match="more than 1,199 bytes"):
        body(f"{web.at}/", HttpOptions(max_content_length=1199))
    web.pages["/bomb"] = Reply(gzip.compress(b"0" * 100_000), headers={"Content-Encoding": "gzip"})
    with pytest.raises(TaskFailed, match="more than 99,999 bytes"):
        body(f"{web.at}/bomb", HttpOptions(max_content_length=99_999))


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "169.254.170.2",
        "[::ffff:169.254.169.254]",
        "[fd00:ec2::254]",
        "2852039166",  # the first of them as one number
        "0xa9fea9fe",
    ],
)
def test_the_addresses_of_credentials_are_not_reached(web: Web, host: str) -> None:
    web.pages["/there"] = Reply(code=301, headers={"Location": f"http://{host}/latest/meta-data/"})
    for uri in (f"http://{host}/latest/meta-data/", f"{web.at}/there"):
        with pytest.raises(TaskFailed, match="is not reached from flows"):
            body(uri)


def test_a_name_for_such_an_address_does_not_help(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)) for address in ("127.0.0.1", "169.254.169.254")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(TaskFailed, match=r"`innocent.example` .* is not reached from flows"):
        body("http://innocent.example/")


def test_the_proxies_of_the_environment_are_not_used(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    web.pages["/"] = Reply("straight")
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert body(f"{web.at}/") == "straight"


def test_a_proxy_that_is_written_is_used(web: Web, nameless: None) -> None:
    web.pages["http://elsewhere.example/x"] = Reply("by proxy")
    host, port = web.at.removeprefix("http://").split(":")
    older = HttpOptions(proxy_type="HTTP", proxy_address=host, proxy_port=int(port), proxy_username="u")
    newer = HttpOptions.model_validate({"proxy": {"address": host, "port": port}})
    for options in (older, newer):
        assert body("http://elsewhere.example/x", options) == "by proxy"
    assert web.asked[0].headers["Proxy-Authorization"] == "Basic dTo="
    with pytest.raises(TaskFailed, match="no host"):
        body(
            "http://elsewhere.example/x",
            HttpOptions.model_validate({"proxy": {"type": "DIRECT", "address": host, "port": port}}),
        )


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("ftp://example.com/a", "no address of http or https"),
        ("file:///etc/passwd", "no address of http or https"),
        ("example.com", "no address of http or https"),
        ("http://", "no address of http or https"),
    ],
)
def test_what_is_no_address(uri: str, message: str) -> None:
    with pytest.raises(TaskFailed, match=message):
        body(uri)


def test_nobody_listens() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        with pytest.raises(TaskFailed, match=r"no connection \(.*refused"):
            body(f"http://127.0.0.1:{held.getsockname()[1]}/")


def test_what_cannot_be_sent(web: Web) -> None:
    with pytest.raises(TaskFailed, match=r"no complete answer came \(Illegal header name"):
        body(f"{web.at}/", headers={"X\n": "b"})
    with pytest.raises(TaskFailed, match="cannot be sent"):
        body(f"{web.at}/", headers={"X": "é"})


def test_a_name_that_nobody_has(nameless: None) -> None:
    with pytest.raises(TaskFailed, match=r"there is no host `nobody\.example`"):
        body("http://nobody.example/")


def _mute(asked: Asked) -> Reply:
    raise ConnectionAbortedError


def test_an_answer_that_does_not_come(web: Web) -> None:
    def late(asked: Asked) -> Reply:
        web.closing.wait(20)
        return Reply("late")

    web.pages |= {"/late": late, "/mute": _mute}
    with pytest.raises(TaskFailed, match=r"nothing came for 0\.05 s"):
        body(f"{web.at}/late", HttpOptions(read_timeout=timedelta(seconds=0.05)))
    with pytest.raises(TaskFailed, match="no complete answer came"):
        body(f"{web.at}/mute")


def test_who_waits_can_be_stopped(web: Web) -> None:
    def late(asked: Asked) -> Reply:
        web.closing.wait(20)
        return Reply("late")

    def stop() -> None:
        if web.asked:
            raise TaskCancelled("stop")

    web.pages["/late"] = late
    with pytest.raises(TaskCancelled):
        body(f"{web.at}/late", check=stop)
