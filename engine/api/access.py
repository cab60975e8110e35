"""Who may ask the API for what: decided before anything of a request is read but its head.

Always true: a server that others can reach has a token; with a token every path wants it but those of `OPEN` and the
webhooks, whose key is in the path. A page that some other site shows cannot make a browser change anything here: its
Host or its Origin gives it away.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
import socket
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from msgspec import Struct

from engine.api.answers import Refusal
from engine.errors import UsageError

#: What anybody may ask: whether there is a server, and whether it works.
OPEN = frozenset({"/health", "/ready"})
WEBHOOK = re.compile(r"/api/v1/(main/)?executions/webhook/[^/;]+/[^/;]+/[^/;]+")
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Access(Struct, frozen=True, kw_only=True):
    """Where a server listens, the names that it is called by, and the token that it wants, if any."""

    host: str
    token: str | None = None
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.token is None and not is_loopback(self.host):
            raise UsageError(
                f"on {self.host} others can reach the server, and there is no token",
                hint="set server.token (PENSTOCK_SERVER__TOKEN), or listen on 127.0.0.1",
            )

    def check(self, method: str, path: str, headers: Mapping[str, str]) -> None:
        """Raise Refusal for a request that may not be answered. `path` is as it was sent, without the query."""
        self._check_host(headers.get("host", ""))
        if method not in SAFE_METHODS:
            _check_origin(headers)
        if self.token is not None and path not in OPEN and WEBHOOK.fullmatch(path) is None:
            self._check_token(headers.get("authorization", ""))

    def _check_host(self, host: str) -> None:
        """A name that an attacker can point at this machine is refused; an address cannot be pointed anywhere."""
        name = _name(host)
        known = {"localhost", self.host, socket.gethostname(), *self.names}
        if not _is_address(name) and name not in {one.lower() for one in known}:
            raise Refusal(421, f"this server is not called {name or 'nothing'}; server.names lists its names")

    def _check_token(self, authorization: str) -> None:
        assert self.token is not None
        given = _credentials(authorization)
        if given is None or not secrets.compare_digest(given.encode(), self.token.encode()):
            raise Refusal(
                401,
                "this server wants its token, as `Authorization: Bearer TOKEN`",
                headers={"WWW-Authenticate": "Bearer"},
            )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _check_origin(headers: Mapping[str, str]) -> None:
    """Who runs in a browser says where it came from; programs say nothing."""
    origin = headers.get("origin")
    foreign = origin is not None and urlsplit(origin).netloc.lower() != headers.get("host", "").lower()
    if foreign or headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        raise Refusal(403, "a page of another site may not change anything here")


def _name(host: str) -> str:
    """The host without its port."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _credentials(authorization: str) -> str | None:
    """The token of a Bearer, or the password of a Basic."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value.strip(), validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return None
    return None
