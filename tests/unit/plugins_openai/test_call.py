"""Deadlines, repetitions and failures. No test waits: the clock moves when the task sleeps, or when a test says so."""

from __future__ import annotations

import gzip
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from engine.sdk import RetryLater, TaskCancelled, TaskFailed
from engine.sdk.testing import FakeContext
from plugins.openai import failure
from plugins.openai.call import Call, Reply, Target
from tests.unit.plugins_openai.double import KEY, Service, begin, completion, wait_for_hang_up

BODY = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as service:
        yield service


@pytest.fixture
def ctx() -> FakeContext:
    return FakeContext()


def ask(ctx: FakeContext, url: str, *, timeout: int = 10, max_retries: int = 2, key: str = KEY) -> Reply:
    target = Target.of(key, url, None, None)
    call = Call(ctx, target, timeout=timeout, max_retries=max_retries, monotonic=lambda: ctx.slept, jitter=lambda: 0.0)
    return call.complete(BODY)


def failed(ctx: FakeContext, url: str, **options: Any) -> TaskFailed:
    with pytest.raises(TaskFailed) as caught:
        ask(ctx, url, **options)
    assert not isinstance(caught.value, RetryLater)
    assert caught.value.hint, "says what to do next"
    assert KEY not in caught.value.message
    return caught.value


def test_an_answer(service: Service, ctx: FakeContext) -> None:
    reply = ask(ctx, service.url)

    assert b"You said: hello" in reply.body
    assert reply.request_id == "req-1"
    assert ctx.slept == 0
    assert ctx.logs == []


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 529])
def test_what_may_pass_is_tried_again_with_growing_waits(service: Service, ctx: FakeContext, status: int) -> None:
    service.script({"error": {"message": "busy"}}, status=status, times=2)

    ask(ctx, service.url)

    assert len(service.bodies) == 3
    assert ctx.slept == 0.5 + 1.0
    assert [log.level for log in ctx.logs] == ["WARN", "WARN"]
    assert ctx.logs[0].message == f"try 1 of 3: the service answered {status}: busy; trying again in 0.5 s"


def test_jitter_shortens_a_wait_by_a_quarter_at_most(service: Service, ctx: FakeContext) -> None:
    service.script({}, status=503)
    call = Call(
        ctx, Target.of(KEY, service.url, None, None), timeout=10, max_retries=1, jitter=lambda: 1.0,
        monotonic=lambda: ctx.slept,
    )  # fmt: skip

    call.complete(BODY)

    assert ctx.slept == 0.375


def test_tries_are_counted(service: Service, ctx: FakeContext) -> None:
    service.script({"error": {"message": "busy"}}, status=503, times=9)

    error = failed(ctx, service.url)

    assert len(service.bodies) == 3
    assert error.message == "the service answered 503: busy (after 3 tries)"
    assert "service's side" in (error.hint or "")


def test_max_retries_0_tries_once(service: Service, ctx: FakeContext) -> None:
    service.script({}, status=503)

    failed(ctx, service.url, max_retries=0)

    assert len(service.bodies) == 1


def test_all_tries_share_one_deadline(service: Service, ctx: FakeContext) -> None:
    service.script({}, status=503, times=99)

    failed(ctx, service.url, timeout=3, max_retries=99)

    assert ctx.slept == 0.5 + 1.0
    assert len(service.bodies) == 3


@pytest.mark.parametrize(
    ("status", "code", "hint"),
    [
        (400, "invalid_request_error", "check the property that it names"),
        (400, "context_length_exceeded", "Shorten the prompt"),
        (401, "invalid_api_key", "Check `apiKey`"),
        (403, "unsupported_country", "check its permissions"),
        (404, "model_not_found", "Check `model`"),
        (422, "invalid", "check the property that it names"),
        (429, "insufficient_quota", "no credit left"),
    ],
)
def test_what_a_repetition_cannot_mend_is_tried_once(
    service: Service, ctx: FakeContext, status: int, code: str, hint: str
) -> None:
    service.script({"error": {"message": f"no, says {KEY}", "code": code}}, status=status, retry_after="1")

    error = failed(ctx, service.url)

    assert len(service.bodies) == 1
    assert error.message == f"the service answered {status} ({code}): no, says ******"
    assert hint in (error.hint or "")


