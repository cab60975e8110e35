"""What the core knows of executions that begin others: which ids follow from which, and what a restart means for them.

Ids are never made up here. The id of an execution that follows from another can be worked out by everybody.
"""

from __future__ import annotations

from hashlib import sha256

from engine.model.execution import Execution, TaskRun
from engine.model.state import State

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_BEGINNING = frozenset({State.CREATED, State.RUNNING})


def derived_id(origin: str, *of: object) -> str:
    """An id like any other execution's, that follows from `of`. It sorts by time together with `origin`."""
    chance = int.from_bytes(sha256("\0".join(map(str, (origin, *of))).encode()).digest()[:10])
    return origin[:10] + "".join(_ALPHABET[chance >> shift & 31] for shift in range(75, -1, -5))


def call_id(run: TaskRun, epoch: int, index: int) -> str:
    """The id of the execution that a claim of a task run begins as its `index`-th."""
    return derived_id(run.execution_id, run.id, epoch, index)


def successor_id(execution_id: str) -> str:
    """The id of the execution that tries again what this one did."""
    return derived_id(execution_id, "retry")


def is_restarted(run: TaskRun) -> bool:
    """Whether the attempt under way began because a person restarted the task run, not because of its retries."""
    before = (change.state for change in reversed(run.history) if change.state not in _BEGINNING)
    return next(before, None) is State.RESTARTED


def is_abandoned(run: TaskRun, execution: Execution) -> bool:
    """Whether the task run waited for an execution that it began, and wants it no more: after its `timeout`, a kill."""
    if run.calls is None or not (run.is_terminal or run.state in (State.RETRYING, State.KILLING)):
        return False
    begun = next((at for state, at in reversed(execution.history) if state is State.RESTARTED), execution.started_at)
    return begun < run.history[-1].at and any(_goes_on_as(id_, execution) for id_ in run.calls)


def _goes_on_as(execution_id: str, execution: Execution) -> bool:
    """Whether an execution is this one, or was retried by it."""
    for _ in range(execution.attempt_number):
        if execution_id == execution.id:
            return True
        execution_id = successor_id(execution_id)
    return False
