"""`http()`: an answer from the web, for whoever writes an expression."""

from __future__ import annotations

from collections.abc import Mapping
from time import monotonic
from typing import Any

from pydantic import ValidationError

from engine.dialect.suggest import did_you_mean, nearest
from engine.errors import TaskFailed
from engine.sdk.http import FORM_TYPE, HttpOptions, HttpRequest, encoded, exchange, form, parsed, shown, texts

#: How long an expression waits for an answer in all, in seconds, however slowly it comes.
PATIENCE = 60.0


def http(
    uri: Any,
    *,
    method: Any = "GET",
    content_type: Any = None,
    body: Any = None,
    headers: Any = None,
    options: Any = None,
) -> Any:
    """The body of the answer: a value if it is JSON, else text. Raises TaskFailed for an answer of 400 and above.

    A body that is no text is sent as JSON, or as a form if that is its content type. `options` are those of the task
    `io.kestra.plugin.core.http.Request`.
    """
    started = monotonic()

    def check() -> None:
        if monotonic() - started > PATIENCE:
            raise TaskFailed(
                f"{shown(str(uri))} took longer than {PATIENCE:g} s", hint="have a task ask, and read its output"
            )

    request = _request(str(uri), str(method).upper(), content_type, body, headers)
    with exchange(request, _options(options), check) as answer:
        answer.check(request.method)
        text = answer.text()
        return parsed(text) if answer.is_json else text


def _request(uri: str, method: str, content_type: Any, body: Any, headers: Any) -> HttpRequest:
    sent = {"Accept": "application/json, */*;q=0.5"} | _headers(headers)
    if str(content_type or "").startswith(FORM_TYPE) and isinstance(body, Mapping):
        body = form(body)
    content, type_ = encoded(body, None if content_type is None else str(content_type))
    if type_ is not None and "content-type" not in {name.lower() for name in sent}:
        sent["Content-Type"] = type_
    return HttpRequest(uri=uri, method=method, headers=sent, content=content)


def _headers(written: Any) -> dict[str, Any]:
    if written is None:
        return {}
    if not isinstance(written, Mapping):
        raise TaskFailed("the `headers` of `http` are a map", hint="Write `headers={'Accept': 'text/csv'}`.")
    return {str(name): texts(value) for name, value in written.items() if value is not None}


def _options(written: Any) -> HttpOptions:
    try:
        return HttpOptions.model_validate({} if written is None else written)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        name = ".".join(map(str, problem["loc"]))
        if problem["type"] != "extra_forbidden":
            raise TaskFailed(f"the options of `http`: `{name}`: {problem['msg']}") from None
        known = [field.alias or name for name, field in HttpOptions.model_fields.items()]
        hint = did_you_mean(nearest(name, known)) or f"it knows {', '.join(known)}"
        raise TaskFailed(f"`http` has no option `{name}`", hint=hint) from None
