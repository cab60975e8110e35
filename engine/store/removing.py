"""Taking executions, and what they leave, out of the database. Task runs and labels go with them by the schema."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, and_, delete, select

from engine.model.state import TERMINAL
from engine.ports import LogFilter, Removed
from engine.store.codec import to_micros, to_text
from engine.store.reading import in_flows
from engine.store.tables import executions, logs, metrics

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_OVER = and_(executions.c.state.in_(sorted(state.value for state in TERMINAL)), executions.c.lingering.is_(False))


def one(connection: Connection, execution_id: str) -> bool:
    return connection.execute(delete(executions).where(executions.c.id == to_text(execution_id))).rowcount > 0


def finished(connection: Connection, ids: Sequence[str], *, whole: bool, of_logs: bool, of_metrics: bool) -> Removed:
    named = executions.c.id.in_([to_text(id_) for id_ in ids])
    over = connection.execute(select(executions.c.id).where(named, _OVER).with_for_update()).scalars().all()
    if not over:
        return Removed()
    gone = {}
    for name, table, wanted in (("logs", logs, of_logs or whole), ("metrics", metrics, of_metrics or whole)):
        if wanted:
            gone[name] = connection.execute(delete(table).where(table.c.execution_id.in_(over))).rowcount
    if whole:
        gone["executions"] = connection.execute(delete(executions).where(executions.c.id.in_(over))).rowcount
    return Removed(**gone)


def log_lines(connection: Connection, where: LogFilter) -> int:
    conditions: list[ColumnElement[bool]] = []
    if where.levels:
        conditions.append(logs.c.level.in_(where.levels))
    if where.after is not None:
        conditions.append(logs.c.at >= to_micros(where.after))
    if where.before is not None:
        conditions.append(logs.c.at < to_micros(where.before))
    flows = in_flows(where)
    if flows:
        conditions.append(logs.c.execution_id.in_(select(executions.c.id).where(*flows)))
    some = select(logs.c.id).where(*conditions).order_by(logs.c.id).limit(where.limit)
    return connection.execute(delete(logs).where(logs.c.id.in_(some))).rowcount
