"""How an execution begins: at its time, when it has a place among the executions of its flow, or not at all.

Who has a place is counted outside; what follows when there is none is decided here, by the flow's `concurrency`.
"""

from __future__ import annotations

from engine.core.closing import finish
from engine.core.draft import Draft
from engine.core.recovery import commands_anew
from engine.core.sla import watch
from engine.model.commands import StartLater
from engine.model.events import ExecutionStarted, PlaceRefused
from engine.model.execution import Execution
from engine.model.state import State

#: An execution in one of these states waits to begin. RESTARTED: it does again what another one did.
WAITING = frozenset({State.CREATED, State.RESTARTED, State.QUEUED})
_REFUSED = {"CANCEL": State.CANCELLED, "FAIL": State.FAILED}


def waits_for_place(execution: Execution) -> bool:
    """Whether it would begin, if it had a place."""
    return execution.state in WAITING and execution.ending is None


def execution_started(draft: Draft, event: ExecutionStarted) -> None:
    execution = draft.execution
    if execution.state not in WAITING:
        return
    if execution.ending is not None:  # it was created to end so
        if execution.error is not None:
            draft.log("ERROR", execution.error)
        finish(draft, execution.ending)
    elif execution.due is not None and execution.due > event.at:
        draft.command(StartLater(execution.due))
    else:
        draft.move_execution(State.RUNNING, due=None)
        commands_anew(draft)


def place_refused(draft: Draft, event: PlaceRefused) -> None:
    """There is no room under the flow's limit."""
    limits = draft.flow.concurrency
    if limits is None or draft.state not in WAITING - {State.QUEUED}:
        return
    others = ", ".join(event.holders)
    why = f"the flow runs at most {limits.limit} at once, and its places are taken by {others}"
    if limits.behavior == "QUEUE":
        draft.log("INFO", f"waits for a place: {why}")
        draft.move_execution(State.QUEUED, due=None)
        watch(draft)
        return
    state = _REFUSED[limits.behavior]
    draft.log("ERROR" if state is State.FAILED else "WARN", why)
    finish(draft, state, error=why if state is State.FAILED else None)
