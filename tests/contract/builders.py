"""Small executions and changes to store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from engine.model.execution import Attempt, Execution, StateChange, TaskRun
from engine.model.state import AttemptState, State
from engine.ports import ExecutionChange, LogLine, Metric

NOON = datetime(2026, 3, 1, 12, 0, 0, 123_456, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def history(*states: State, start: float = 0) -> tuple[StateChange, ...]:
    return tuple(StateChange(state, at(start + place)) for place, state in enumerate(states))


def an_execution(id_: str = "e1", *states: State, start: float = 0, **fields: Any) -> Execution:
    states = states or (State.CREATED, State.RUNNING)
    given = {"namespace": "acme.team", "flow_id": "hello", "flow_revision": 1, **fields}
    return Execution(id=id_, state=states[-1], history=history(*states, start=start), **given)


def a_task_run(id_: str = "t1", *states: State, execution_id: str = "e1", **fields: Any) -> TaskRun:
    states = states or (State.CREATED,)
    given = {"task_id": "say", "seq": 0, **fields}
    return TaskRun(id=id_, execution_id=execution_id, state=states[-1], history=history(*states), **given)


def claimed(run: TaskRun) -> TaskRun:
    attempt = Attempt(epoch=run.epoch + 1, state=AttemptState.STARTED, started_at=at(1))
    return moved(run, State.RUNNING, epoch=run.epoch + 1, attempts=(*run.attempts, attempt))


def moved(run: TaskRun, state: State, **fields: Any) -> TaskRun:
    return replace(run, state=state, history=(*run.history, StateChange(state, at(9))), **fields)


def with_runs(execution: Execution, *runs: TaskRun) -> Execution:
    task_runs = execution.task_runs
    for run in runs:
        task_runs = task_runs.insert(run.id, run)
    return replace(execution, task_runs=task_runs)


def created(execution: Execution, *runs: TaskRun) -> ExecutionChange:
    """The change that stores a new execution with these task runs."""
    return ExecutionChange(
        before=None,
        after=with_runs(execution, *runs),
        task_runs={run.id: run for run in runs},
        new_task_runs={run.id for run in runs},
    )


def changed(before: Execution, after: Execution, *runs: TaskRun, new: tuple[TaskRun, ...] = ()) -> ExecutionChange:
    """The change that moves these task runs, and adds the new ones."""
    return ExecutionChange(
        before=before,
        after=with_runs(after, *runs, *new),
        task_runs={run.id: run for run in (*runs, *new)},
        new_task_runs={run.id for run in new},
    )


def a_line(message: str = "hello", *, execution_id: str = "e1", level: str = "INFO", **fields: Any) -> LogLine:
    return LogLine(execution_id=execution_id, at=at(2), level=level, message=message, **fields)


def a_metric(name: str = "rows", value: float = 3, *, execution_id: str = "e1", **fields: Any) -> Metric:
    given = {"task_run_id": "t1", "task_id": "say", "kind": "counter", "at": at(3), **fields}
    return Metric(execution_id=execution_id, name=name, value=value, **given)
