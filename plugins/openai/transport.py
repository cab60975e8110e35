"""The wire: one HTTP client for the whole process, whose every wait ends soon after the caller wants it to end.

Reading is done in short slices, and between them the call's `Watch` is asked. So a deadline holds for the call as a
whole, also against a server that sends a byte now and then, and a task that is told to stop lets go of its connection.
What arrives is unpacked here, up to `LARGEST_BODY`. Importing this module is slow; only a call does it.
"""

from __future__ import annotations

import atexit
import ssl
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.request import getproxies, proxy_bypass

import httpcore2
import httpx2

TICK = 0.1  #: seconds; how long at most a wait goes on without asking
CONNECT = 5.0  #: seconds; how long at most a connection may take to be made
LARGEST_BODY = 16 * 2**20  #: bytes, unpacked
_KEPT_ALIVE = 50


@dataclass(frozen=True, slots=True)
class Watch:
    """What a wait asks: `check` raises once the call has to stop, `remaining` is how many seconds it still has."""

    check: Callable[[], None]
    remaining: Callable[[], float]


#: The watch of the call that this thread is making.
WATCH: ContextVar[Watch] = ContextVar("watch")


class ConnectionFailed(Exception):
    """No complete answer came through; the cause is httpcore2's own exception."""


class BodyTooLarge(Exception):
    """The answer is larger than any that makes sense."""


class _Stream(httpcore2.NetworkStream):
    """A connection that is read in slices. It outlives the call, so it looks the watch up each time."""

    def __init__(self, stream: httpcore2.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        watch = WATCH.get()
        while True:
            watch.check()
            try:
                return self._stream.read(max_bytes, timeout=min(TICK, max(watch.remaining(), 0.001)))
            except httpcore2.ReadTimeout:
                continue

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        WATCH.get().check()
        self._stream.write(buffer, timeout=_patience())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, timeout=_patience()))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Backend(httpcore2.NetworkBackend):
    def __init__(self) -> None:
        self._backend = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        WATCH.get().check()
        return _Stream(self._backend.connect_tcp(host, port, _patience(), local_address, socket_options))


def _patience() -> float:
    return min(CONNECT, max(WATCH.get().remaining(), 0.001))


class _Body(httpx2.SyncByteStream):
    def __init__(self, response: httpcore2.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        return self._response.iter_stream()

    def close(self) -> None:
        self._response.close()


class _Transport(httpx2.BaseTransport):
    """Sends requests over watched connections, through the proxy that the environment names, if any."""

    def __init__(self) -> None:
        self._ssl = httpx2.create_ssl_context()
        self._pools: dict[str | None, httpcore2.ConnectionPool] = {}
        self._pool(None)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        url = request.url
        target = httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        wire = httpcore2.Request(request.method, target, headers=request.headers.raw, content=request.stream)
        try:
            response = self._pool(_proxy_for(url)).handle_request(wire)
            return _unpacked(httpx2.Response(response.status, headers=response.headers, stream=_Body(response)))
        except (httpcore2.TimeoutException, httpcore2.NetworkError, httpcore2.ProtocolError) as error:
            raise ConnectionFailed(str(error)) from error
        except (httpcore2.ProxyError, httpcore2.UnsupportedProtocol, httpx2.DecodingError) as error:
            raise ConnectionFailed(str(error)) from error

    def close(self) -> None:
        for pool in self._pools.values():
            pool.close()

    def _pool(self, proxy_url: str | None) -> httpcore2.ConnectionPool:
        if proxy_url not in self._pools:
            options: dict[str, Any] = {
                "ssl_context": self._ssl,
                "max_connections": None,
                "max_keepalive_connections": _KEPT_ALIVE,
                "keepalive_expiry": 30.0,
                "network_backend": _Backend(),
            }
            if proxy_url is None:
                pool = httpcore2.ConnectionPool(**options)
            else:
                proxy = httpx2.Proxy(proxy_url)
                pool = httpcore2.HTTPProxy(str(proxy.url), proxy_auth=proxy.raw_auth, **options)
            return self._pools.setdefault(proxy_url, pool)
        return self._pools[proxy_url]


def _proxy_for(url: httpx2.URL) -> str | None:
    proxies = getproxies()
    proxy = proxies.get(url.scheme) or proxies.get("all")
    return None if proxy is None or proxy_bypass(url.host) else proxy


def _unpacked(response: httpx2.Response) -> httpx2.Response:
    """The same response with its whole body in memory, decoded."""
    watch, body = WATCH.get(), bytearray()
    try:
        for chunk in response.iter_bytes():
            watch.check()
            body += chunk
            if len(body) > LARGEST_BODY:
                raise BodyTooLarge
    finally:
        response.close()
    about_packing = ("content-encoding", "content-length", "transfer-encoding")
    headers = [(name, value) for name, value in response.headers.multi_items() if name.lower() not in about_packing]
    return httpx2.Response(response.status_code, headers=headers, content=bytes(body))


#: Shared by all threads, so that connections are used again. It keeps no cookies: calls under different keys meet here.
CLIENT = httpx2.Client(transport=_Transport(), cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])), timeout=None)
atexit.register(CLIENT.close)
