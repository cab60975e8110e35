"""HTTP for tasks and expressions: one request, answered within its limits, or told why not.

Always true: only http and https are spoken; no proxy of the environment is used; a redirect is followed at most
`MAX_REDIRECTS` times; the addresses at which clouds hand out the credentials of a machine are never reached.
Importing this module is cheap; a request loads the rest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, BinaryIO, Literal
from urllib.parse import urlencode

from msgspec import Struct, field
from pydantic import Field

from engine.errors import TaskFailed
from engine.sdk.task import Definition, Secret

if TYPE_CHECKING:
    import httpx2

MAX_REDIRECTS = 5
MAX_BODY = 10 * 1024 * 1024
CONNECT_TIMEOUT = timedelta(seconds=5)
READ_TIMEOUT = timedelta(seconds=10)
JSON_TYPE = "application/json"
FORM_TYPE = "application/x-www-form-urlencoded"
MULTIPART_TYPE = "multipart/form-data"
#: How much of an answer's body an error shows.
_SHOWN = 500


class HttpTimeout(Definition):
    """How long to wait."""

    connect_timeout: timedelta | None = None
    """For a connection; PT5S by default."""
    read_idle_timeout: timedelta | None = None
    """For the next part of the answer; PT10S by default."""


class HttpProxy(Definition):
    """The proxy to go through."""

    type: Literal["DIRECT", "HTTP"] = "HTTP"
    """`DIRECT` uses none."""
    address: str
    """Its host."""
    port: int = Field(ge=1, le=65535)
    """Its port."""
    username: str | None = None
    """Who to sign in as, if it asks."""
    password: Secret | None = None
    """The password of that user."""


class HttpAuth(Definition):
    """How to sign in."""

    type: Literal["BASIC", "BEARER"]
    """`BASIC` takes `username` and `password`, `BEARER` a `token`."""
    username: str = ""
    """For BASIC."""
    password: Secret = ""
    """For BASIC."""
    token: Secret = ""
    """For BEARER."""


class HttpSsl(Definition):
    """What to trust."""

    insecure_trust_all_certificates: bool = False
    """Accept any certificate. Whoever is between can read and change everything."""


class HttpOptions(Definition):
    """How a request is made."""

    connect_timeout: timedelta = CONNECT_TIMEOUT
    """How long to wait for a connection."""
    read_timeout: timedelta = READ_TIMEOUT
    """How long to wait for the next part of the answer."""
    read_idle_timeout: timedelta | None = None
    """Another name of `readTimeout`; it wins when both are written."""
    connection_pool_idle_timeout: timedelta | None = None
    """Taken and not needed: a connection ends with its request."""
    max_content_length: int | None = Field(None, ge=0)
    """How many bytes the body of an answer may have, unpacked: by default 10 MiB, and a download as many as it has."""
    timeout: HttpTimeout = HttpTimeout()
    """The newer way to write the two timeouts."""
    default_charset: str = "UTF-8"
    """How a text is encoded if the answer does not say."""
    follow_redirects: bool = True
    """Whether to go where the answer points, at most five times."""
    allow_failed: bool = False
    """Whether an answer of 400 and above is an answer like any other."""
    allowed_response_codes: list[int] | None = None
    """The only codes that are not failures; by default all below 400."""
    auth: HttpAuth | None = None
    """How to sign in."""
    basic_auth_user: str | None = None
    """The older way to write `auth` of the type BASIC."""
    basic_auth_password: Secret | None = None
    """The password of `basicAuthUser`."""
    proxy: HttpProxy | None = None
    """The proxy to go through; those that the environment names are not used."""
    proxy_type: Literal["DIRECT", "HTTP"] = "DIRECT"
    """The older way to write `proxy`: HTTP to use one."""
    proxy_address: str | None = None
    """The proxy's host."""
    proxy_port: int | None = Field(None, ge=1, le=65535)
    """The proxy's port."""
    proxy_username: str | None = None
    """Who to sign in as, if the proxy asks."""
    proxy_password: Secret | None = None
    """The password of that user."""
    ssl: HttpSsl = HttpSsl()
    """What to trust."""
    log_level: str | None = None
    """Taken and not needed."""
    logs: list[str] | None = None
    """Taken and not needed."""

    @property
    def connect_seconds(self) -> float:
        return (self.timeout.connect_timeout or self.connect_timeout).total_seconds()

    @property
    def read_seconds(self) -> float:
        return (self.timeout.read_idle_timeout or self.read_idle_timeout or self.read_timeout).total_seconds()

    @property
    def chosen_proxy(self) -> HttpProxy | None:
        """The proxy to use, whichever way it is written."""
        if self.proxy is None and self.proxy_type == "HTTP" and self.proxy_address and self.proxy_port:
            user, password = self.proxy_username, self.proxy_password
            return HttpProxy(address=self.proxy_address, port=self.proxy_port, username=user, password=password)
        return self.proxy if self.proxy is not None and self.proxy.type == "HTTP" else None

    @property
    def chosen_auth(self) -> HttpAuth | None:
        """How to sign in, whichever way it is written."""
        if self.auth is None and self.basic_auth_user is not None:
            return HttpAuth(type="BASIC", username=self.basic_auth_user, password=self.basic_auth_password or "")
        return self.auth

    def accepts(self, code: int) -> bool:
        """Whether an answer of this code is no failure."""
        if self.allowed_response_codes is not None:
            return code in self.allowed_response_codes
        return self.allow_failed or code < 400


