"""How a task run ends: `allowFailure` and `allowWarning` soften the state, never the attempt's."""

from __future__ import annotations

from typing import Any

from engine.core.draft import Draft
from engine.model.execution import TaskRun
from engine.model.state import State


def end_run(draft: Draft, run: TaskRun, state: State, *, error: str | None = None, **changes: Any) -> TaskRun:
    """Move a task run to its terminal state, and say why when it failed."""
    task = draft.task(run)
    if error is not None:
        draft.log("ERROR", error, run)
        changes["error"] = error
    if state is State.FAILED and task.allow_failure:
        state = State.WARNING
    if state is State.WARNING and task.allow_warning:
        state = State.SUCCESS
    return draft.move(run, state, due=None, **changes)
