"""Which task runs may be claimed by a worker, and what a claim makes of one.

The epoch decides: a claim must be exactly one above the task run's.
"""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from engine.core.draft import Draft
from engine.model.execution import Attempt, Execution, StateChange, TaskRun
from engine.model.flow import Flow
from engine.model.state import AttemptState, State


def claimed(run: TaskRun, epoch: int, at: datetime) -> TaskRun:
    """A task run whose attempt has just begun."""
    attempt = Attempt(epoch=epoch, state=AttemptState.STARTED, started_at=at)
    history = (*run.history, StateChange(State.RUNNING, at))
    attempts = (*run.attempts, attempt)
    return replace(run, state=State.RUNNING, epoch=epoch, history=history, attempts=attempts, calls=None)


def waits_for_worker(run: TaskRun) -> bool:
    """Whether a runnable task's run may be claimed as far as its own state goes."""
    return run.state in (State.CREATED, State.RESTARTED) or (run.state is State.RETRYING and run.due is None)


def lets_start(flow: Flow, execution: Execution, run: TaskRun) -> bool:
    """Whether the execution lets this task run start: it goes on, or it has ended and this comes after it."""
    if flow.tree.places[run.task_id].after:
        return execution.lingering
    return execution.state in (State.RUNNING, State.PAUSED) and not execution.held and execution.ending is None


def may_start(flow: Flow, execution: Execution, run: TaskRun) -> bool:
    """Whether a worker may claim this task run now."""
    return waits_for_worker(run) and lets_start(flow, execution, run)


def may_claim(draft: Draft, run: TaskRun, epoch: int) -> bool:
    """Whether a claim with this epoch is good."""
    return epoch == run.epoch + 1 and may_start(draft.flow, draft.execution, run)


def is_at_work(run: TaskRun, epoch: int) -> bool:
    """Whether the attempt with this epoch is the one that runs."""
    return run.epoch == epoch and run.state is State.RUNNING and run.calls is None
