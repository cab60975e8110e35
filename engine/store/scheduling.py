"""Deployments, the state of triggers, fires and announcements, in the database."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, and_, delete, insert, select, update

from engine.model.scheduling import Announcement, Deployment, Fire, TriggerKey, TriggerState
from engine.model.state import State
from engine.ports import FlowRecord, FlowText
from engine.store import flows
from engine.store import scheduling_rows as rows
from engine.store.codec import from_text, to_micros, to_text
from engine.store.scheduling_rows import deployment_of
from engine.store.tables import announcements, deployments, executions, fires, triggers

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


def deploy(connection: Connection, deployment: Deployment) -> None:
    connection.execute(delete(deployments).where(_of_flow(deployments, deployment.namespace, deployment.flow_id)))
    connection.execute(insert(deployments).values(rows.deployment_row(deployment)))


def deploy_text(connection: Connection, flow: FlowText, at: datetime) -> FlowRecord:
    stored = flows.save(connection, flow.namespace, flow.id, flow.source, at=at, disabled=flow.disabled)
    deploy(connection, deployment_of(flow, stored.revision, at))
    return stored


def undeploy(connection: Connection, namespace: str, flow_id: str) -> bool:
    gone = connection.execute(delete(deployments).where(_of_flow(deployments, namespace, flow_id))).rowcount > 0
    mine = _of_flow(triggers, namespace, flow_id)
    connection.execute(delete(triggers).where(mine, triggers.c.disabled.is_(False)))
    forgotten = {"definition": None, "next_at": None, "memory": None, "backfill": None, "backfill_at": None}
    connection.execute(update(triggers).where(mine).values(forgotten))
    return gone


def all_deployments(connection: Connection) -> list[Deployment]:
    query = select(deployments).order_by(deployments.c.namespace, deployments.c.flow_id)
    return [rows.read_deployment(row) for row in connection.execute(query)]


def trigger_states(connection: Connection) -> list[TriggerState]:
    query = select(triggers).order_by(triggers.c.namespace, triggers.c.flow_id, triggers.c.trigger_id)
    return [rows.read_trigger(row) for row in connection.execute(query)]


def trigger_state(connection: Connection, key: TriggerKey) -> TriggerState | None:
    row = connection.execute(select(triggers).where(_is(key))).first()
    return None if row is None else rows.read_trigger(row)


def move_trigger(connection: Connection, state: TriggerState, fields: Collection[str]) -> None:
    row = rows.trigger_row(state)
    changed = {name: row[name] for name in (*fields, "updated_at")}
    if not connection.execute(update(triggers).where(_is(state.key)).values(changed)).rowcount:
        connection.execute(insert(triggers).values(row))


def fire(connection: Connection, scope: str, key: str) -> Fire | None:
    same = fires.c.scope == to_text(scope), fires.c.key == to_text(key)
    row = connection.execute(select(fires).where(*same)).first()
    return None if row is None else rows.read_fire(row)


def forget_fires(connection: Connection, before: datetime) -> int:
    return connection.execute(delete(fires).where(fires.c.at < to_micros(before))).rowcount


def unheard(connection: Connection, limit: int) -> list[Announcement]:
    query = select(announcements).order_by(announcements.c.id).limit(limit)
    return [rows.read_announcement(row) for row in connection.execute(query)]


def heard(connection: Connection, ids: Sequence[int]) -> None:
    connection.execute(delete(announcements).where(announcements.c.id.in_(ids)))


def states(connection: Connection, execution_ids: Sequence[str]) -> Mapping[str, State]:
    ids = [to_text(id_) for id_ in execution_ids]
    query = select(executions.c.id, executions.c.state).where(executions.c.id.in_(ids))
    return {from_text(id_): State(state) for id_, state in connection.execute(query)}


def _is(key: TriggerKey) -> ColumnElement[bool]:
    return and_(*(triggers.c[name] == value for name, value in rows.key_row(key).items()))


def _of_flow(table: Any, namespace: str, flow_id: str) -> ColumnElement[bool]:
    return and_(table.c.namespace == to_text(namespace), table.c.flow_id == to_text(flow_id))
