"""The wire under `engine.sdk.http`. Importing this module is slow; only a request does it.

Reading is done in short slices, and between them the caller's `check` is asked: a task that is told to stop lets go of
its connection at once, and a deadline holds against a server that sends a byte now and then.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from http.cookiejar import CookieJar
from time import monotonic
from typing import Any

import httpcore2
import httpx2

from engine.errors import TaskFailed
from engine.sdk.http import MAX_REDIRECTS, HttpOptions, HttpRequest, shown

TICK = 0.1  #: seconds; how long at most a wait goes on without asking
Check = Callable[[], None]

#: Where clouds hand out the credentials of the machine to whoever asks from it.
_METADATA = tuple(map(ipaddress.ip_network, ("169.254.0.0/16", "fd00:ec2::/32", "fd20:ce::254/128")))


class _Stream(httpcore2.NetworkStream):
    """A connection that is read in slices."""

    def __init__(self, stream: httpcore2.NetworkStream, check: Check) -> None:
        self._stream = stream
        self._check = check

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        until = monotonic() + (timeout if timeout is not None else float("inf"))
        while True:
            self._check()
            left = until - monotonic()
            if left <= 0:
                raise httpcore2.ReadTimeout
            try:
                return self._stream.read(max_bytes, timeout=min(TICK, left))
            except httpcore2.ReadTimeout:
                continue

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._check()
        self._stream.write(buffer, timeout)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, timeout), self._check)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Backend(httpcore2.NetworkBackend):
    """Connects to the address that was looked at, so that a name cannot mean another one a moment later."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self._backend = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise TaskFailed(
                f"there is no host `{host}`", hint="check its name, and whether this machine is online"
            ) from None
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        for address in addresses:
            if _is_metadata(address):
                hint = "it hands out the credentials of this machine; no flow may ask for them"
                raise TaskFailed(f"`{host}` ({address}) is not reached from flows", hint=hint)
        for address in addresses:
            self._check()
            try:
                stream = self._backend.connect_tcp(address, port, timeout, local_address, socket_options)
                return _Stream(stream, self._check)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                if address == addresses[-1]:
                    raise
        raise AssertionError("a name that was found has an address")


def _is_metadata(address: str) -> bool:
    parsed = ipaddress.ip_address(address)
    plain = getattr(parsed, "ipv4_mapped", None) or parsed
    return any(plain.version == network.version and plain in network for network in _METADATA)


class _Body(httpx2.SyncByteStream):
    def __init__(self, response: httpcore2.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        return self._response.iter_stream()

    def close(self) -> None:
        self._response.close()


class _Transport(httpx2.BaseTransport):
    def __init__(self, options: HttpOptions, check: Check) -> None:
        context = _tls(options.ssl.insecure_trust_all_certificates)
        backend = _Backend(check)
        proxy = options.chosen_proxy
        self._pool: httpcore2.ConnectionPool
        if proxy is None:
            self._pool = httpcore2.ConnectionPool(ssl_context=context, network_backend=backend)
        else:
            target = httpcore2.URL(scheme="http", host=proxy.address, port=proxy.port, target="/")
            auth = (proxy.username, proxy.password or "") if proxy.username is not None else None
            self._pool = httpcore2.HTTPProxy(target, auth, ssl_context=context, network_backend=backend)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        url = request.url
        target = httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        wire = httpcore2.Request(
            request.method, target, headers=request.headers.raw, content=request.stream, extensions=request.extensions
        )
        response = self._pool.handle_request(wire)
        return httpx2.Response(
            response.status, headers=response.headers, stream=_Body(response), extensions=response.extensions
        )

    def close(self) -> None:
        self._pool.close()


@lru_cache(maxsize=2)
def _tls(insecure: bool) -> ssl.SSLContext:
    return httpx2.create_ssl_context(verify=not insecure, trust_env=False)


@contextmanager
def answered(request: HttpRequest, options: HttpOptions, check: Check) -> Iterator[httpx2.Response]:
    """The answer, before its body."""
    auth = options.chosen_auth
    signed = (auth.username, auth.password) if auth is not None and auth.type == "BASIC" else None
    client = httpx2.Client(
        transport=_Transport(options, check),
        auth=signed,
        cookies=CookieJar(),
        timeout=httpx2.Timeout(options.read_seconds, connect=options.connect_seconds),
        follow_redirects=options.follow_redirects,
        max_redirects=MAX_REDIRECTS,
        trust_env=False,
        headers={"User-Agent": "penstock"},
    )
    with client:
        response = client.send(_built(client, request, options), stream=True)
        try:
            yield response
        finally:
            response.close()


def _built(client: httpx2.Client, request: HttpRequest, options: HttpOptions) -> httpx2.Request:
    headers = [
        (name, value)
        for name, values in request.headers.items()
        for value in ([values] if isinstance(values, str) else values)
    ]
    if options.chosen_auth is not None and options.chosen_auth.type == "BEARER":
        headers.append(("Authorization", f"Bearer {options.chosen_auth.token}"))
    fields: Any = request.fields  # the library types names of files as required
    try:
        return client.build_request(request.method, request.uri, headers=headers, content=request.content, files=fields)
    except (ValueError, TypeError) as error:
        what = f"{request.method} {shown(request.uri)}"
        raise TaskFailed(f"{what} cannot be sent: {error}", hint="methods and headers are plain ASCII text") from None


@contextmanager
def told(request: HttpRequest, options: HttpOptions) -> Iterator[None]:
    """What goes wrong on the wire, as TaskFailed."""
    what = f"{request.method} {shown(request.uri)}"
    try:
        yield
    except httpcore2.ConnectTimeout:
        raise TaskFailed(f"{what}: no connection within {options.connect_seconds:g} s") from None
    except httpcore2.TimeoutException:
        hint = "is it busy? `options.readTimeout` gives it longer"
        raise TaskFailed(f"{what}: nothing came for {options.read_seconds:g} s", hint=hint) from None
    except httpcore2.ConnectError as error:
        raise TaskFailed(f"{what}: no connection ({error})") from None
    except httpx2.TooManyRedirects:
        raise TaskFailed(f"{what}: more than {MAX_REDIRECTS} redirects") from None
    except (httpcore2.UnsupportedProtocol, httpx2.UnsupportedProtocol, httpx2.InvalidURL) as error:
        hint = "write it in full: `https://example.com/path`"
        raise TaskFailed(f"`{shown(request.uri)}` is no address of http or https ({error})", hint=hint) from None
    except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.ProxyError, httpx2.HTTPError) as error:
        raise TaskFailed(f"{what}: no complete answer came ({error or type(error).__name__})") from None
