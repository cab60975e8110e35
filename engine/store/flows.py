"""Stored revisions of flows."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from msgspec.structs import replace
from sqlalchemy import func, insert, not_, or_, select

from engine.ports import FlowRecord
from engine.store import rows
from engine.store.codec import to_text
from engine.store.tables import flows

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


def save(
    connection: Connection, namespace: str, flow_id: str, source: str, *, at: datetime, disabled: bool
) -> FlowRecord:
    last = _last(connection, namespace, flow_id)
    if last is not None and last.source == source and not last.deleted:
        return last
    revision = last.revision + 1 if last else 1
    record = FlowRecord(
        namespace=namespace, id=flow_id, revision=revision, source=source, created_at=at, disabled=disabled
    )
    connection.execute(insert(flows).values(rows.flow_row(record)))
    return record


def delete(connection: Connection, namespace: str, flow_id: str, *, at: datetime) -> bool:
    last = _last(connection, namespace, flow_id)
    if last is None or last.deleted:
        return False
    gone = replace(last, revision=last.revision + 1, created_at=at, deleted=True)
    connection.execute(insert(flows).values(rows.flow_row(gone)))
    return True


def one(connection: Connection, namespace: str, flow_id: str, revision: int | None) -> FlowRecord | None:
    last = _last(connection, namespace, flow_id, revision)
    return None if last is not None and last.deleted and revision is None else last


def _last(connection: Connection, namespace: str, flow_id: str, revision: int | None = None) -> FlowRecord | None:
    """This revision, or else the last one, though it may say that the flow is deleted."""
    query = select(flows).where(flows.c.namespace == to_text(namespace), flows.c.id == to_text(flow_id))
    if revision is not None:
        query = query.where(flows.c.revision == revision)
    row = connection.execute(query.order_by(flows.c.revision.desc()).limit(1)).first()
    return None if row is None else rows.read_flow(row)


def newest_of_each(connection: Connection, namespace: str | None) -> list[FlowRecord]:
    newest = select(flows.c.namespace, flows.c.id, func.max(flows.c.revision).label("revision"))
    if namespace is not None:
        below = flows.c.namespace.startswith(to_text(namespace) + ".", autoescape=True)
        newest = newest.where(or_(flows.c.namespace == to_text(namespace), below))
    each = newest.group_by(flows.c.namespace, flows.c.id).subquery()
    same = (flows.c.namespace == each.c.namespace) & (flows.c.id == each.c.id) & (flows.c.revision == each.c.revision)
    query = select(flows).join(each, same).where(not_(flows.c.deleted)).order_by(flows.c.namespace, flows.c.id)
    return [rows.read_flow(row) for row in connection.execute(query)]
