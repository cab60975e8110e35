"""The older loop whose tasks start together for each value: lanes as in ForEach, but all tasks of a lane at once."""

from __future__ import annotations

from engine.core.flowable.foreach import begin, close, expression, nexts_of_loop, outcome, question
from engine.core.flowable.scope import Next, Scope
from engine.model.flow import EachParallel, Task

__all__ = ["begin", "close", "expression", "nexts", "outcome", "question"]


def nexts(scope: Scope) -> list[Next]:
    loop = scope.container
    assert isinstance(loop, EachParallel)
    return nexts_of_loop(scope, loop.concurrent, _nothing, first=len(loop.tasks))


def _nothing(scope: Scope, tasks: tuple[Task, ...]) -> list[Next]:
    """All tasks of a lane start with it."""
    return []
