"""Why has an execution not ended? Each has a reason, or is stuck. Pure, but for what it asks of its surroundings."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from msgspec import Struct

from engine.model.execution import Execution
from engine.model.state import State
from engine.runtime.diagnosis.finding import Finding

#: How late an engine may be with what is due.
PATIENCE = timedelta(minutes=1)


class Surroundings(Struct, frozen=True, kw_only=True):
    """What must be known beside an execution. Asked only as far as needed."""

    now: datetime
    mover: Callable[[str], str | None]  #: the engine that moves an execution, as people call it; None: no engine does
    holders: Callable[[Execution], list[str]]  #: who has the places of its flow, but for itself


def explanation(execution: Execution, around: Surroundings) -> str | Finding:
    """What an execution that is not over has that will move it; a finding when there is nothing."""
    if execution.awaits_decision:
        return "a person to decide"
    due = _due(execution)
    if due is not None and due > around.now - PATIENCE:
        return "a time that will come"
    mover = around.mover(execution.id)
    if mover is not None:
        return mover
    if execution.state is State.QUEUED and around.holders(execution):
        return "others in its place"
    return Finding(
        what=f"execution {execution.id} ({execution.namespace}/{execution.flow_id}) is {execution.state}, "
        f"{_since(execution, around.now)}, and no engine moves it" + (f"; it was due at {due}" if due else ""),
        hint="`penstock executions recover` goes on with it, as `penstock server` does when it starts; "
        f"`penstock executions kill {execution.id}` ends it.",
        execution_id=execution.id,
    )


def _due(execution: Execution) -> datetime | None:
    """When it goes on by itself: None when it waits for no time, or works meanwhile."""
    if execution.due is not None and execution.state in (State.CREATED, State.QUEUED):
        return execution.due
    if any(run.attempts and run.attempts[-1].ended_at is None for run in execution.task_runs.values()):
        return None
    return min((run.due for run in execution.task_runs.values() if run.due is not None), default=None)


def _since(execution: Execution, now: datetime) -> str:
    moved = max([execution.history[-1].at, *(run.history[-1].at for run in execution.task_runs.values())])
    seconds = int((now - moved).total_seconds())
    return f"has not moved for {timedelta(seconds=max(seconds, 0))}"
