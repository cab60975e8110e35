"""The routes about executions: begin one, look at one, list them, remove one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from urllib.parse import quote

import msgspec
from anyio.to_thread import run_sync as in_thread
from starlette.requests import Request
from starlette.responses import Response

from engine.api.answers import Json, Refusal
from engine.api.paging import Page, envelope
from engine.api.reading import Form, engine_of, form_in, inputs_from, labels_of
from engine.api.searching import EXECUTIONS, searched
from engine.api.streams import ended
from engine.app import Engine
from engine.model.execution import Execution
from engine.ports import ExecutionFilter
from engine.present import execution_json, light_execution_json

# Kestra's names of parameters are what they are.
# ruff: noqa: N803

#: What a list can be sorted by, and what that is in the records.
SORTABLE = {
    "id": "id",
    "namespace": "namespace",
    "flowId": "flow_id",
    "state.current": "state",
    "state.startDate": "started_at",
    "state.endDate": "ended_at",
    "state.duration": "duration",
}


async def create(
    request: Request,
    namespace: str,
    flow_id: str,
    wait: bool = False,
    revision: int | None = None,
    scheduleDate: datetime | None = None,
) -> Json:
    """Begin an execution of a flow; with `wait=true` the answer comes when it has ended."""
    engine = engine_of(request)
    labels = labels_of(request)
    due = scheduleDate if scheduleDate is None or scheduleDate.tzinfo else scheduleDate.replace(tzinfo=UTC)
    key = request.headers.get("idempotency-key")

    def begin(form: Form) -> Execution:
        once = (key, _digest(namespace, flow_id, revision, labels, due, form)) if key else None
        flow = engine.library.find(namespace, flow_id, revision)
        return engine.start(flow, inputs_from(form, flow), labels, due, once)

    async with form_in(request) as form:
        execution = await in_thread(begin, form)
    if wait:
        execution = await ended(engine, execution.id)
    return Json({**execution_json(execution), "url": url_of(request, execution)})


def _digest(
    namespace: str,
    flow_id: str,
    revision: int | None,
    labels: Mapping[str, str],
    due: datetime | None,
    form: Form,
) -> str:
    """What tells one request from another that comes with the same key; how a form is put into bytes does not."""
    parts = {name: value if isinstance(value, str) else [value.name, value.digest()] for name, value in form.items()}
    said = [namespace, flow_id, revision, labels, due, parts]
    return sha256(msgspec.json.encode(said, order="deterministic")).hexdigest()


def url_of(request: Request, execution: Execution) -> str:
    """Where an execution is found."""
    return f"{str(request.base_url).rstrip('/')}/api/v1/main/executions/{quote(execution.id, safe='')}"


def one(request: Request, execution_id: str) -> Json:
    """An execution with all its task runs."""
    return Json(execution_json(engine_of(request).execution(execution_id)))


def search(request: Request) -> Json:
    """The executions that the filters mean, in pages, the newest first; without their task runs."""
    page = Page.of(request, SORTABLE)
    where = ExecutionFilter(
        search=searched(request, EXECUTIONS, datetime.now(UTC)),
        order=tuple((SORTABLE[field], falling) for field, falling in page.sort),
        limit=page.size,
        offset=page.offset,
    )
    return _listed(engine_of(request), where)


def of_flow(request: Request, namespace: str, flowId: str) -> Json:
    """The executions of one flow, in pages."""
    page = Page.of(request, SORTABLE)
    where = ExecutionFilter(namespace=namespace, below=False, flow_id=flowId, limit=page.size, offset=page.offset)
    return _listed(engine_of(request), where)


def _listed(engine: Engine, where: ExecutionFilter) -> Json:
    found, total = engine.store.executions(where)
    return Json(envelope([light_execution_json(summary) for summary in found], total))


def delete(request: Request, execution_id: str) -> Response:
    """Remove an execution that has ended, with its logs, metrics and files."""
    refuse_unless_default(request, "deleteLogs", "deleteMetrics", "deleteStorage")
    engine_of(request).delete(execution_id)
    return Response(status_code=204)


def refuse_unless_default(request: Request, *names: str) -> None:
    """Raise Refusal for parameters that are anything but `true`: what they would keep goes with the rest here."""
    for name in names:
        if request.query_params.get(name, "true") != "true":
            raise Refusal(422, f"{name} can only be true: what belongs to an execution goes with it")


Route = tuple[str, str, Any]
ROUTES: tuple[Route, ...] = (
    ("GET", "/executions/search", search),
    ("GET", "/executions", of_flow),
    ("POST", "/executions/{namespace}/{flow_id}", create),
    ("GET", "/executions/{execution_id}", one),
    ("DELETE", "/executions/{execution_id}", delete),
)
