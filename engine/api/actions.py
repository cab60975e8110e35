"""The routes by which persons interfere with executions; each is done when it is answered, or refused.

Always true: an action has one handler, served as `/{execution_id}/actions/NAME` (Kestra 2.0) and
`/{execution_id}/NAME` (before it).
"""

from __future__ import annotations

from collections.abc import Mapping

from anyio.to_thread import run_sync as in_thread
from starlette.requests import Request

from engine.api.answers import Json, Refusal
from engine.api.reading import Form, engine_of, form_in, inputs_for, inputs_from, json_of, object_of, word_of
from engine.app import Engine
from engine.model.execution import Execution
from engine.model.flow import Pause
from engine.model.inputs import Input
from engine.model.state import State
from engine.present import execution_json

# Kestra's names of parameters are what they are.
# ruff: noqa: N803

_BY = "the API"


def kill(request: Request, execution_id: str) -> Json:
    """Have an execution stop, with those that it waits for."""
    engine = engine_of(request)
    engine.kill(execution_id)
    return Json(execution_json(engine.execution(execution_id)))


def pause(request: Request, execution_id: str) -> Json:
    """Let nothing new start until the execution is resumed."""
    return Json(execution_json(engine_of(request).pause(execution_id, by=_BY)))


async def resume(request: Request, execution_id: str) -> Json:
    """Let a paused execution go on, with what its pause asks for as a form."""
    async with form_in(request) as form:
        return Json(execution_json(await in_thread(_resume, engine_of(request), execution_id, form)))


def _resume(engine: Engine, execution_id: str, form: Form) -> Execution:
    return engine.resume(execution_id, inputs_for(form, _asked_for(engine, execution_id)), by=_BY)


def _asked_for(engine: Engine, execution_id: str) -> Mapping[str, Input]:
    """What the pauses of an execution's flow ask for."""
    places = engine.library.flow_of(engine.execution(execution_id)).tree.places.values()
    pauses = (place.task for place in places if isinstance(place.task, Pause))
    return {asked.id: asked for pause in pauses for asked in pause.on_resume}


def restart(request: Request, execution_id: str, revision: int | None = None) -> Json:
    """Run again what failed; with a revision, as a new execution."""
    return Json(execution_json(engine_of(request).restart(execution_id, revision, by=_BY)))


def replay(request: Request, execution_id: str, taskRunId: str | None = None, revision: int | None = None) -> Json:
    """Do an execution again, as a new one: from the start, or from a task run on."""
    return Json(execution_json(engine_of(request).replay(execution_id, taskRunId, revision=revision)))


async def replay_with_inputs(
    request: Request, execution_id: str, taskRunId: str | None = None, revision: int | None = None
) -> Json:
    """The same with other inputs, which come as a form."""
    engine = engine_of(request)

    def again(form: Form) -> Execution:
        flow = engine.library.flow_of(engine.execution(execution_id), revision)
        return engine.replay(execution_id, taskRunId, revision=revision, inputs=inputs_from(form, flow))

    async with form_in(request) as form:
        return Json(execution_json(await in_thread(again, form)))


def force_run(request: Request, execution_id: str) -> Json:
    """Begin an execution that waits for its time or its place; let a paused one go on."""
    return Json(execution_json(engine_of(request).force_run(execution_id, by=_BY)))


def unqueue(request: Request, execution_id: str, state: str = "RUNNING") -> Json:
    """Begin an execution that is QUEUED for a place."""
    if state != State.RUNNING:
        raise Refusal(422, f"what is QUEUED can only become RUNNING here, not {state!r}")
    return Json(execution_json(engine_of(request).unqueue(execution_id, by=_BY)))


def change_status(request: Request, execution_id: str, status: str) -> Json:
    """Give an execution that has ended another final state."""
    return Json(execution_json(engine_of(request).change_status(execution_id, _state(status), by=_BY)))


async def change_task_run(request: Request, execution_id: str) -> Json:
    """Take a task run for one that ended so, and go on from there."""
    engine, body = engine_of(request), object_of(await json_of(request))
    run_id, state = (word_of(body, name) for name in ("taskRunId", "state"))
    changed = await in_thread(lambda: engine.change_task_run(execution_id, run_id, _state(state), by=_BY))
    return Json(execution_json(changed))


async def set_labels(request: Request, execution_id: str) -> Json:
    """Merge labels into those of an execution that has ended."""
    engine, body = engine_of(request), await json_of(request)
    pairs = [object_of(each) for each in body] if isinstance(body, list) else None
    if pairs is None:
        raise Refusal(422, "labels come as a list of {key, value}")
    labels = {word_of(pair, "key"): word_of(pair, "value") for pair in pairs}
    return Json(execution_json(await in_thread(_set_labels, engine, execution_id, labels)))


def _set_labels(engine: Engine, execution_id: str, labels: Mapping[str, str]) -> Execution:
    if not engine.execution(execution_id).is_over:
        raise Refusal(400, f"execution {execution_id} has not ended; only then can its labels be changed")
    return engine.set_labels(execution_id, labels)


def _state(text: str) -> State:
    try:
        return State(text)
    except ValueError:
        raise Refusal(422, f"there is no state {text!r}", reason="Invalid format") from None


_ACTIONS = (
    ("DELETE", "kill", kill),
    ("POST", "pause", pause),
    ("POST", "resume", resume),
    ("POST", "restart", restart),
    ("POST", "replay", replay),
    ("POST", "replay-with-inputs", replay_with_inputs),
    ("POST", "force-run", force_run),
    ("POST", "unqueue", unqueue),
    ("POST", "change-status", change_status),
    ("POST", "state", change_task_run),
    ("POST", "labels", set_labels),
)
ROUTES = tuple(
    (method, f"/executions/{{execution_id}}/{where}{name}", handler)
    for method, name, handler in _ACTIONS
    for where in ("actions/", "")
)