def test_the_service_may_say_that_another_try_is_no_use(service: Service, ctx: FakeContext) -> None:
    service.script({}, status=503, x_should_retry="false")

    failed(ctx, service.url)

    assert len(service.bodies) == 1


def test_a_service_that_has_moved(service: Service, ctx: FakeContext) -> None:
    service.script(status=301, location="https://elsewhere.example/v1")

    error = failed(ctx, service.url)

    assert error.message == "the service answered 301: it has moved to https://elsewhere.example/v1"
    assert "baseUrl" in (error.hint or "")


@pytest.mark.parametrize(
    ("value", "slept"), [("3", 3.0), ("0", 0.0), ("-1", 0.5), ("abc", 0.5), ("nan", 0.5), ("", 0.5)]
)
def test_retry_after_in_seconds(service: Service, ctx: FakeContext, value: str, slept: float) -> None:
    service.script({}, status=429, retry_after=value)

    ask(ctx, service.url)

    assert ctx.slept == slept


def test_retry_after_in_milliseconds(service: Service, ctx: FakeContext) -> None:
    service.script({}, status=429, retry_after="9", retry_after_ms="250")

    ask(ctx, service.url)

    assert ctx.slept == 0.25


@pytest.mark.parametrize(("seconds", "slept"), [(4, 4.0), (-60, 0.0)])
def test_retry_after_as_a_date(service: Service, ctx: FakeContext, seconds: int, slept: float) -> None:
    date = format_datetime(ctx.now() + timedelta(seconds=seconds), usegmt=True)
    service.script({}, status=429, retry_after=date)

    ask(ctx, service.url)

    assert ctx.slept == slept


@pytest.mark.parametrize(("value", "seconds"), [("60", 60.0), ("10", 10.0), ("86400", 3600.0)])
def test_a_wait_that_does_not_fit_is_handed_back(
    service: Service, ctx: FakeContext, value: str, seconds: float
) -> None:
    service.script({"error": {"message": "slow down"}}, status=429, retry_after=value)

    with pytest.raises(RetryLater) as caught:
        ask(ctx, service.url)

    assert caught.value.seconds == seconds
    assert f"slow down; the service asks to wait {value} s" in caught.value.message
    assert len(service.bodies) == 1
    assert ctx.slept == 0


def test_a_wait_is_handed_back_max_retries_times_at_most(service: Service) -> None:
    ctx = FakeContext(attempt=3)
    service.script({"error": {"message": "slow down"}}, status=429, retry_after="60")

    assert "slow down" in failed(ctx, service.url, max_retries=2).message


def test_a_drip_does_not_stretch_the_deadline(service: Service, ctx: FakeContext) -> None:
    gone = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        begin(handler, ("Content-Length", "1000"))
        handler.wfile.write(b"{")
        ctx.slept += 11  # the deadline passes while the answer comes in
        wait_for_hang_up(handler)
        gone.set()

    service.script(raw=drip)

    error = failed(ctx, service.url)

    assert error.message == f"no complete answer from {service.url} within `clientTimeout` (10 s)"
    assert "try `clientTimeout: 60`" in (error.hint or "")
    assert gone.wait(5), "the connection was let go of"


def test_a_silent_service_is_left_at_the_deadline(service: Service, ctx: FakeContext) -> None:
    def silence(handler: BaseHTTPRequestHandler) -> None:
        ctx.slept += 100
        wait_for_hang_up(handler)

    service.script({"error": {"message": "busy"}}, status=503)
    service.script(raw=silence)

    error = failed(ctx, service.url, timeout=90)

    assert "within `clientTimeout` (90 s); before that, the service answered 503: busy" in error.message
    assert "clientTimeout: 180" in (error.hint or "")


def test_a_task_that_is_told_to_stop_lets_go(service: Service, ctx: FakeContext) -> None:
    gone = threading.Event()

    def silence(handler: BaseHTTPRequestHandler) -> None:
        ctx.cancel_after = 0
        wait_for_hang_up(handler)
        gone.set()

    service.script(raw=silence)

    with pytest.raises(TaskCancelled):
        ask(ctx, service.url)

    assert gone.wait(5), "the connection was let go of"


