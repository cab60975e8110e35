"""Tasks that ask the web: an answer as output, or as a file."""

import re
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import PurePosixPath
from typing import Annotated, Any
from urllib.parse import unquote, urlencode, urlsplit, urlunsplit

from pydantic import Field, field_validator

from engine import sdk
from engine.sdk.http import (
    FORM_TYPE,
    MULTIPART_TYPE,
    HttpAnswer,
    HttpOptions,
    HttpRequest,
    HttpSsl,
    encoded,
    exchange,
    form,
    texts,
)

#: What a server may do twice when it is asked twice, unless it knows the key.
_CHANGING = ("POST", "PUT", "PATCH")
_KEY = "Idempotency-Key"


class _Asking(sdk.Task):
    """What all tasks here have in common: the request."""

    uri: str
    """The address, of http or https."""
    method: str = "GET"
    """The HTTP method."""
    params: dict[str, Any] | None = None
    """Added to the query of the address; an element of a list each by itself."""
    body: Any = None
    """What to send. Text goes as it stands, anything else as JSON."""
    form_data: dict[str, Any] | None = None
    """A form to send instead. With the content type `multipart/form-data`, the URI of a stored file sends that file,
    and so does a map with its `name` and, as `content`, its URI."""
    content_type: str | None = None
    """What `body` is."""
    headers: dict[str, Any] | None = None
    """Headers; one with a list of values is sent several times."""
    options: HttpOptions = HttpOptions()
    """Timeouts, sign-in, proxy, redirects, sizes."""
    ssl_options: HttpSsl | None = None
    """The older place of `options.ssl`."""
    allow_failed: bool = False
    """Whether an answer of 400 and above is an answer like any other. By default the task fails."""

    def _settings(self) -> HttpOptions:
        """The options, with what may be written outside of them."""
        changes: dict[str, Any] = {"allow_failed": self.allow_failed or self.options.allow_failed}
        if self.ssl_options is not None:
            changes["ssl"] = self.ssl_options
        return self.options.model_copy(update=changes)

    def _request(self, open_file: Callable[[str], Any], idempotency_key: str | None = None) -> HttpRequest:
        headers = {name: texts(value) for name, value in (self.headers or {}).items() if value is not None}
        method = self.method.upper()
        if idempotency_key is not None and method in _CHANGING and _KEY.lower() not in map(str.lower, headers):
            headers[_KEY] = idempotency_key
        named = next((name for name in headers if name.lower() == "content-type"), "Content-Type")
        type_ = self.content_type or headers.pop(named, None)
        content, fields = None, None
        if self.form_data is None:
            content, type_ = encoded(self.body, type_ if isinstance(type_, str) else None)
        elif isinstance(type_, str) and type_.startswith(MULTIPART_TYPE):
            type_ = None  # the boundary is for whoever writes the parts
            fields = [(name, _part(value, open_file)) for name, value in self.form_data.items() if value is not None]
        else:
            content, type_ = form(self.form_data), type_ or FORM_TYPE
        if type_ is not None:
            headers[named] = type_
        return HttpRequest(uri=self._address(), method=method, headers=headers, content=content, fields=fields)

    def _address(self) -> str:
        if not self.params:
            return self.uri
        parts = urlsplit(self.uri)
        added = {name: texts(value) for name, value in self.params.items() if value is not None}
        query = "&".join(filter(None, (parts.query, urlencode(added, doseq=True))))
        return urlunsplit(parts._replace(query=query))


class Request(
    _Asking, type="io.kestra.plugin.core.http.Request", aliases=("io.kestra.plugin.fs.http.Request",), effect="effect"
):
    """Ask a web server, and give its answer to the tasks after this one."""

    EXAMPLES = (
        sdk.Example(
            "Send JSON, signed in.",
            """
            id: http_request
            namespace: company.team
            tasks:
              - id: report
                type: io.kestra.plugin.core.http.Request
                uri: https://example.com/api/runs
                method: POST
                contentType: application/json
                body: "{{ {'execution': execution.id, 'state': 'done'} | toJson }}"
                options:
                  auth:
                    type: BEARER
                    token: "{{ secret('API_TOKEN') }}"
              - id: log
                type: io.kestra.plugin.core.log.Log
                message: "{{ outputs.report.code }}: {{ outputs.report.body }}"
            """,
        ),
    )

    idempotency_key: bool = True
    """Whether a POST, PUT or PATCH carries the header `Idempotency-Key`, unless `headers` has one: the same for every
    attempt of the task run (`taskrun.idempotencyKey`), so that a server that knows it does not do the work twice."""
    encrypt_body: Annotated[bool, sdk.Static()] = False
    """Only false: outputs are not encrypted here."""

    class Output(sdk.Output):
        uri: str
        """Where the answer came from, after all redirects."""
        code: int
        """Its status code."""
        headers: dict[str, list[str]]
        """Its headers, by their names in lower case."""
        body: str
        """Its body as text."""

    @field_validator("encrypt_body")
    @classmethod
    def _not_encrypted(cls, value: bool) -> bool:
        if value:
            raise ValueError("outputs are not encrypted here; leave it out")
        return value

    def run(self, ctx: sdk.RunContext) -> Output:
        with ExitStack() as files:
            key = ctx.idempotency_key if self.idempotency_key else None
            request = self._request(lambda uri: files.enter_context(ctx.open_file(uri)), key)
            with exchange(request, self._settings(), ctx.check_cancelled) as answer:
                _tell(ctx, request, answer)
                body = answer.text()
        return self.Output(uri=answer.uri, code=answer.code, headers=answer.headers, body=body)


