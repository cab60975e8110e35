"""A stand-in for the Chat Completions API: a real HTTP server that believes nothing it is sent.

Every request is checked against the SDK's own types, and for what those leave open. Answers are made up from the
request, or scripted: `service.script(...)` says what the next requests get instead.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolUnionParam
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from pydantic import TypeAdapter

KEY = "sk-test-0123456789"
Raw = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Scripted:
    """One answer: `raw` writes it itself, else status, headers and body do."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    raw: Raw | None = None


class Service:
    """Serves on a free port of this machine while it is open. Keeps all that it was sent."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[Mapping[str, str]] = []
        self.connections = 0
        self._script: deque[Scripted] = deque()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"service": self}))
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def script(
        self, body: Any = b"", status: int = 200, times: int = 1, raw: Raw | None = None, **headers: str
    ) -> None:
        """What the next requests get. Anything but bytes is sent as JSON; `retry_after="1"` becomes a header."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._script.extend([Scripted(status, named, data, raw)] * times)

    def answer(self, headers: Mapping[str, str], body: bytes) -> Scripted:
        self.headers.append(dict(headers.items()))
        request = json.loads(body)
        self.bodies.append(request)
        if self._script:
            return self._script.popleft()
        if headers.get("Authorization") != f"Bearer {KEY}":
            return _error(401, "Incorrect API key provided", "invalid_api_key")
        problems = problems_of(request)
        if problems:
            return _error(400, "; ".join(problems), "invalid_request_error")
        return Scripted(body=json.dumps(completion(request)).encode(), headers={"x-request-id": "req-1"})


def completion(request: Mapping[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """A whole answer to a request; `changes` replace parts of its only message."""
    request = request or {}
    last = (request.get("messages") or [{"content": "hello"}])[-1]
    message: dict[str, Any] = {"role": "assistant", "content": f"You said: {last.get('content')}", "refusal": None}
    choice = request.get("tool_choice", "auto")
    if request.get("tools") and choice != "none":
        functions = [tool["function"] for tool in request["tools"]]
        named = choice["function"]["name"] if isinstance(choice, dict) else functions[0]["name"]
        function = next(function for function in functions if function["name"] == named)
        arguments = json.dumps(_made_up(function["parameters"]))
        called = {"id": "call-1", "type": "function", "function": {"name": named, "arguments": arguments}}
        message |= {"content": None, "tool_calls": [called]}
    reason = "tool_calls" if message.get("tool_calls") else "stop"
    choices = [
        {"index": index, "finish_reason": changes.pop("finish_reason", reason), "message": message | changes}
        for index in range(request.get("n", 1))
    ]
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": request.get("model", "gpt-4o"),
        "choices": choices,
        "usage": {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12},
    }


def problems_of(request: Mapping[str, Any]) -> list[str]:
    """All that the real API would refuse about a request."""
    whole, messages, tools = _adapters()
    unknown = request.keys() - CompletionCreateParamsNonStreaming.__annotations__.keys() - _inherited()
    problems = [f"unknown parameter {name}" for name in sorted(unknown)]
    checks = [(whole, request), (messages, request.get("messages")), (tools, request.get("tools", []))]
    for adapter, value in checks:
        try:
            adapter.validate_python(value, strict=True)
        except ValueError as error:
            problems.append(str(error))
    names = [tool["function"]["name"] for tool in request.get("tools", [])]
    choice = request.get("tool_choice")
    if choice is not None and not names:
        problems.append("tool_choice without tools")
    if isinstance(choice, dict) and choice["function"]["name"] not in names:
        problems.append("tool_choice names an unknown tool")
    if not 0 <= request.get("temperature", 1) <= 2:
        problems.append("temperature is out of range")
    if len(request.get("stop", [])) > 4:
        problems.append("too many stop sequences")
    return problems


@cache
def _adapters() -> tuple[TypeAdapter[Any], TypeAdapter[Any], TypeAdapter[Any]]:
    # The SDK declares `messages` and `tools` as iterables, which are checked only when somebody iterates: hence the
    # adapters for lists.
    return (
        TypeAdapter(CompletionCreateParamsNonStreaming),
        TypeAdapter(list[ChatCompletionMessageParam]),
        TypeAdapter(list[ChatCompletionToolUnionParam]),
    )


def _inherited() -> set[str]:
    bases = CompletionCreateParamsNonStreaming.__orig_bases__  # type: ignore[attr-defined]
    return {name for base in bases for name in getattr(base, "__annotations__", {})}


def _error(status: int, message: str, code: str) -> Scripted:
    return Scripted(status, {}, json.dumps({"error": {"message": message, "code": code, "type": code}}).encode())


def _made_up(schema: Mapping[str, Any]) -> Any:
    """A value that satisfies a schema."""
    if "enum" in schema:
        return schema["enum"][0]
    values = {"string": "some text", "number": 1.5, "integer": 1, "boolean": True, "array": []}
    if schema["type"] == "object":
        return {name: _made_up(part) for name, part in schema.get("properties", {}).items()}
    return values[schema["type"]]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else every answer waits 40 ms for the client to acknowledge its headers
    service: Service

    def setup(self) -> None:
        super().setup()
        self.service.connections += 1

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = self.service.answer(self.headers, body)
        try:
            if answer.raw is not None:
                self.close_connection = True
                answer.raw(self)
                return
            self.send_response(answer.status)
            for name, value in {"Content-Type": "application/json", **answer.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)
        except OSError:
            self.close_connection = True  # the client has hung up, as some tests want it to

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the name in the standard library
        pass


def begin(handler: BaseHTTPRequestHandler, *headers: tuple[str, str]) -> None:
    """Status and headers of a raw answer, sent at once."""
    handler.send_response(200)
    for name, value in (("Content-Type", "application/json"), *headers):
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.flush()


def wait_for_hang_up(handler: BaseHTTPRequestHandler) -> None:
    """Returns once the client has let go of the connection."""
    with contextlib.suppress(ConnectionResetError):  # it may leave bytes unread
        handler.rfile.read(1)