def test_a_task_that_is_told_to_stop_does_not_wait_for_its_next_try(service: Service) -> None:
    ctx = FakeContext(cancel_after=0.1)
    service.script({}, status=503)

    with pytest.raises(TaskCancelled):
        ask(ctx, service.url)

    assert len(service.bodies) == 1


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_a_body_without_end_is_left(service: Service, ctx: FakeContext, encoding: str) -> None:
    piece = b" " * 2**20 if encoding == "identity" else gzip.compress(b" " * 2**25)

    def endless(handler: BaseHTTPRequestHandler) -> None:
        begin(handler, ("Content-Encoding", encoding))
        while True:
            handler.wfile.write(piece)

    service.script(raw=endless)

    assert "is larger than 16 MiB" in failed(ctx, service.url).message


def test_an_error_without_end_is_left_too(service: Service, ctx: FakeContext) -> None:
    service.script(b" " * (2**24 + 1), status=400)

    assert "is larger than 16 MiB" in failed(ctx, service.url).message


def test_a_packed_answer_is_unpacked(service: Service, ctx: FakeContext) -> None:
    service.script(gzip.compress(b"{}"), content_encoding="gzip")

    assert ask(ctx, service.url).body == b"{}"


def short(handler: BaseHTTPRequestHandler) -> None:
    begin(handler, ("Content-Length", "100"))
    handler.wfile.write(b'{"choices": [')


def cut(handler: BaseHTTPRequestHandler) -> None:
    begin(handler, ("Transfer-Encoding", "chunked"))
    handler.wfile.write(b"20\r\nhalf a chu")


def mangled(handler: BaseHTTPRequestHandler) -> None:
    begin(handler, ("Content-Encoding", "gzip"), ("Content-Length", "3"))
    handler.wfile.write(b"abc")


def mute(handler: BaseHTTPRequestHandler) -> None:
    pass


@pytest.mark.parametrize("raw", [short, cut, mangled, mute])
def test_half_an_answer_is_none_and_is_asked_for_again(service: Service, ctx: FakeContext, raw: Any) -> None:
    service.script(raw=raw, times=2)

    ask(ctx, service.url)

    assert len(service.bodies) == 3
    assert f"the answer of {service.url} broke off" in ctx.logs[0].message


def test_nobody_listens(ctx: FakeContext) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    error = failed(ctx, f"http://user:password@127.0.0.1:{port}/v1")

    assert error.message.startswith(f"cannot connect to http://127.0.0.1:{port}/v1: ")
    assert error.message.endswith("(after 3 tries)")
    assert "that the service runs" in (error.hint or "")
    assert ctx.slept == 1.5


def test_no_such_host(ctx: FakeContext, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "create_connection", unknown)

    error = failed(ctx, "http://nowhere.invalid/v1")

    assert error.message.startswith("cannot find http://nowhere.invalid/v1: ")
    assert "no such host" in (error.hint or "")


def test_no_tls(service: Service, ctx: FakeContext) -> None:
    assert "cannot connect to https" in failed(ctx, service.url.replace("http:", "https:")).message


def test_a_certificate_that_is_not_trusted_is_not_tried_again() -> None:
    told = failure.unreachable(ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED]"), "https://x")

    assert not told.passing
    assert "SSL_CERT_FILE" in told.hint


def test_a_key_that_an_answer_echoes_is_masked(service: Service, ctx: FakeContext) -> None:
    service.script(completion(content=f"your key is {KEY}"))

    assert b"your key is ******" in ask(ctx, service.url).body


def test_a_short_key_is_a_placeholder_and_no_secret(service: Service, ctx: FakeContext) -> None:
    service.script(completion(content="none of them"))

    assert b"none of them" in ask(ctx, service.url, key="none").body


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>no</html>", b"[" * 100_000, b'"x"', b'{"error": "x"}', b'{"error": {"message": 5}}', b"\x00\xff"],
)
def test_any_error_body_can_be_told(service: Service, ctx: FakeContext, body: bytes) -> None:
    service.script(body, status=400)

    message = failed(ctx, service.url).message

    assert message.startswith("the service answered 400: ")
    assert len(message) < 600
    assert message.isprintable()


def test_what_cannot_be_encoded_is_not_sent(service: Service, ctx: FakeContext) -> None:
    call = Call(ctx, Target.of(KEY, service.url, None, None), timeout=10, max_retries=2)

    with pytest.raises(TaskFailed, match="a character in it that cannot be sent"):
        call.complete({**BODY, "user": "a\ud800"})
