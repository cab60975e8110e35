"""The routes about what starts flows by itself: look at it, switch it, have dates made up for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from anyio.to_thread import run_sync as in_thread
from msgspec import Struct
from starlette.requests import Request

from engine.api.answers import Json, Refusal
from engine.api.paging import Page, envelope
from engine.api.reading import engine_of, json_of, object_of, word_of
from engine.api.searching import TRIGGERS, instant, searched
from engine.app import Engine
from engine.model.scheduling import TriggerKey
from engine.model.search import fits
from engine.present import trigger_json, trigger_state_json
from engine.runtime.triggers import DeployedTrigger

# Kestra's names of parameters are what they are.

SORTABLE = {
    "namespace": "namespace",
    "flowId": "flow_id",
    "triggerId": "trigger_id",
    "nextEvaluationDate": "next_at",
    "nextExecutionDate": "next_at",
}
_NEVER = datetime.max.replace(tzinfo=UTC)


class _Row(Struct, frozen=True):
    """What a list of triggers is searched and sorted by."""

    found: DeployedTrigger
    namespace: str
    flow_id: str
    trigger_id: str
    state: str
    next_at: datetime

    @classmethod
    def of(cls, found: DeployedTrigger) -> _Row:
        state = found.state
        next_at = state.next_at if state is not None and state.next_at is not None else _NEVER
        return cls(found, *found.key, "ENABLED" if found.is_on else "DISABLED", next_at)


def search(request: Request) -> Json:
    """The triggers of deployed flows that the filters mean, in pages."""
    page = Page.of(request, SORTABLE)
    wanted = searched(request, TRIGGERS, datetime.now(UTC))
    rows = [row for row in map(_Row.of, engine_of(request).triggers.all()) if fits(wanted, row)]
    for field, falling in reversed(page.sort):
        rows.sort(key=lambda row: getattr(row, SORTABLE[field]), reverse=falling)
    shown = [_pair(row.found) for row in rows[page.offset : page.end]]
    return Json(envelope(shown, len(rows)))


def _pair(found: DeployedTrigger) -> dict[str, Any]:
    """A trigger and how far it has come, by Kestra's names of today and those before 2.0."""
    trigger, state = trigger_json(found.flow, found.trigger), _state(found)
    return {"trigger": trigger, "state": state, "abstractTrigger": trigger, "triggerContext": state}


def _state(found: DeployedTrigger) -> dict[str, Any]:
    return trigger_state_json(found.key, found.state, disabled=not found.is_on)


def of_flow(request: Request, namespace: str, flow_id: str) -> Json:
    """How far the triggers of a flow have come, in pages."""
    page, q = Page.of(request, SORTABLE), request.query_params.get("q", "")
    found = [
        one
        for one in engine_of(request).triggers.all(namespace, flow_id)
        if one.key.namespace == namespace and q in one.key.trigger_id
    ]
    return Json(envelope([_state(one) for one in found[page.offset : page.end]], len(found)))


async def set_disabled(request: Request) -> Json:
    """Switch a trigger off, or on again."""
    return await _answered(request, lambda engine, key, body: _switch(engine, key, _flag(body)))


async def update(request: Request) -> Json:
    """The same for clients before 2.0, which send the whole trigger, perhaps with a backfill."""

    def change(engine: Engine, key: TriggerKey, body: Mapping[str, Any]) -> None:
        if body.get("backfill") is not None:
            _backfill(engine, key, body)
        else:
            _switch(engine, key, _flag(body))

    return await _answered(request, change)


async def create_backfill(request: Request) -> Json:
    """Start an execution for each date that a Schedule had in a span of time."""
    return await _answered(request, _backfill)


async def pause_backfill(request: Request) -> Json:
    """Make up for no further date until the backfill is unpaused."""
    return await _answered(request, lambda engine, key, _: engine.triggers.pause_backfill(key))


async def unpause_backfill(request: Request) -> Json:
    """Go on with a backfill."""
    return await _answered(request, lambda engine, key, _: engine.triggers.pause_backfill(key, paused=False))


async def delete_backfill(request: Request) -> Json:
    """Make up for nothing more; what has begun goes on."""
    return await _answered(request, lambda engine, key, _: engine.triggers.delete_backfill(key))


async def _answered(request: Request, change: Callable[[Engine, TriggerKey, Mapping[str, Any]], object]) -> Json:
    """Change the trigger that the body names, and answer with how it is then."""
    engine, body = engine_of(request), object_of(await json_of(request))
    key = TriggerKey(*(word_of(body, name) for name in ("namespace", "flowId", "triggerId")))

    def changed() -> dict[str, Any]:
        engine.triggers.one(key)
        change(engine, key, body)
        return _state(engine.triggers.one(key))

    return Json(await in_thread(changed))


def _switch(engine: Engine, key: TriggerKey, disabled: bool) -> None:
    (engine.triggers.disable if disabled else engine.triggers.enable)(key)


def _flag(body: Mapping[str, Any]) -> bool:
    disabled = body.get("disabled")
    if not isinstance(disabled, bool):
        raise Refusal(422, "disabled is true or false", reason="Invalid json")
    return disabled


def _backfill(engine: Engine, key: TriggerKey, body: Mapping[str, Any]) -> None:
    wanted = object_of(body.get("backfill"))
    start = instant("start", word_of(wanted, "start"))
    end = instant("end", word_of(wanted, "end")) if wanted.get("end") is not None else datetime.now(UTC)
    inputs, labels = object_of(wanted.get("inputs") or {}), _labels(wanted.get("labels") or [])
    engine.triggers.backfill(key, start, end, inputs, labels)


def _labels(pairs: Any) -> dict[str, str]:
    if not isinstance(pairs, Sequence) or isinstance(pairs, str):
        raise Refusal(422, "labels come as a list of {key, value}", reason="Invalid json")
    return {word_of(object_of(pair), "key"): word_of(object_of(pair), "value") for pair in pairs}


ROUTES = (
    ("GET", "/triggers/search", search),
    ("PUT", "/triggers/set-disabled", set_disabled),
    ("PUT", "/triggers", update),
    ("PUT", "/triggers/backfill/create", create_backfill),
    ("PUT", "/triggers/backfill/pause", pause_backfill),
    ("PUT", "/triggers/backfill/unpause", unpause_backfill),
    ("POST", "/triggers/backfill/delete", delete_backfill),
    ("GET", "/triggers/{namespace}/{flow_id}", of_flow),
)
