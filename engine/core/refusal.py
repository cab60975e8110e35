"""Why something that a person asks of an execution does not fit it: asked before the event is decided.

`decide` itself ignores what does not fit, as it ignores anything stale; a person must be told. Who asks again because
no answer came asks with the same event: its time, which the asker made, tells it from any other, and the histories
keep it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.core.claims import is_at_work
from engine.core.draft import Draft
from engine.core.facts import Facts
from engine.core.pausing import paused_run
from engine.core.restarting import ENDS, to_restart, unchangeable
from engine.model.events import (
    Event,
    KillRequested,
    PauseRequested,
    ProcessStarted,
    RestartRequested,
    ResumeRequested,
    StartForced,
    StatusChanged,
    TaskRunChanged,
)
from engine.model.execution import Execution, StateChange, TaskRun
from engine.model.flow import Flow
from engine.model.state import State


def refusal(flow: Flow, execution: Execution, event: Event, facts: Facts) -> str | None:
    """The reason, as the end of a sentence that begins with the execution; None when the event fits."""
    judge = _JUDGES.get(type(event))
    return judge(Draft(flow, execution, facts, event.at), event) if judge is not None else None


def was_done(execution: Execution, event: Event) -> bool:
    """Whether this very request has moved the execution already."""
    run_id = event.task_run_id if isinstance(event, (TaskRunChanged, ResumeRequested)) else None
    moved: Execution | TaskRun | None = execution if run_id is None else execution.task_runs.get(run_id)
    states = (event.state,) if isinstance(event, (TaskRunChanged, StatusChanged)) else _LEADS_TO.get(type(event), ())
    return moved is not None and any(StateChange(state, event.at) in moved.history for state in states)


def _kill(draft: Draft, event: KillRequested) -> str | None:
    if draft.execution.is_over:
        return f"has ended already, as {draft.state}"
    return "is being stopped already" if draft.state is State.KILLING else None


def _pause(draft: Draft, event: PauseRequested) -> str | None:
    if draft.execution.held:
        return "is paused already"
    if draft.state not in (State.RUNNING, State.PAUSED):
        return f"is {draft.state}; only one that is RUNNING can be paused"
    return None


def _resume(draft: Draft, event: ResumeRequested) -> str | None:
    if draft.execution.held:
        return None
    if draft.execution.is_over:
        return f"has ended, as {draft.state}; only a paused one can be resumed"
    if paused_run(draft, event.task_run_id) is None:
        which = f" no pause {event.task_run_id}" if event.task_run_id is not None else " nothing that is paused"
        return f"is {draft.state} and has{which}"
    return None


def _restart(draft: Draft, event: RestartRequested) -> str | None:
    if not (draft.execution.is_over or draft.state is State.PAUSED):
        return f"is {draft.state}; one that still runs cannot be restarted"
    if State.RETRIED in (draft.state, draft.execution.ending):
        return "was retried as another execution; restart that one"
    if not to_restart(draft):
        return f"is {draft.state} and has no task that failed, was killed or is paused: nothing to restart"
    return None


def _status(draft: Draft, event: StatusChanged) -> str | None:
    if not draft.execution.is_over:
        return f"is {draft.state}; only the state of one that has ended can be changed"
    if event.state not in ENDS:
        return f"cannot be set to {event.state}, which is no end that a person may give"
    return f"is {draft.state} already" if event.state is draft.state else None


def _process(draft: Draft, event: ProcessStarted) -> str | None:
    run = draft.task_runs.get(event.task_run_id)
    if run is None or not is_at_work(run, event.epoch):
        return f"has gone on without the attempt {event.epoch} of {event.task_run_id}"
    return None


def _force(draft: Draft, event: StartForced) -> str | None:
    if draft.state not in (State.CREATED, State.QUEUED):
        return f"is {draft.state}; only one that waits to begin can be made to"
    return None


#: The states that each may give to what it moves, where the event does not name it. A label may be set twice.
_LEADS_TO: dict[type[Event], tuple[State, ...]] = {
    KillRequested: (State.KILLING,),
    PauseRequested: (State.PAUSED,),
    ResumeRequested: (State.RUNNING, State.CREATED),  # CREATED: what was lost runs again
    RestartRequested: (State.RESTARTED,),
    StartForced: (State.RUNNING,),
}
_JUDGES: dict[type[Event], Callable[[Draft, Any], str | None]] = {
    KillRequested: _kill,
    PauseRequested: _pause,
    ResumeRequested: _resume,
    RestartRequested: _restart,
    TaskRunChanged: unchangeable,
    StatusChanged: _status,
    ProcessStarted: _process,
    StartForced: _force,
}
