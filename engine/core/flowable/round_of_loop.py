"""One round of a Loop: one task after the other, with `errors` and `finally` of its own.

Its outputs are those that the Loop declares, rendered when its tasks have ended well; should that fail, so has the
round. After each round, however it ended, `breakWhen` tells whether there is another one.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from engine.core.flowable.opening import Closing
from engine.core.flowable.sequential import begin, expression, nexts, outcome
from engine.core.rendering import OUTPUTS
from engine.core.rounds import RoundEnd
from engine.model.execution import TaskRun
from engine.model.flow import Round
from engine.model.state import State

__all__ = ["begin", "close", "expression", "nexts", "outcome", "question"]

_ENDED_WELL = (State.SUCCESS, State.WARNING)


def question(task: Round, state: State) -> tuple[str, Any] | None:
    if task.outputs and state in _ENDED_WELL:
        return OUTPUTS, RoundEnd(task, state, task.outputs)
    if task.break_when is not None and state in (*_ENDED_WELL, State.FAILED):
        return "breakWhen", RoundEnd(task, state, ())
    return None


def close(task: Round, run: TaskRun, state: State, value: Any, at: datetime) -> Closing | str:
    if value is None:
        return Closing(state)
    return Closing(state, outputs=value["outputs"] or None, is_last=value["isLast"])
