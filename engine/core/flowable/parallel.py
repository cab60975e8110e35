"""All tasks at once, or at most `concurrent` at a time.

After the first failed child nothing new starts, but the container ends only when its running children have.
"""

from __future__ import annotations

from engine.core.flowable.scope import Next, Scope, nexts_at_once
from engine.core.flowable.sequential import begin, close, expression, outcome, question
from engine.model.flow import Parallel

__all__ = ["begin", "close", "expression", "nexts", "outcome", "question"]


def nexts(scope: Scope) -> list[Next]:
    assert isinstance(scope.container, Parallel)
    return nexts_at_once(scope, scope.tasks("tasks"), scope.container.concurrent)