class Download(
    _Asking,
    type="io.kestra.plugin.core.http.Download",
    aliases=("io.kestra.plugin.fs.http.Download",),
    effect="idempotent",
):
    """Store the answer of a web server as a file. It may be larger than the memory."""

    EXAMPLES = (
        sdk.Example(
            "Fetch a table.",
            """
            id: http_download
            namespace: company.team
            tasks:
              - id: fetch
                type: io.kestra.plugin.core.http.Download
                uri: https://example.com/orders.csv
              - id: log
                type: io.kestra.plugin.core.log.Log
                message: "{{ outputs.fetch.length }} bytes at {{ outputs.fetch.uri }}"
            """,
        ),
    )

    fail_on_empty_response: bool = True
    """Whether an answer without a body is a failure."""
    save_as: str | None = Field(None, min_length=1)
    """What to call the file; by default as the server or the address calls it."""

    class Output(sdk.Output):
        uri: str
        """The URI of the stored file."""
        code: int
        """The status code of the answer."""
        length: int
        """How many bytes it has."""
        headers: dict[str, list[str]]
        """Its headers, by their names in lower case."""

    def run(self, ctx: sdk.RunContext) -> Output:
        with ExitStack() as files:
            request = self._request(lambda uri: files.enter_context(ctx.open_file(uri)))
            target = ctx.working_dir / "download"
            with exchange(request, self._settings(), ctx.check_cancelled) as answer, target.open("wb") as file:
                _tell(ctx, request, answer)
                length = sum(file.write(chunk) for chunk in answer.chunks())
        if length == 0 and self.fail_on_empty_response:
            raise sdk.TaskFailed(f"{answer.uri} answered nothing", hint="`failOnEmptyResponse: false` allows it")
        ctx.counter("response.length", length)
        uri = ctx.put_file(target, self.save_as or _name(answer))
        return self.Output(uri=uri, code=answer.code, length=length, headers=answer.headers)


def _tell(ctx: sdk.RunContext, request: HttpRequest, answer: HttpAnswer) -> None:
    ctx.logger.debug("%s %s answered %s", request.method, answer.uri, answer.code)
    answer.check(request.method)


def _part(value: Any, open_file: Callable[[str], Any]) -> tuple[str | None, Any]:
    """A field of a multipart form: the name of a file and its content; no name for what is no file."""
    if isinstance(value, dict) and isinstance(value.get("content"), str):
        return str(value.get("name") or _last(value["content"])), open_file(value["content"])
    if isinstance(value, str) and value.startswith("kestra://"):
        return _last(value), open_file(value)
    text = texts(value)
    return None, (text if isinstance(text, str) else ",".join(text)).encode()


def _name(answer: HttpAnswer) -> str:
    """What the server calls the file; else the address, but for its folders."""
    said = " ".join(answer.headers.get("content-disposition", ()))
    extended = re.search(r"filename\*\s*=\s*UTF-8''([^;]+)", said, re.IGNORECASE)
    plain = re.search(r'filename\s*=\s*(?:"([^"]*)"|([^;\s]+))', said, re.IGNORECASE)
    name = unquote(extended[1]) if extended else (plain[1] or plain[2] or "") if plain else ""
    return _last(name) if _last(name) != "file" else _last(unquote(urlsplit(answer.uri).path))


def _last(path: str) -> str:
    """The last part of a path, never one that leads elsewhere."""
    name = PurePosixPath(path.replace("\\", "/")).name
    return name if name not in ("", ".", "..") else "file"
