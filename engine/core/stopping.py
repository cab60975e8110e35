"""Kill: what waits is KILLED at once, what runs is told to stop, and the rest follows as the answers come in."""

from __future__ import annotations

from engine.core.draft import Draft
from engine.core.settle import ROOT
from engine.model.commands import StopTask
from engine.model.events import KillRequested
from engine.model.flow import Container
from engine.model.state import State


def kill_requested(draft: Draft, event: KillRequested) -> None:
    if draft.state is State.KILLING:
        return
    draft.log("WARN", f"the execution is being stopped: {event.reason}")
    draft.move_execution(State.KILLING)
    for run in draft.snapshot().in_order():
        if run.is_terminal:
            continue
        if run.state is not State.RUNNING:
            draft.move(run, State.KILLED, due=None)
        else:
            draft.move(run, State.KILLING)
            if isinstance(draft.task(run), Container):
                draft.unsettle_children(run)
            else:
                draft.command(StopTask(run.id, run.epoch))
    draft.unsettle(ROOT)
