"""A web server of the tests' own: real connections, on a port of this machine."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Asked:
    """A request as it arrived."""

    method: str
    path: str
    headers: Message
    body: bytes


@dataclass
class Reply:
    """What to answer. A body that is a list is sent piece by piece, without saying how long it is."""

    body: str | bytes | list[bytes] = ""
    code: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class Web:
    """Answers with what the test put under a path: a Reply, or a function that makes one."""

    def __init__(self, port: int) -> None:
        self.at = f"http://127.0.0.1:{port}"
        self.pages: dict[str, Reply | Callable[[Asked], Reply]] = {}
        self.asked: list[Asked] = []
        self.closing = threading.Event()  #: for pages that never end

    def reply(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        page = self.pages.get(asked.path.partition("?")[0], Reply("no such page", code=404))
        return page if isinstance(page, Reply) else page(asked)


class _Handler(BaseHTTPRequestHandler):
    web: Web
    protocol_version = "HTTP/1.0"

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        reply = self.web.reply(Asked(self.command, self.path, self.headers, body))
        pieces = reply.body if isinstance(reply.body, list) else [_bytes(reply.body)]
        self.send_response(reply.code)
        if not isinstance(reply.body, list):
            self.send_header("Content-Length", str(len(pieces[0])))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        for piece in pieces if self.command != "HEAD" else ():
            self.wfile.write(piece)
            self.wfile.flush()

    def __getattr__(self, name: str) -> Any:
        """Every method is answered alike: do_GET, do_POST, ..."""
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def log_message(self, *_: Any) -> None:
        pass


def _bytes(body: str | bytes) -> bytes:
    return body.encode() if isinstance(body, str) else body


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """A client that went away is what some tests are about."""


@contextmanager
def serving() -> Iterator[Web]:
    with _Server(("127.0.0.1", 0), _Handler) as server:
        web = Web(server.server_address[1])
        server.RequestHandlerClass = type("Handler", (_Handler,), {"web": web})
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield web
        finally:
            web.closing.set()
            server.shutdown()
            thread.join()
