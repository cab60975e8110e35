"""Waits for a person's decision, or for a time that the flow names; what happens then, it says in `behavior`.

A pause is never over by time unless the flow says so. `timeout` is another time: when it is over, the task has
failed. The older `tasks` run once it goes on.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from engine.core.flowable.opening import Closing, Opening
from engine.core.flowable.scope import Next, Scope, nexts_in_order, nexts_of_errors
from engine.core.flowable.sequential import question
from engine.core.ledger import main_state
from engine.model.duration import parse_duration
from engine.model.execution import TaskRun
from engine.model.flow import Pause
from engine.model.state import State
from engine.model.tree import ON_PAUSE

__all__ = ["begin", "close", "expression", "nexts", "outcome", "question"]

#: What a flow may say in `behavior`, and the state of the task then.
BEHAVIORS = {"RESUME": State.SUCCESS, "WARN": State.WARNING, "FAIL": State.FAILED, "CANCEL": State.CANCELLED}
#: In the outputs of a paused task run: what happens when its time is over.
EXPIRES = "expires"
TIMEOUT = "TIMEOUT"


def expression(task: Pause) -> tuple[str, Any] | None:
    times = {"pauseDuration": task.pause_duration or task.delay, "timeout": task.timeout, "behavior": task.behavior}
    return "pause", {name: text for name, text in times.items() if text is not None}


def begin(task: Pause, value: Any, at: datetime) -> Opening | str:
    behavior = str(value["behavior"]).upper()
    if behavior not in BEHAVIORS:
        return f"`behavior` is `{value['behavior']}`, but must be one of {', '.join(BEHAVIORS)}"
    moments: list[tuple[datetime, str]] = []
    for name, then in (("pauseDuration", behavior), ("timeout", TIMEOUT)):
        if name in value:
            try:
                moments.append((at + parse_duration(str(value[name])), then))
            except ValueError as error:
                return f"`{name}` cannot be used: {error}"
    if not moments:
        return Opening(state=State.PAUSED)
    due, then = min(moments)
    return Opening(state=State.PAUSED, due=due, outputs={EXPIRES: then})


def nexts(scope: Scope) -> list[Next]:
    assert scope.run is not None
    if scope.tally(ON_PAUSE).live or expired(scope.run) == "CANCEL":
        return []
    return nexts_of_errors(scope) if _failure(scope.run) else nexts_in_order(scope, scope.tasks("tasks"))


def outcome(scope: Scope) -> State | None:
    """Whatever runs while it waits ends first."""
    assert scope.run is not None
    if scope.tally(ON_PAUSE).live:
        return None
    if _failure(scope.run):
        return State.FAILED
    if expired(scope.run) == "CANCEL":  # with the execution, unless that has ended
        return State.CANCELLED
    state = main_state(scope.main, len(scope.tasks("tasks")))
    return State.WARNING if state is State.SUCCESS and expired(scope.run) == "WARN" else state


def close(task: Pause, run: TaskRun, state: State, value: Any, at: datetime) -> Closing | str:
    return _failure(run) or Closing(state)


def _failure(run: TaskRun) -> str | None:
    """Why the end of its time was a failure, if it was."""
    then = expired(run)
    if then == TIMEOUT:
        return f"Timeout: nobody resumed `{run.task_id}` in time"
    return f"the pause of `{run.task_id}` is over, and its `behavior` is FAIL" if then == "FAIL" else None


def expired(run: TaskRun) -> str | None:
    """What its time's end meant, for a pause that nobody resumed."""
    return (run.outputs or {}).get(EXPIRES)  # a person's resume leaves other outputs
