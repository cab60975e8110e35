"""What the API answers: JSON, and errors in Kestra's shape.

Always true: an error says whose fault it is and what to do next, and shows nothing of the inside: no traceback, no
path of this machine, no SQL. What went wrong inside is in the log.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from engine.errors import (
    ExecutionBlocked,
    ExpressionError,
    FileRefused,
    FlowInvalid,
    IllegalState,
    InputsInvalid,
    NotFound,
    PenstockError,
    PluginBroken,
    StoreError,
    UsageError,
)

#: Seconds after which it is worth asking a server again that cannot answer now.
RETRY_AFTER = 5

#: What kind of error is answered with which status, and the reason that its message begins with.
_STATUSES: tuple[tuple[type[PenstockError], int, str], ...] = (
    (FlowInvalid, 422, "Invalid entity"),
    (InputsInvalid, 422, "Invalid entity"),
    (UsageError, 422, "Illegal argument"),
    (ExpressionError, 422, "Illegal argument"),
    (FileRefused, 422, "Illegal argument"),
    (PluginBroken, 422, "Invalid entity"),
    (NotFound, 404, "Not Found"),
    (IllegalState, 409, "Illegal state"),
    (ExecutionBlocked, 409, "Illegal state"),
)
_REASONS = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    413: "Request Entity Too Large",
    421: "Misdirected Request",
    422: "Illegal argument",
    503: "Service Unavailable",
}

log = logging.getLogger(__name__)


class Json(Response):
    """Any value of the view models, as JSON."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return as_json(content)


def as_json(value: Any) -> bytes:
    """One line of JSON. What JSON has no word for is written as text."""
    return msgspec.json.encode(value, enc_hook=str)


class Refusal(Exception):
    """A request that is refused for what it says of itself: a status, the reason, and what is wrong."""

    def __init__(
        self, status: int, message: str, *, reason: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.reason = reason or _REASONS[status]
        self.headers = headers

    def answer(self, path: str) -> Response:
        """The response to a request of this path."""
        return error(self.status, f"{self.reason}: {self.message}", path, headers=self.headers)


def error(
    status: int,
    message: str,
    path: str,
    findings: Sequence[Mapping[str, Any]] = (),
    headers: Mapping[str, str] | None = None,
) -> Json:
    """An error in Kestra's shape; `findings` are what is wrong with an entity, each with its message and path."""
    shape: dict[str, Any] = {
        "message": message,
        "_links": {"self": [{"href": quote(path, safe="/%:@~"), "templated": False}]},
    }
    if findings:
        shape["_embedded"] = {"errors": list(findings)}
    return Json(shape, status_code=status, headers=headers)


def of_penstock(request: Request, raised: Exception) -> Response:
    """The answer to an error that the engine raised on purpose."""
    assert isinstance(raised, PenstockError)
    path = request.url.path
    if isinstance(raised, StoreError):
        log.error("the database does not answer: %s", raised.message)
        return Refusal(503, "the database cannot be used now", headers={"Retry-After": str(RETRY_AFTER)}).answer(path)
    for kind, status, reason in _STATUSES:
        if isinstance(raised, kind):
            return error(status, f"{reason}: {_told(raised)}", path, _findings(raised))
    return of_bug(request, raised)


def of_http(request: Request, raised: Exception) -> Response:
    """The answer to what the router refuses: an unknown route, a method that a route does not have."""
    assert isinstance(raised, HTTPException)
    told, headers = raised.detail, raised.headers
    if raised.status_code == 404 and told == "Not Found":
        told = "there is nothing at this path"
    elif raised.status_code == 405:
        allowed = _methods(request)
        told, headers = f"this path takes {allowed}", {"Allow": allowed}
    return error(
        raised.status_code, f"{_REASONS.get(raised.status_code, 'Error')}: {told}", request.url.path, headers=headers
    )


def _methods(request: Request) -> str:
    """What may be asked of the path: each method is a route of its own, and the router names that of one only."""
    routes = [route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE]
    return ", ".join(sorted({method for route in routes for method in route.methods}))


def of_refusal(request: Request, raised: Exception) -> Response:
    assert isinstance(raised, Refusal)
    return raised.answer(request.url.path)


def of_parameters(request: Request, raised: Exception) -> Response:
    """The answer to query or path parameters that cannot be read."""
    found = [_parameter(problem) for problem in raised.errors()]  # type: ignore[attr-defined]
    told = "; ".join(f"{one['path']}: {one['message']}" for one in found)
    missing = any(problem["type"] == "missing" for problem in raised.errors())  # type: ignore[attr-defined]
    status, reason = (400, "Bad Request") if missing else (422, "Illegal argument")
    return error(status, f"{reason}: {told}", request.url.path, found)


def of_bug(request: Request, raised: Exception) -> Response:
    """The answer to whatever else goes wrong."""
    log.error("%s %s cannot be answered", request.method, request.url.path, exc_info=raised)
    return error(500, "Internal server error: this is a bug; the server's log says more", request.url.path)


def _told(raised: PenstockError) -> str:
    return raised.message + (f"; {raised.hint}" if raised.hint else "")


def _findings(raised: PenstockError) -> list[dict[str, Any]]:
    if isinstance(raised, FlowInvalid):
        return [
            {"message": one.message, "path": f"{one.line}:{one.column}", "code": one.code}
            for one in raised.diagnostics
            if one.severity == "error"
        ]
    if isinstance(raised, InputsInvalid):
        return [{"message": problem, "path": "inputs"} for problem in raised.problems]
    return []


def _parameter(problem: Mapping[str, Any]) -> dict[str, Any]:
    return {"message": problem["msg"], "path": ".".join(map(str, problem["loc"][1:] or problem["loc"]))}
