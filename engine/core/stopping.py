"""Ending an execution before its tasks are done: kill, and whatever else says how it is to end.

What waits is KILLED at once, what runs is told to stop, and the rest follows as the answers come in.
"""

from __future__ import annotations

from engine.core.draft import Draft
from engine.core.ledger import ScopeKey
from engine.model.commands import StopFlows, StopTask
from engine.model.events import KillRequested
from engine.model.execution import TaskRun
from engine.model.flow import Container
from engine.model.state import State
from engine.model.tree import ON_PAUSE

ROOT = ScopeKey(None)


def kill_requested(draft: Draft, event: KillRequested) -> None:
    if draft.state is State.KILLING:
        return
    draft.log("WARN", f"the execution is being stopped: {event.reason}")
    kill(draft)


def kill(draft: Draft) -> None:
    """Stop everything; the execution ends KILLED, whatever it was about to end in. One that was retried stays so."""
    if draft.execution.ending is not State.RETRIED and not draft.execution.is_terminal:
        draft.change_execution(ending=None)
    stop(draft)


def end_as(draft: Draft, state: State, reason: str) -> None:
    """Stop everything; the execution ends in `state`."""
    if draft.state is State.KILLING or draft.execution.is_terminal:
        return
    draft.log("ERROR" if state is State.FAILED else "WARN", reason)
    draft.change_execution(ending=state, error=reason if state is State.FAILED else draft.execution.error)
    stop(draft)


def stop(draft: Draft) -> None:
    """Tell everything to stop that has not ended. What comes after an execution can be stopped too."""
    if not draft.execution.lingering:
        draft.move_execution(State.KILLING, held=False, due=None)
    for run in draft.snapshot().in_order():
        if run.is_terminal or run.state is State.KILLING:
            continue
        if not _is_at_work(draft, run):
            draft.move(run, State.KILLED, due=None)
        else:
            draft.move(run, State.KILLING, due=None)
            if isinstance(draft.task(run), Container):
                draft.unsettle_children(run)
            elif run.calls is not None:
                draft.command(StopFlows(run.id, run.epoch, run.calls))
            else:
                draft.command(StopTask(run.id, run.epoch))
    draft.unsettle(ROOT)


def end_when_idle(draft: Draft, state: State) -> None:
    """Nothing starts any more; what runs goes on to its end, and then the execution ends in `state`."""
    draft.change_execution(ending=state)
    for run in draft.snapshot().in_order():
        if not (run.is_terminal or run.state is State.RUNNING):
            draft.move(run, State.RUNNING if _is_at_work(draft, run) else State.KILLED, due=None)
    draft.unsettle_all()


def _is_at_work(draft: Draft, run: TaskRun) -> bool:
    """Whether there is something to wait for: it runs, or it is paused and what runs `onPause` does."""
    return run.state is State.RUNNING or draft.tally(ScopeKey(run.id), ON_PAUSE).live > 0
