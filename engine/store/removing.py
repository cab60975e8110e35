"""Taking executions, and what they leave, out of the database. Task runs and labels go with them by the schema."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, FromClause, Table, and_, delete, select

from engine.model.state import TERMINAL
from engine.ports import LogFilter, Removed
from engine.store.codec import to_micros, to_text
from engine.store.reading import in_flows
from engine.store.tables import executions, logs, metrics

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

ENDED = sorted(state.value for state in TERMINAL)


def is_over(table: FromClause) -> ColumnElement[bool]:
    """That nothing happens to an execution any more; `table` is that of executions, or an alias of it."""
    return and_(table.c.state.in_(ENDED), table.c.lingering.is_(False))


def one(connection: Connection, execution_id: str) -> bool:
    return connection.execute(delete(executions).where(executions.c.id == to_text(execution_id))).rowcount > 0


def finished(
    connection: Connection, ids: Sequence[str], *, whole: bool, of_logs: bool, of_metrics: bool, at_most: int | None
) -> Removed:
    named = executions.c.id.in_([to_text(id_) for id_ in ids])
    over = (
        connection.execute(select(executions.c.id).where(named, is_over(executions)).with_for_update()).scalars().all()
    )
    if not over:
        return Removed()
    gone: dict[str, int] = {}
    for name, table, wanted in (("logs", logs, of_logs or whole), ("metrics", metrics, of_metrics or whole)):
        if wanted:
            rest = None if at_most is None else at_most - sum(gone.values())
            gone[name] = _of_executions(connection, table, over, rest)
    if whole and (at_most is None or sum(gone.values()) < at_most):
        gone["executions"] = connection.execute(delete(executions).where(executions.c.id.in_(over))).rowcount
    return Removed(**gone)


def _of_executions(connection: Connection, table: Table, ids: Sequence[str], at_most: int | None) -> int:
    meant = table.c.execution_id.in_(ids)
    if at_most is not None:
        meant = table.c.id.in_(select(table.c.id).where(meant).limit(at_most))
    return connection.execute(delete(table).where(meant)).rowcount


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
