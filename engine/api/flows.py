"""The routes about flows: what is stored, at which revision, and whether a text is a flow at all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from anyio.to_thread import run_sync as in_thread
from starlette.requests import Request
from starlette.responses import Response

from engine.api.answers import Json, Refusal
from engine.api.paging import Page, envelope
from engine.api.reading import engine_of, text_of
from engine.api.searching import flows_that_fit
from engine.app import Engine
from engine.check import check
from engine.dialect import Parsed, parse
from engine.errors import PenstockError
from engine.model.diagnostic import Diagnostic
from engine.model.flow import Flow
from engine.ports import FlowRecord
from engine.present import definition_json

_DOCUMENT_END = re.compile(r"^---[ \t]*\r?$", re.MULTILINE)


def one(request: Request, namespace: str, flow_id: str, source: bool = False, revision: int | None = None) -> Json:
    """A flow, by default its newest revision; its text with `source=true`."""
    return Json(definition_json(_stored(engine_of(request), namespace, flow_id, revision), with_source=source))


def revisions(request: Request, namespace: str, flow_id: str) -> Json:
    """All revisions of a flow, the oldest first."""
    engine = engine_of(request)
    newest = _stored(engine, namespace, flow_id)
    older = (engine.store.flow(namespace, flow_id, number) for number in range(1, newest.revision))
    return Json([definition_json(record, with_source=True) for record in [*older, newest] if record is not None])


def of_namespace(request: Request, namespace: str) -> Json:
    """The flows of exactly this namespace."""
    records = engine_of(request).store.flows(namespace)
    return Json([definition_json(record) for record in records if record.namespace == namespace])


def search(request: Request) -> Json:
    """The flows that the filters mean, in pages."""
    page = Page.of(request, sortable={"id", "namespace"})
    found = flows_that_fit(request, engine_of(request).store.flows())
    for field, descending in reversed(page.sort):
        found.sort(key=lambda record: record.id if field == "id" else record.namespace, reverse=descending)
    return Json(envelope([definition_json(record) for record in found[page.offset : page.end]], len(found)))


async def create(request: Request) -> Json:
    """Store a new flow, and switch its triggers on."""
    return Json(await in_thread(_create, engine_of(request), await text_of(request)))


def _create(engine: Engine, source: str) -> Any:
    flow = engine.parse(source, file="body")
    if engine.store.flow(flow.namespace, flow.id) is not None:
        raise Refusal(
            422, f"the flow {flow.namespace}/{flow.id} exists already; PUT changes it", reason="Invalid entity"
        )
    return _pushed(engine, flow)


async def update(request: Request, namespace: str, flow_id: str) -> Json:
    """Store a new revision of a flow, unless nothing has changed, and switch its triggers on."""
    return Json(await in_thread(_update, engine_of(request), namespace, flow_id, await text_of(request)))


def _update(engine: Engine, namespace: str, id_: str, source: str) -> Any:
    _stored(engine, namespace, id_)
    flow = engine.parse(source, file="body")
    if (flow.namespace, flow.id) != (namespace, id_):
        raise Refusal(
            422,
            f"the text is about {flow.namespace}/{flow.id}, the path about {namespace}/{id_}",
            reason="Invalid entity",
        )
    return _pushed(engine, flow)


def _pushed(engine: Engine, flow: Flow) -> Any:
    engine.push(flow)
    return definition_json(_stored(engine, flow.namespace, flow.id), with_source=True)


def delete(request: Request, namespace: str, flow_id: str) -> Response:
    """Delete a flow; its executions stay, with the revision that they run."""
    engine_of(request).delete_flow(namespace, flow_id)
    return Response(status_code=204)


async def validate(request: Request) -> Json:
    """What is wrong with each of the flows in the body; 200 also when something is."""
    return Json(await in_thread(_validate, engine_of(request), await text_of(request)))


def _validate(engine: Engine, text: str) -> list[Any]:
    return [_verdict(engine, index, document) for index, document in enumerate(_documents(text))]


def _documents(text: str) -> Iterator[str]:
    """Each document of the text, with every line where it was."""
    begin = 0
    for end in [*(found.span() for found in _DOCUMENT_END.finditer(text)), (len(text), len(text))]:
        document = text[begin : end[0]]
        if document.strip():
            yield "\n" * text.count("\n", 0, begin) + document
        begin = end[1]


def _verdict(engine: Engine, index: int, document: str) -> Any:
    defaults = engine.settings.plugin_defaults
    try:
        parsed = parse(document, file="body", types=engine.catalog, defaults=defaults)
        found = [*parsed.diagnostics, *check(parsed, engine.catalog)]
    except PenstockError as error:
        return {"index": index, "constraints": error.message}
    by_severity = {kind: [_line(one) for one in found if one.severity == kind] for kind in ("error", "warning", "info")}
    return {
        "index": index,
        **_name(parsed),
        **({"constraints": "\n".join(by_severity["error"])} if by_severity["error"] else {}),
        "outdated": False,
        "deprecationPaths": [],
        "warnings": by_severity["warning"],
        "infos": by_severity["info"],
    }


def _name(parsed: Parsed) -> dict[str, Any]:
    data = parsed.document.data if parsed.document else None
    told = data if isinstance(data, dict) else {}
    return {shown: told[key] for key, shown in (("namespace", "namespace"), ("id", "flow")) if key in told}


def _line(found: Diagnostic) -> str:
    hint = f" ({found.hint})" if found.hint else ""
    return f"{found.line}:{found.column}: {found.message}{hint}"


def _stored(engine: Engine, namespace: str, id_: str, revision: int | None = None) -> FlowRecord:
    record = engine.store.flow(namespace, id_, revision)
    if record is None:
        which = "" if revision is None else f" with revision {revision}"
        raise Refusal(404, f"there is no flow {namespace}/{id_}{which}")
    return record


#: Words win over names: what is written first is looked at first.
ROUTES = (
    ("GET", "/flows/search", search),
    ("POST", "/flows/validate", validate),
    ("POST", "/flows", create),
    ("GET", "/flows/{namespace}", of_namespace),
    ("GET", "/flows/{namespace}/{flow_id}", one),
    ("PUT", "/flows/{namespace}/{flow_id}", update),
    ("DELETE", "/flows/{namespace}/{flow_id}", delete),
    ("GET", "/flows/{namespace}/{flow_id}/revisions", revisions),
)
