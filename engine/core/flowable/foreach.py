"""`tasks` once for each value. The tasks of one value are a lane and run in order; lanes run side by side.

Values are fixed when the loop begins: text as it is, anything else as JSON, each only once.
"""

from __future__ import annotations

import json
from typing import Any

from engine.core.flowable.opening import Opening
from engine.core.flowable.scope import Next, Scope, nexts_of_errors, outcome_of
from engine.core.ledger import lane_state
from engine.model.flow import ForEach
from engine.model.state import State


def expression(task: ForEach) -> tuple[str, Any]:
    return "values", task.values


def begin(task: ForEach, value: Any) -> Opening | str:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as error:
            return f"`values` is not a JSON list: {error}"
    if not isinstance(value, (list, tuple)):
        return f"`values` must be a list, but is {_kind(value)}"
    if any(item is None for item in value):
        return "`values` holds a null; every value must be something"
    texts = (
        item if isinstance(item, str) else json.dumps(item, separators=(",", ":"), ensure_ascii=False, default=str)
        for item in value
    )
    return Opening(items=tuple(dict.fromkeys(texts)))


def _kind(value: Any) -> str:
    return {dict: "a map", bool: "true or false", int: "a number", float: "a number"}.get(type(value), "not a list")


def nexts(scope: Scope) -> list[Next]:
    loop, run, tasks = scope.container, scope.run, scope.tasks("tasks")
    assert isinstance(loop, ForEach)
    assert run is not None
    if scope.key.lane is not None:
        return _nexts_of_lane(scope, scope.key.lane)
    lanes, items = scope.main, run.items or ()
    if lanes.killed:
        return []
    if lanes.failed:
        return nexts_of_errors(scope)
    if not tasks:
        return []
    room = len(items) if loop.concurrency_limit == 0 else max(loop.concurrency_limit - lanes.live, 0)
    first = range(lanes.created, min(lanes.created + room, len(items)))
    return [Next(tasks[0], items[index], index) for index in first]


def _nexts_of_lane(scope: Scope, lane: int) -> list[Next]:
    tally, tasks = scope.main, scope.tasks("tasks")
    if scope.loop.failed or scope.loop.killed:
        return []
    if tally.live or tally.failed or tally.killed or tally.created >= len(tasks):
        return []
    assert scope.run is not None
    assert scope.run.items is not None
    return [Next(tasks[tally.created], scope.run.items[lane], lane)]


def outcome(scope: Scope) -> State | None:
    assert scope.run is not None
    tasks = scope.tasks("tasks")
    if scope.key.lane is not None:
        return lane_state(scope.main, len(tasks), abandoned=bool(scope.loop.failed or scope.loop.killed))
    return outcome_of(scope, len(scope.run.items or ()) if tasks else 0)
