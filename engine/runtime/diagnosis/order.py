"""Did every task of an execution begin only after those that it comes after? Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from engine.model.execution import Execution, TaskRun
from engine.model.flow import Container, Dag, EachParallel, Flow, Parallel
from engine.model.state import TERMINAL
from engine.model.tree import MAIN
from engine.runtime.diagnosis.finding import Finding

_Scope = tuple[str | None, int | None]  #: a task run and the number of a round in it


def in_the_order(flow: Flow, execution: Execution) -> Iterator[Finding]:
    """A task run is created when what it depends on has ended. What has no task run is not judged."""
    scopes: dict[_Scope, dict[str, TaskRun]] = {}
    for run in execution.task_runs.values():
        scopes.setdefault((run.parent_id, run.iteration), {})[run.task_id] = run
    for siblings in scopes.values():
        for run in siblings.values():
            for need in filter(None, (siblings.get(task_id) for task_id in _needs(flow, run.task_id))):
                ended = _first_end(need)
                if ended is None or ended > run.history[0].at:
                    yield Finding(
                        what=f"in execution {execution.id}, {run.task_id} began before {need.task_id} had ended",
                        hint="Please report it, with the flow and what `penstock executions show --json` prints.",
                        execution_id=execution.id,
                    )


def _needs(flow: Flow, task_id: str) -> tuple[str, ...]:
    """The siblings that a task comes right after."""
    place = flow.tree.places.get(task_id)
    if place is None or (place.group == MAIN and isinstance(place.parent, Parallel | EachParallel)):
        return ()
    if place.group == MAIN and isinstance(place.parent, Dag):
        return next((entry.depends_on for entry in place.parent.tasks if entry.task.id == task_id), ())
    listed = [task.id for task in flow.tree.enabled(_id(place.parent), place.branch)]
    at = listed.index(task_id) if task_id in listed else 0
    return tuple(listed[at - 1 : at]) if at else ()


def _id(container: Container | None) -> str | None:
    return container.id if container is not None else None


def _first_end(run: TaskRun) -> datetime | None:
    return next((at for state, at in run.history if state in TERMINAL), None)
