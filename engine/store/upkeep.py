"""What may go from the database, and how much there is of it; executions in great numbers, a page at a time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import and_, delete, exists, func, select

from engine.model.execution import Execution
from engine.ports import ExecutionSummary
from engine.store import rows
from engine.store.codec import from_text, to_micros, to_text
from engine.store.removing import ENDED, is_over
from engine.store.tables import EXECUTION, SUMMARY, executions, kv, task_runs

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


def expendable(
    connection: Connection, *, ended_before: datetime | None, flow: tuple[str, str] | None, limit: int
) -> list[ExecutionSummary]:
    caller = executions.alias("caller")
    waits = exists().where(caller.c.id == executions.c.caller_id, ~is_over(caller))
    # Nearly all are over: to look for them by their state, and then to sort them, would take the longer the more
    # there are. An expression has no index, so this leaves the one by time, which gives them in order.
    ended = func.coalesce(executions.c.state, "").in_(ENDED)
    query = select(*SUMMARY).where(ended, executions.c.lingering.is_(False), ~waits)
    if ended_before is not None:
        # What ended before began before: that the index knows.
        moment = to_micros(ended_before)
        query = query.where(executions.c.started_at < moment, executions.c.ended_at < moment)
    if flow is not None:
        query = query.where(executions.c.namespace == to_text(flow[0]), executions.c.flow_id == to_text(flow[1]))
    query = query.order_by(executions.c.started_at, executions.c.id).limit(limit)
    return [rows.read_summary(row) for row in connection.execute(query)]


def flow_sizes(connection: Connection) -> Mapping[tuple[str, str], int]:
    flow = executions.c.namespace, executions.c.flow_id
    counted = connection.execute(select(*flow, func.count()).group_by(*flow))
    return {(from_text(namespace), from_text(flow_id)): count for namespace, flow_id, count in counted}


def forget_expired(connection: Connection, at: datetime, limit: int) -> int:
    expired = select(kv.c.namespace, kv.c.key).where(kv.c.expires_at <= to_micros(at)).limit(limit)
    pairs = connection.execute(expired).all()
    for namespace, key in pairs:
        connection.execute(delete(kv).where(and_(kv.c.namespace == namespace, kv.c.key == key)))
    return len(pairs)


def whole(connection: Connection, *, after: str, limit: int) -> list[Execution]:
    query = select(*EXECUTION).where(executions.c.id > to_text(after)).order_by(executions.c.id).limit(limit)
    found = connection.execute(query).all()
    runs: dict[str, list[rows.Row]] = {row[0]: [] for row in found}
    query = select(task_runs).where(task_runs.c.execution_id.in_(runs)).order_by(task_runs.c.seq)
    for run in connection.execute(query):
        runs[run[1]].append(run)
    return [rows.read_execution(row, runs[row[0]]) for row in found]


def ids(connection: Connection, *, after: str, limit: int) -> list[str]:
    query = select(executions.c.id).where(executions.c.id > to_text(after)).order_by(executions.c.id).limit(limit)
    return [from_text(id_) for id_ in connection.execute(query).scalars()]
