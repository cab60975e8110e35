"""Promises about executions (`sla`): how long one may take, and what must be so whenever it has changed.

The first promise that is broken counts: a label of the engine's remembers it, and no other is judged after it.
"""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise

from engine.core.draft import Draft
from engine.core.labels import BROKEN_SLA
from engine.core.starting import PENDING, Unanswerable, ask
from engine.core.stopping import end_as
from engine.expressions import truthy
from engine.model.commands import SetDeadline
from engine.model.duration import parse_duration
from engine.model.events import DeadlinePassed, Evaluated, Event
from engine.model.execution import Execution
from engine.model.flow import Flow
from engine.model.policy import Sla
from engine.model.state import TERMINAL, State

#: How an assertion is named when a worker must evaluate it: this, and the id of the promise.
ASSERTION = "sla."


def is_open(execution: Execution) -> bool:
    """Whether promises are still judged."""
    over = execution.is_terminal or execution.state is State.KILLING or execution.ending is not None
    return not over and BROKEN_SLA not in execution.labels


def watch(draft: Draft) -> None:
    """Set the deadlines."""
    if not draft.flow.sla or not is_open(draft.execution):
        return
    for sla in draft.flow.sla:
        if sla.duration is not None:
            draft.command(SetDeadline(sla.id, _deadline(draft, sla.duration)))


def _deadline(draft: Draft, duration: str) -> datetime:
    """It counts from when the execution began, or would have if it had had a place; or from its restart."""
    history = draft.execution.history
    restarts = (new.at for old, new in pairwise(history) if new.state is State.RESTARTED and old.state in TERMINAL)
    begun = next((at for state, at in history if state is not State.CREATED), draft.at)
    return max(restarts, default=begun) + parse_duration(duration)


def deadline_passed(draft: Draft, event: DeadlinePassed) -> None:
    sla = promise(draft.flow, event.sla_id)
    if sla is None or sla.duration is None or not is_open(draft.execution):
        return
    if event.at >= _deadline(draft, sla.duration):  # else it was set before a restart
        _broken(draft, sla, f"it takes longer than {sla.duration}")


def judge(draft: Draft, event: Event) -> None:
    """Whether what must always be so still is, after `event` has moved something and before anything follows."""
    answered = event if isinstance(event, Evaluated) and event.name.startswith(ASSERTION) else None
    for sla in draft.flow.sla:
        if sla.assert_ is None or not is_open(draft.execution):
            continue
        if answered.name == ASSERTION + sla.id if answered is not None else draft.has_moved:
            _judge(draft, sla, answered)


def _judge(draft: Draft, sla: Sla, answered: Evaluated | None) -> None:
    try:
        value = ask(draft, None, ASSERTION + sla.id, sla.assert_, answered)
    except Unanswerable:
        return  # it reads what is not there yet
    if value is not PENDING and not truthy(value):
        _broken(draft, sla, f"`{sla.assert_}` does not hold")


def _broken(draft: Draft, sla: Sla, why: str) -> None:
    draft.change_execution(labels={**draft.execution.labels, **sla.labels, BROKEN_SLA: sla.id})
    reason = f"the promise `{sla.id}` is broken: {why}"
    if sla.behavior == "NONE":
        draft.log("WARN", reason)
    else:
        end_as(draft, State.FAILED if sla.behavior == "FAIL" else State.CANCELLED, reason)


def promise(flow: Flow, sla_id: str) -> Sla | None:
    return next((sla for sla in flow.sla if sla.id == sla_id), None)
