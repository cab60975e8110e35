"""What every request passes before the router sees it: access, the size of the body, the state of the server.

Always true: nothing of a body is read before its sender may send it, and never more than a body may have; paths are
routed as they were sent, so a `/` that is written `%2F` belongs to its segment.
"""

from __future__ import annotations

import logging
import re
from time import monotonic

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.api.access import SAFE_METHODS, Access
from engine.api.answers import RETRY_AFTER, Refusal

MAX_BODY = 16 * 1024 * 1024
#: Of a form, whose files go to the disk while they come in.
MAX_UPLOAD = 1024 * 1024 * 1024

_SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
_KEY_IN_PATH = re.compile(r"(/executions/webhook/[^/]+/[^/]+/)[^/]+")

access_log = logging.getLogger("engine.api.access_log")


class Gate:
    """The application behind its checks. `is_ending` becomes true when the server takes no more work."""

    def __init__(self, app: ASGIApp, access: Access, *, max_body: int = MAX_BODY, max_upload: int = MAX_UPLOAD) -> None:
        self._app = app
        self._access = access
        self._max_body = max_body
        self._max_upload = max_upload
        self.is_ending = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return  # there are no WebSockets
        exchange = _Exchange(scope, receive, send)
        path = _raw_path(scope)
        try:
            headers = Headers(scope=scope)
            self._access.check(scope["method"], path, headers)
            self._check_ending(scope["method"])
            exchange.limit = self._limit(headers)
            exchange.check_length(headers.get("content-length"))
            await self._app({**scope, "path": path}, exchange.receive, exchange.send)
        except Refusal as refusal:
            if not exchange.has_begun:
                await refusal.answer(path)(scope, exchange.receive, exchange.send)
        finally:
            exchange.write_down(path)

    def _limit(self, headers: Headers) -> int:
        is_form = headers.get("content-type", "").lower().startswith("multipart/form-data")
        return self._max_upload if is_form else self._max_body

    def _check_ending(self, method: str) -> None:
        if self.is_ending and method not in SAFE_METHODS:
            raise Refusal(503, "the server is ending", headers={"Retry-After": str(RETRY_AFTER)})


class _Exchange:
    """One request and its answer, as they pass."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._size = 0
        self._status = 0
        self._since = monotonic()
        self.limit = 0
        self.has_begun = False  #: whether some of the answer has been sent

    async def receive(self) -> Message:
        message = await self._receive()
        self._size += len(message.get("body", b""))
        if self._size > self.limit:
            raise self._too_large()
        return message

    def check_length(self, announced: str | None) -> None:
        if announced is not None and announced.isdecimal() and int(announced) > self.limit:
            raise self._too_large()

    def _too_large(self) -> Refusal:
        return Refusal(413, f"a body may have {self.limit:,} bytes", headers={"Connection": "close"})

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.has_begun = True
            self._status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in _SECURITY_HEADERS.items():
                headers.setdefault(name, value)
        await self._send(message)

    def write_down(self, path: str) -> None:
        client = self._scope.get("client") or ("-",)
        shown = _KEY_IN_PATH.sub(r"\1***", path).encode("ascii", "backslashreplace").decode()
        took = (monotonic() - self._since) * 1000
        access_log.info("%s %s %s %d %.0f ms", client[0], self._scope["method"], shown, self._status, took)


def _raw_path(scope: Scope) -> str:
    raw: bytes | None = scope.get("raw_path")
    return raw.partition(b"?")[0].decode("latin-1") if raw is not None else scope["path"]
