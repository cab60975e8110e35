"""The end of an execution whose flow cannot be read any more: nothing can be decided for it but that it is over."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec.structs import replace

from engine.core.recovery import still_run
from engine.model.execution import Attempt, Execution, StateChange, TaskRun
from engine.model.state import AttemptState, State

_ENDS = {State.KILLED: AttemptState.KILLED, State.FAILED: AttemptState.FAILED}


def killed_without_flow(
    execution: Execution, at: datetime, reason: str, alive: Mapping[str, tuple[int, ...]]
) -> Execution:
    """The execution as one that was killed. `alive` are processes that could not be ended: their task runs FAILED."""
    runs = execution.task_runs
    for run in execution.in_order():
        if not run.is_terminal:
            pids = alive.get(run.id)
            runs = runs.insert(run.id, _ended(run, at, still_run(pids) if pids else None))
    return replace(
        execution,
        state=State.KILLED,
        history=(*execution.history, StateChange(State.KILLED, at)),
        error=reason,
        held=False,
        due=None,
        ending=None,
        task_runs=runs,
        tallies=None,
    )


def _ended(run: TaskRun, at: datetime, error: str | None) -> TaskRun:
    state = State.KILLED if error is None else State.FAILED
    return replace(
        run,
        state=state,
        history=(*run.history, StateChange(state, at)),
        error=error or run.error,
        due=None,
        attempts=tuple(_closed(attempt, at, _ENDS[state]) for attempt in run.attempts),
    )


def _closed(attempt: Attempt, at: datetime, state: AttemptState) -> Attempt:
    return attempt if attempt.ended_at is not None else replace(attempt, state=state, ended_at=at)
