"""`tasks` once for each of `values`, each round a world of its own: a lane with its own `errors` and `finally`.

Unlike ForEach, values may repeat and may have keys: a round is told by its number.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from engine.core.flowable.foreach import as_item, nexts_of_loop, outcome
from engine.core.flowable.opening import Opening
from engine.core.flowable.scope import Next, Scope, nexts_in_order
from engine.core.flowable.sequential import close, question
from engine.core.rendering import VALUES
from engine.model.execution import Item
from engine.model.flow import Loop

__all__ = ["begin", "close", "expression", "nexts", "outcome", "question"]


def expression(task: Loop) -> tuple[str, Any] | None:
    return VALUES, task.values


def begin(task: Loop, value: Any, at: datetime) -> Opening | str:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as error:
            return f"`values` is not a JSON list or map: {error}"
    if isinstance(value, Mapping):
        items: tuple[Item, ...] = tuple((str(key), as_item(item)) for key, item in value.items())
    elif isinstance(value, (list, tuple)):
        items = tuple(map(as_item, value))
    else:
        return f"`values` must be a list or a map, but is `{value}`"
    return Opening(items=items, outputs={"iterationCount": len(items)})


def nexts(scope: Scope) -> list[Next]:
    assert isinstance(scope.container, Loop)
    return nexts_of_loop(scope, scope.container.concurrency_limit, nexts_in_order, first=1)
