"""`behavior: CREATE_NEW_EXECUTION`: after a failure the whole is tried again, by a new execution.

The one that failed ends RETRIED. The new one is committed with that, waits for its time, and takes its place for
whoever waits for it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from engine.core.calling import successor_id
from engine.core.draft import Draft
from engine.core.labels import RETRIED_SINCE
from engine.core.replaying import replay
from engine.core.retry import retry_delay
from engine.core.stopping import end_when_idle
from engine.model.execution import Execution
from engine.model.flow import Retry
from engine.model.state import State


def successor(draft: Draft, policy: Retry) -> Execution | None:
    """The execution that tries again; None when it was tried often enough, or is ending anyway."""
    execution = draft.execution
    if execution.ending is not None or execution.is_terminal:
        return None
    seconds = retry_delay(policy, execution.id, execution.attempt_number, first_start(execution), draft.at)
    if seconds is None:
        return None
    again = replay(draft.flow, execution, successor_id(execution.id), draft.at)
    return replace(
        again,
        due=draft.at + timedelta(seconds=seconds),
        attempt_number=execution.attempt_number + 1,
        caller=execution.caller,
        labels={**again.labels, RETRIED_SINCE: first_start(execution).isoformat()},
    )


def hand_over(draft: Draft, again: Execution) -> None:
    """Let this execution end, and the other one begin."""
    assert again.due is not None
    draft.log("WARN", f"execution {again.id} tries all of it again, and is due at {again.due.isoformat()}")
    draft.begin(again)
    end_when_idle(draft, State.RETRIED)


def first_start(execution: Execution) -> datetime:
    """When the first of all executions began that retry each other."""
    since = execution.labels.get(RETRIED_SINCE)
    return datetime.fromisoformat(since) if since is not None else execution.started_at
