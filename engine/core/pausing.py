"""Waiting and going on: the end of a pause, by a person or by its time, and the hold that a person puts on everything.

Who resumed a task, and when, is kept in its outputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.core.draft import Draft
from engine.core.ending import end_run
from engine.core.flowable import pause
from engine.core.ledger import ScopeKey
from engine.core.recovery import commands_anew, repeat, was_lost
from engine.core.stopping import end_as
from engine.model.events import PauseRequested, ResumeRequested
from engine.model.execution import TaskRun
from engine.model.flow import Pause
from engine.model.state import State
from engine.model.tree import ON_PAUSE


def waited(draft: Draft, run: TaskRun) -> None:
    """The time of a paused task run is over."""
    task = draft.task(run)
    if not isinstance(task, Pause):
        draft.unsettle_children(draft.move(run, State.RUNNING, due=None))  # the next round
        return
    if pause.expired(run) == "CANCEL" and not draft.execution.is_terminal:
        if not draft.tally(ScopeKey(run.id), ON_PAUSE).live:
            end_run(draft, run, State.CANCELLED)
        end_as(draft, State.CANCELLED, f"the pause of `{task.id}` is over, and its `behavior` is CANCEL")
    else:
        _go_on(draft, run, run.outputs)


def _go_on(draft: Draft, run: TaskRun, outputs: Mapping[str, Any] | None) -> None:
    draft.unsettle_children(draft.move(run, State.RUNNING, due=None, outputs=outputs))


def resume_requested(draft: Draft, event: ResumeRequested) -> None:
    """Let go what a person holds, or else end one pause: the one that is named, or the first."""
    if draft.execution.held:
        draft.change_execution(held=False)
        restarted(draft)
        return
    run = paused_run(draft, event.task_run_id)
    if run is None:
        return
    draft.log("INFO", f"resumed by {event.by or 'somebody'}", run)
    if draft.state is State.PAUSED:
        draft.move_execution(State.RESTARTED)
        draft.move_execution(State.RUNNING)
    if was_lost(run):
        repeat(draft, draft.move(run, State.CREATED))
        return
    resumed = {"by": event.by, "on": event.at.isoformat().replace("+00:00", "Z")}
    outputs = {"resumed": {key: value for key, value in resumed.items() if value is not None}}
    if event.inputs is not None:
        outputs["onResume"] = dict(event.inputs)
    _go_on(draft, run, outputs)


def paused_run(draft: Draft, task_run_id: str | None) -> TaskRun | None:
    """What waits for a person and is meant: the one that is named, or the first that began."""
    paused = [
        run
        for run in draft.task_runs.values()
        if run.state is State.PAUSED and task_run_id in (None, run.id)
        if isinstance(draft.task(run), Pause) or was_lost(run)
    ]
    return min(paused, key=lambda run: run.seq, default=None)


def pause_requested(draft: Draft, event: PauseRequested) -> None:
    """From now on nothing starts. What runs ends as it will."""
    if draft.state in (State.RUNNING, State.PAUSED) and not draft.execution.held:
        draft.log("INFO", f"paused by {event.by or 'somebody'}")
        draft.move_execution(State.PAUSED, held=True)


def restarted(draft: Draft) -> None:
    """The execution may go on: derive again all that must happen from what is there."""
    if draft.state is State.PAUSED:
        draft.move_execution(State.RESTARTED)
    draft.move_execution(State.RUNNING)
    commands_anew(draft)
