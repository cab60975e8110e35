"""The application: which routes there are, and what stands before them.

Always true: every route is served below `/api/v1/main` and below `/api/v1`, but `/health` and `/ready`, which are
exactly these. What is documented and what is served come from the same tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from msgspec import Struct
from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import Request

from engine.api import actions, executions, flows, logs, streams, triggers, webhooks
from engine.api.access import Access
from engine.api.answers import Json, Refusal, of_bug, of_http, of_parameters, of_penstock, of_refusal
from engine.api.gate import Gate
from engine.app import Engine
from engine.errors import PenstockError

if TYPE_CHECKING:
    from fastapi import FastAPI

PREFIXES = ("/api/v1/main", "/api/v1")
#: Of two routes that fit a path, the first one is taken: so `/executions/{execution_id}/restart` comes before
#: `/executions/{namespace}/{flow_id}`.
TABLES = (
    flows.ROUTES,
    actions.ROUTES,
    streams.ROUTES,
    webhooks.ROUTES,
    executions.ROUTES,
    logs.ROUTES,
    triggers.ROUTES,
)


class _Segment(Convertor[str]):
    """One segment of a path, whatever is written in it."""

    regex = "[^/]+"

    def convert(self, value: str) -> str:
        return unquote(value)

    def to_string(self, value: str) -> str:
        return value


class Served(Struct, frozen=True):
    """One route as clients see it."""

    method: str
    path: str
    purpose: str


def served() -> Iterator[Served]:
    """All routes, each once."""
    yield Served("GET", "/health", "Whether there is a server.")
    yield Served("GET", "/ready", "Whether it can do its work; 503 when not.")
    for table in TABLES:
        for method, path, handler in table:
            yield Served(method, path, (handler.__doc__ or "").partition("\n")[0])


def create_api(engine: Engine, access: Access, *, is_ready: Callable[[], bool] = lambda: True) -> Gate:
    """The API of an engine that owns its database, behind its gate; the FastAPI application is its `app`."""
    from fastapi import FastAPI
    from fastapi.exceptions import RequestValidationError

    register_url_convertor("segment", _Segment())
    app = FastAPI(title="Penstock", docs_url=None, redoc_url=None, openapi_url="/api/v1/openapi.json")
    app.state.engine = engine
    app.state.is_ready = is_ready
    app.router.redirect_slashes = False
    app.add_exception_handler(PenstockError, of_penstock)
    app.add_exception_handler(Refusal, of_refusal)
    app.add_exception_handler(RequestValidationError, of_parameters)
    app.add_exception_handler(HTTPException, of_http)
    app.add_exception_handler(Exception, of_bug)
    _add(app, "GET", "/health", health)
    _add(app, "GET", "/ready", ready)
    for prefix in PREFIXES:
        for table in TABLES:
            for method, path, handler in table:
                _add(app, method, prefix + path, handler, in_schema=prefix == PREFIXES[0])
    return Gate(app, access)


def _add(app: FastAPI, method: str, path: str, handler: Callable[..., Any], *, in_schema: bool = True) -> None:
    from fastapi.routing import APIRoute

    app.router.routes.append(
        APIRoute(
            path.replace("}", ":segment}"),
            handler,
            methods=[method],
            response_class=Json,
            response_model=None,
            include_in_schema=in_schema,
        )
    )


def health() -> Json:
    return Json({"status": "UP"})


def ready(request: Request) -> Json:
    """Asked in a thread, as it asks the database."""
    is_ready = request.app.state.is_ready()
    return Json({"status": "UP" if is_ready else "DOWN"}, status_code=200 if is_ready else 503)
