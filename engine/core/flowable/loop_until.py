"""The same tasks again and again, until `condition` holds after a round.

Between two rounds it is PAUSED until the next is due. Each round's task runs replace those of the round before, so
however often it looks, the history holds one round. Giving up is a warning in the log, and a failure only when the
flow says so.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from engine.core.flowable.opening import Closing, Opening
from engine.core.flowable.sequential import expression, nexts, outcome
from engine.expressions import truthy
from engine.model.duration import parse_duration
from engine.model.execution import TaskRun
from engine.model.flow import LoopUntil
from engine.model.state import State

__all__ = ["begin", "close", "expression", "nexts", "outcome", "question"]


def begin(task: LoopUntil, value: Any, at: datetime) -> Opening | str:
    return Opening(outputs={"iterationCount": 1})


def question(task: LoopUntil, state: State) -> tuple[str, Any] | None:
    return ("condition", task.condition) if state in (State.SUCCESS, State.WARNING) else None


def close(task: LoopUntil, run: TaskRun, state: State, value: Any, at: datetime) -> Closing | str:
    if state not in (State.SUCCESS, State.WARNING) or truthy(value):
        return Closing(state)
    assert run.outputs is not None
    often, made = task.check_frequency, run.outputs["iterationCount"]
    again = at + parse_duration(often.interval)
    if often.max_iterations is not None and made >= often.max_iterations:
        return _given_up(task, state, f"after {made} rounds (`maxIterations`)")
    if often.max_duration is not None and at > _begun(run) + parse_duration(often.max_duration):
        return _given_up(task, state, f"after {often.max_duration} (`maxDuration`)")
    return Closing(state, outputs={"iterationCount": made + 1}, again=again)


def _begun(run: TaskRun) -> datetime:
    """When it was last begun: a restart counts anew."""
    return next(at for state, at in reversed(run.history) if state in (State.CREATED, State.RESTARTED))


def _given_up(task: LoopUntil, state: State, why: str) -> Closing:
    note = ("WARN", f"`condition` did not hold {why}, and no further round is made")
    return Closing(State.FAILED if task.fail_on_max_reached else state, note=note)
