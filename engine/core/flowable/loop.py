"""`tasks` once for each of `values`, each round a world of its own: see `round_of_loop`.

Unlike ForEach, values may repeat, may have keys, and may be the rows of a file: a round is told by its number.
Rounds that run when another fails go on to their end; no new one begins, unless failures are not transmitted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from engine.core.flowable.foreach import as_item, nexts_of_loop, outcome
from engine.core.flowable.opening import Closing, Opening
from engine.core.flowable.scope import Next, Scope, nexts_in_order
from engine.core.rendering import VALUES
from engine.core.rounds import Results, Values
from engine.model.execution import Item, TaskRun
from engine.model.flow import Loop
from engine.model.state import State

__all__ = ["begin", "close", "expression", "nexts", "outcome", "question"]


def expression(task: Loop) -> tuple[str, Any] | None:
    return VALUES, Values(task)


def begin(task: Loop, value: Any, at: datetime) -> Opening | str:
    found = value["values"]
    if isinstance(found, str):
        try:
            found = json.loads(found)
        except ValueError as error:
            return f"`values` is neither a JSON list or map nor the URI of a file: {error}"
    if isinstance(found, Mapping):
        items: tuple[Item, ...] = tuple((str(key), as_item(item)) for key, item in found.items())
    elif isinstance(found, (list, tuple)):
        items = tuple(map(as_item, found))
    else:
        return f"`values` must be a list, a map or a file, but is `{as_item(found)}`"
    # A loop over a file gives a file; until there is one, it is the file that it goes over.
    return Opening(items=items, outputs={"iterationCount": len(items), **value["from"]})


def nexts(scope: Scope) -> list[Next]:
    assert isinstance(scope.container, Loop)
    return nexts_of_loop(scope, scope.container.concurrency_limit, nexts_in_order, first=1)


def question(task: Loop, state: State) -> tuple[str, Any] | None:
    return ("results", Results(task)) if state in (State.SUCCESS, State.WARNING, State.FAILED) else None


def close(task: Loop, run: TaskRun, state: State, value: Any, at: datetime) -> Closing | str:
    return Closing(state, outputs=value)
