"""Each task as soon as those it depends on have ended, at most `concurrent` at a time.

A dependency that is disabled has no task run and counts as ended; so does one that was skipped.
"""

from __future__ import annotations

from engine.core.flowable.scope import Next, Scope, nexts_of_errors
from engine.core.flowable.sequential import begin, expression, outcome
from engine.model.flow import Dag

__all__ = ["begin", "expression", "nexts", "outcome"]


def nexts(scope: Scope) -> list[Next]:
    dag = scope.container
    assert isinstance(dag, Dag)
    main = scope.main
    if main.killed:
        return []
    if main.failed:
        return nexts_of_errors(scope)
    enabled = {task.id for task in scope.tasks("tasks")}
    room = len(enabled) if dag.concurrent == 0 else dag.concurrent - main.live
    ready: list[Next] = []
    if main.created == len(enabled):
        return ready
    ended: dict[str, bool] = {}
    for entry in dag.tasks:
        if len(ready) >= room:
            break
        waits = entry.task.id in enabled and scope.child(entry.task.id) is None
        if waits and all(_has_ended(scope, task_id, enabled, ended) for task_id in entry.depends_on):
            ready.append(Next(entry.task))
    return ready


def _has_ended(scope: Scope, task_id: str, enabled: set[str], known: dict[str, bool]) -> bool:
    if task_id not in enabled:
        return True
    if task_id not in known:
        run = scope.child(task_id)
        known[task_id] = run is not None and run.is_terminal
    return known[task_id]
