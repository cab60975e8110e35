"""`tasks` once for each value. The tasks of one value are a lane and run in order; lanes run side by side.

Values are fixed when the loop begins: text as it is, anything else as JSON, each only once.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from engine.core.flowable.opening import Opening
from engine.core.flowable.scope import Next, Scope, lane_value, nexts_in_order, nexts_of_errors
from engine.core.flowable.sequential import close, question
from engine.core.ledger import main_state
from engine.core.rendering import VALUES
from engine.model.flow import EachSequential, ForEach, Task
from engine.model.state import State

__all__ = ["begin", "close", "expression", "nexts", "outcome", "question"]


def expression(task: Any) -> tuple[str, Any] | None:
    return VALUES, task.values if isinstance(task, ForEach) else task.value


def begin(task: Any, value: Any, at: datetime) -> Opening | str:
    name = "values" if isinstance(task, ForEach) else "value"
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as error:
            return f"`{name}` is not a JSON list: {error}"
    if not isinstance(value, (list, tuple)):
        return f"`{name}` must be a list, but is {_kind(value)}"
    if any(item is None for item in value):
        return f"`{name}` holds a null; every value must be something"
    return Opening(items=tuple(dict.fromkeys(map(as_item, value))))


def as_item(value: Any) -> str:
    """A value of a loop as the text that its task runs carry."""
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=str)


def _kind(value: Any) -> str:
    return {dict: "a map", bool: "true or false", int: "a number", float: "a number"}.get(type(value), "not a list")


def nexts(scope: Scope) -> list[Next]:
    loop = scope.container
    limit = loop.concurrency_limit if isinstance(loop, ForEach) else int(isinstance(loop, EachSequential))
    return nexts_of_loop(scope, limit, nexts_in_order, first=1)


def nexts_of_loop(
    scope: Scope, limit: int, in_lane: Callable[[Scope, tuple[Task, ...]], list[Next]], *, first: int
) -> list[Next]:
    """The next tasks of a lane as `in_lane` has it; or the next lanes, at most `limit` (0: all) at a time.

    A lane begins with its `first` tasks.
    """
    tasks, lanes, run = scope.tasks("tasks"), scope.loop, scope.run
    assert run is not None
    if scope.key.lane is not None:
        return in_lane(scope, tasks) if not (lanes.failed or lanes.killed) or scope.main.failed else []
    if lanes.killed:
        return []
    if lanes.failed:
        return nexts_of_errors(scope)
    if not tasks:
        return []
    items = run.items or ()
    room = len(items) if limit == 0 else max(limit - lanes.live, 0)
    begun = range(lanes.created, min(lanes.created + room, len(items)))
    return [Next(task, lane_value(scope.container, items, lane), lane) for lane in begun for task in tasks[:first]]


def outcome(scope: Scope) -> State | None:
    assert scope.run is not None
    tasks = scope.tasks("tasks")
    if scope.key.lane is not None:
        return main_state(scope.main, len(tasks), abandoned=bool(scope.loop.failed or scope.loop.killed))
    return main_state(scope.main, len(scope.run.items or ()) if tasks else 0)
