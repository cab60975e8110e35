"""Each task as soon as those it depends on have ended, at most `concurrent` at a time.

A dependency that is disabled has no task run and counts as ended; so does one that was skipped.
"""

from __future__ import annotations

from collections.abc import Iterable

from engine.core.flowable.scope import Next, Scope, nexts_of_errors
from engine.core.flowable.sequential import begin, close, expression, outcome, question
from engine.core.topology import dependencies
from engine.model.flow import Dag

__all__ = ["begin", "close", "expression", "nexts", "outcome", "question"]


def nexts(scope: Scope) -> list[Next]:
    dag, main = scope.container, scope.main
    assert isinstance(dag, Dag)
    if main.killed:
        return []
    if main.failed:
        return nexts_of_errors(scope)
    graph = dependencies(scope.tree, dag)
    if main.created == len(graph):
        return []
    room = dag.concurrent - main.live if dag.concurrent else len(graph)
    ready: list[Next] = []
    for task_id in _candidates(scope, dag):
        if len(ready) >= room:
            break
        if scope.child(task_id) is None and all(_has_ended(scope, need) for need in graph.predecessors(task_id)):
            ready.append(Next(scope.tree.places[task_id].task))
    return ready


def _candidates(scope: Scope, dag: Dag) -> Iterable[str]:
    """Who may have become ready: those behind what has just ended, or anybody where that does not tell all."""
    graph = dependencies(scope.tree, dag)
    if dag.concurrent or scope.ended is None:
        return graph
    return dict.fromkeys(follower for ended in scope.ended for follower in graph.successors(ended))


def _has_ended(scope: Scope, task_id: str) -> bool:
    run = scope.child(task_id)
    return run is not None and run.is_terminal