class HttpRequest(Struct, frozen=True, kw_only=True):
    """What to ask. The body is `content`, or the `fields` of a multipart form."""

    uri: str
    method: str = "GET"
    headers: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    content: bytes | None = None
    #: (name of the field, (name of the file, content)); a field that is no file has no name for one.
    fields: Sequence[tuple[str, tuple[str | None, bytes | BinaryIO]]] | None = None


class HttpAnswer:
    """An answer whose body is still coming."""

    def __init__(self, response: httpx2.Response, options: HttpOptions) -> None:
        self._response = response
        self._options = options
        self.uri = shown(str(response.url))  #: where the answer came from, in the end
        self.code = response.status_code

    @property
    def headers(self) -> dict[str, list[str]]:
        """By their names in lower case; each may come several times."""
        headers: dict[str, list[str]] = {}
        for name, value in self._response.headers.multi_items():
            headers.setdefault(name.lower(), []).append(value)
        return headers

    @property
    def content_type(self) -> str:
        """`application/json`, without its parameters; empty if the answer does not say."""
        written: str = self._response.headers.get("content-type", "")
        return written.partition(";")[0].strip().lower()

    @property
    def is_json(self) -> bool:
        return self.content_type == JSON_TYPE or self.content_type.endswith("+json")

    def chunks(self, limit: int | None = None) -> Iterator[bytes]:
        """The body, unpacked, as it comes. Raises TaskFailed when it has more bytes than allowed, or than `limit`."""
        size, allowed = 0, self._options.max_content_length
        limit = limit if allowed is None else allowed
        for chunk in self._response.iter_bytes():
            size += len(chunk)
            if limit is not None and size > limit:
                hint = "raise `options.maxContentLength`, or download it to a file"
                raise TaskFailed(f"the answer of {self.uri} has more than {limit:,} bytes", hint=hint)
            yield chunk

    def read(self) -> bytes:
        """The whole body."""
        return b"".join(self.chunks(MAX_BODY))

    def text(self) -> str:
        """The whole body as text."""
        try:
            return self.read().decode(self._response.charset_encoding or self._options.default_charset, "replace")
        except LookupError as error:
            raise TaskFailed(f"the answer of {self.uri} cannot be read: {error}") from None

    def check(self, method: str) -> None:
        """Raise TaskFailed when the answer is a failure, with the beginning of its body."""
        if self._options.accepts(self.code):
            return
        text = self.text().strip()
        shown = f": {text[:_SHOWN]}{'...' * (len(text) > _SHOWN)}" if text else ""
        reason = f"{self.code} {self._response.reason_phrase}".strip()
        raise TaskFailed(f"{method} {self.uri} answered {reason}{shown}", hint="`allowFailed` takes any answer")


@contextmanager
def exchange(request: HttpRequest, options: HttpOptions, check: Callable[[], None]) -> Iterator[HttpAnswer]:
    """Send a request; the answer can be read until the block ends.

    `check` is called ten times a second while there is something to wait for; what it raises ends the exchange.
    Raises TaskFailed when there is no answer.
    """
    from engine.sdk.connections import answered, told

    with told(request, options), answered(request, options, check) as response:
        yield HttpAnswer(response, options)


def shown(uri: str) -> str:
    """An address without the password that may stand in it."""
    return re.sub(r"^(\w+://)[^/?#]*@", r"\1", uri)


def encoded(body: Any, content_type: str | None) -> tuple[bytes | None, str | None]:
    """A body as bytes, and what it is: text as it stands, anything else as JSON."""
    if body is None:
        return None, content_type
    if isinstance(body, bytes):
        return body, content_type
    if isinstance(body, str):
        return body.encode("utf-8", "replace"), content_type
    from engine.expressions.values import json_text

    return json_text(body, nulls=True).encode("utf-8"), content_type or JSON_TYPE


def form(fields: Mapping[str, Any]) -> bytes:
    """The fields of a form as the body of the type FORM_TYPE."""
    return urlencode({name: texts(value) for name, value in fields.items()}, doseq=True).encode()


def texts(value: Any) -> str | list[str]:
    """A value as expressions print it; of a list, each element."""
    from engine.expressions.values import printed

    return [printed(item) for item in value] if isinstance(value, (list, tuple)) else printed(value)


def parsed(text: str) -> Any:
    """The value of a JSON answer; the text itself if it is none after all."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
