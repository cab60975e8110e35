"""What is asked of executions: whole ones, lists of them, their logs and metrics. A list never loads outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, and_, exists, func, or_, select

from engine.model.execution import Caller, Execution
from engine.model.state import TERMINAL, State
from engine.ports import ExecutionFilter, ExecutionSummary, LogFilter, LogLine, Metric
from engine.store import rows, searching
from engine.store.codec import from_text, to_micros, to_text
from engine.store.tables import EXECUTION, SUMMARY, execution_labels, executions, logs, metrics, task_runs

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Row

_UNFINISHED = sorted(state.value for state in State if state not in TERMINAL)


def execution(connection: Connection, execution_id: str) -> Execution | None:
    id_ = to_text(execution_id)
    row = connection.execute(select(*EXECUTION).where(executions.c.id == id_)).first()
    if row is None:
        return None
    query = select(task_runs).where(task_runs.c.execution_id == id_).order_by(task_runs.c.seq)
    return rows.read_execution(row, connection.execute(query))


def some(connection: Connection, execution_ids: Sequence[str]) -> list[Execution]:
    ids = [to_text(id_) for id_ in execution_ids]
    runs: dict[str, list[Row[Any]]] = {}
    query = select(task_runs).where(task_runs.c.execution_id.in_(ids))
    for run in connection.execute(query.order_by(task_runs.c.execution_id, task_runs.c.seq)):
        runs.setdefault(run.execution_id, []).append(run)
    query = select(*EXECUTION).where(executions.c.id.in_(ids)).order_by(executions.c.id)
    return [rows.read_execution(row, runs.get(row.id, ())) for row in connection.execute(query)]


def page(connection: Connection, where: ExecutionFilter) -> tuple[list[ExecutionSummary], int]:
    conditions = list(_conditions(where))
    total = connection.execute(select(func.count()).select_from(executions).where(*conditions)).scalar_one()
    query = select(*SUMMARY).where(*conditions).order_by(*_order(where)).limit(where.limit).offset(where.offset)
    return [rows.read_summary(row) for row in connection.execute(query)], total


def _order(where: ExecutionFilter) -> list[ColumnElement[Any]]:
    columns = executions.c
    duration = columns.ended_at - columns.started_at
    wanted = [(duration if name == "duration" else columns[name], falls) for name, falls in where.order]
    first = [column.desc().nulls_last() if falls else column.asc().nulls_first() for column, falls in wanted]
    time = columns.started_at, columns.id
    return [*first, *(time if where.oldest_first else (column.desc() for column in time))]


def called_by(connection: Connection, caller: Caller) -> list[ExecutionSummary]:
    columns = executions.c
    query = select(*SUMMARY).where(
        columns.caller_id == to_text(caller.execution_id), columns.caller_task_run_id == to_text(caller.task_run_id)
    )
    return [rows.read_summary(row) for row in connection.execute(query.order_by(columns.started_at, columns.id))]


def unfinished(connection: Connection) -> list[str]:
    oldest_first = executions.c.started_at, executions.c.id
    query = select(executions.c.id).where(is_unfinished()).order_by(*oldest_first)
    return [from_text(id_) for id_ in connection.execute(query).scalars()]


def is_unfinished() -> ColumnElement[bool]:
    """That an execution is not over."""
    return or_(executions.c.state.in_(_UNFINISHED), executions.c.lingering)


def log_lines(
    connection: Connection, execution_id: str, *, after: int, limit: int, task_id: str | None, min_level: str | None
) -> list[LogLine]:
    query = select(logs).where(logs.c.execution_id == to_text(execution_id), logs.c.id > after)
    if task_id is not None:
        query = query.where(logs.c.task_id == to_text(task_id))
    if min_level is not None:
        query = query.where(logs.c.level.in_(rows.levels_from(min_level)))
    return [rows.read_log(row) for row in connection.execute(query.order_by(logs.c.id).limit(limit))]


def metric_values(connection: Connection, execution_id: str) -> list[Metric]:
    columns = list(metrics.c)[1:]
    query = select(*columns).where(metrics.c.execution_id == to_text(execution_id)).order_by(metrics.c.id)
    return [rows.read_metric(row) for row in connection.execute(query)]


def in_flows(where: ExecutionFilter | LogFilter) -> list[ColumnElement[bool]]:
    """That an execution is of this flow and namespace."""
    found: list[ColumnElement[bool]] = []
    if where.namespace is not None:
        name = to_text(where.namespace)
        # `/` comes right after `.`: a range, so that an index serves it, where LIKE would need escapes and luck.
        below = and_(executions.c.namespace >= f"{name}.", executions.c.namespace < f"{name}/")
        itself = executions.c.namespace == name
        found.append(or_(itself, below) if where.below else itself)
    if where.flow_id is not None:
        found.append(executions.c.flow_id == to_text(where.flow_id))
    return found


def _conditions(where: ExecutionFilter) -> list[ColumnElement[bool]]:
    found = in_flows(where)
    if where.states:
        found.append(executions.c.state.in_([state.value for state in where.states]))
    if where.started_after is not None:
        found.append(executions.c.started_at >= to_micros(where.started_after))
    if where.started_before is not None:
        found.append(executions.c.started_at < to_micros(where.started_before))
    if where.search is not None:
        found.append(searching.condition(where.search))
    for key, value in where.labels.items():
        label = execution_labels.c
        same = label.execution_id == executions.c.id, label.key == to_text(key), label.value == to_text(value)
        found.append(exists().where(*same))
    return found
