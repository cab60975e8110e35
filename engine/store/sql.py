"""The store on a real database: the verbs of `engine.ports.Store`, each one transaction.

Always true: an exception out of a writing verb means that nothing of it was written.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import delete, insert, select

from engine.model.execution import Caller, Execution
from engine.model.keyvalue import KeyValue
from engine.model.scheduling import Announcement, Deployment, Fire, TriggerKey, TriggerState
from engine.model.state import State
from engine.ports import (
    ExecutionChange,
    ExecutionFilter,
    ExecutionSummary,
    FlowRecord,
    FlowText,
    LogFilter,
    LogLine,
    Metric,
    Removed,
    SecretRecord,
    SharingStore,
)
from engine.store import codec, flows, keyvalues, reading, removing, rows, scheduling, tables, upkeep, writing
from engine.store.database import Database


class SqlStore:
    """The `Store` on SQLite or PostgreSQL. Open it with `engine.store.open_store`."""

    sharing: SharingStore | None = None

    def __init__(self, database: Database) -> None:
        self.database = database

    def save_flow(self, namespace: str, flow_id: str, source: str, *, at: datetime, disabled: bool) -> FlowRecord:
        with self.database.writing_in_turn() as connection:
            return flows.save(connection, namespace, flow_id, source, at=at, disabled=disabled)

    def deploy_flows(self, flows: Sequence[FlowText], *, at: datetime) -> list[FlowRecord]:
        with self.database.writing_in_turn() as connection:
            return [scheduling.deploy_text(connection, flow, at) for flow in flows]

    def delete_flow(self, namespace: str, flow_id: str, *, at: datetime) -> bool:
        with self.database.writing_in_turn() as connection:
            return flows.delete(connection, namespace, flow_id, at=at)

    def flow(self, namespace: str, flow_id: str, revision: int | None = None) -> FlowRecord | None:
        with self.database.reading() as connection:
            return flows.one(connection, namespace, flow_id, revision)

    def flows(self, namespace: str | None = None) -> list[FlowRecord]:
        with self.database.reading() as connection:
            return flows.newest_of_each(connection, namespace)

    @cached_property
    def _commit_statements(self) -> writing.CommitStatements:
        return writing.CommitStatements(self.database.dialect)

    def commit(self, changes: Sequence[ExecutionChange]) -> None:
        batch = writing.encode(changes)
        with self.database.writing() as connection:
            self._commit_statements.send(connection, batch)

    def execution(self, execution_id: str) -> Execution | None:
        with self.database.reading() as connection:
            return reading.execution(connection, execution_id)

    def some(self, execution_ids: Sequence[str]) -> list[Execution]:
        with self.database.reading() as connection:
            return reading.some(connection, execution_ids)

    def executions(self, where: ExecutionFilter) -> tuple[list[ExecutionSummary], int]:
        with self.database.reading() as connection:
            return reading.page(connection, where)

    def called_by(self, caller: Caller) -> list[ExecutionSummary]:
        with self.database.reading() as connection:
            return reading.called_by(connection, caller)

    def unfinished(self) -> list[str]:
        with self.database.reading() as connection:
            return reading.unfinished(connection)

    def logs(
        self,
        execution_id: str,
        *,
        after: int = 0,
        limit: int = 1000,
        task_id: str | None = None,
        min_level: str | None = None,
    ) -> list[LogLine]:
        with self.database.reading() as connection:
            return reading.log_lines(
                connection, execution_id, after=after, limit=limit, task_id=task_id, min_level=min_level
            )

    def metrics(self, execution_id: str) -> list[Metric]:
        with self.database.reading() as connection:
            return reading.metric_values(connection, execution_id)

    def delete(self, execution_id: str) -> bool:
        with self.database.writing() as connection:
            return removing.one(connection, execution_id)

    def purge(
        self,
        execution_ids: Sequence[str],
        *,
        executions: bool = True,
        logs: bool = True,
        metrics: bool = True,
        at_most: int | None = None,
    ) -> Removed:
        wanted = {"whole": executions, "of_logs": logs, "of_metrics": metrics}
        with self.database.writing() as connection:
            return removing.finished(connection, execution_ids, **wanted, at_most=at_most)

    def expendable(
        self, *, ended_before: datetime | None = None, flow: tuple[str, str] | None = None, limit: int = 100
    ) -> list[ExecutionSummary]:
        with self.database.reading() as connection:
            return upkeep.expendable(connection, ended_before=ended_before, flow=flow, limit=limit)

    def flow_sizes(self) -> Mapping[tuple[str, str], int]:
        with self.database.reading() as connection:
            return upkeep.flow_sizes(connection)

    def whole(self, *, after: str = "", limit: int = 100) -> list[Execution]:
        with self.database.reading() as connection:
            return upkeep.whole(connection, after=after, limit=limit)

    def ids(self, *, after: str = "", limit: int = 100) -> list[str]:
        with self.database.reading() as connection:
            return upkeep.ids(connection, after=after, limit=limit)

    def size(self) -> int | None:
        return self.database.size

    def shrink(self) -> bool:
        return self.database.shrink()

    def purge_logs(self, where: LogFilter) -> int:
        with self.database.writing() as connection:
            return removing.log_lines(connection, where)

    def meta(self, key: str) -> Any:
        query = select(tables.meta.c.value).where(tables.meta.c.key == codec.to_text(key))
        with self.database.reading() as connection:
            text = connection.execute(query).scalar_one_or_none()
        return None if text is None else codec.from_json(text)

    def set_meta(self, key: str, value: Any) -> None:
        name, text = rows.meta_row(key, value)
        with self.database.writing_in_turn() as connection:
            connection.execute(delete(tables.meta).where(tables.meta.c.key == name))
            if value is not None:
                connection.execute(insert(tables.meta).values(key=name, value=text))

    def kv_get(self, namespace: str, key: str) -> KeyValue | None:
        with self.database.reading() as connection:
            return keyvalues.one(connection, namespace, key)

    def kv_set(self, pair: KeyValue, *, overwrite: bool = True) -> bool:
        with self.database.writing_in_turn() as connection:
            return keyvalues.put(connection, pair, overwrite=overwrite)

    def kv_delete(self, namespace: str, key: str) -> bool:
        with self.database.writing() as connection:
            return keyvalues.remove(connection, namespace, key)

    def kv_list(self, namespace: str | None = None, prefix: str = "") -> list[KeyValue]:
        with self.database.reading() as connection:
            return keyvalues.matching(connection, namespace, prefix)

    def kv_purge(self, pairs: Sequence[KeyValue]) -> int:
        with self.database.writing() as connection:
            return keyvalues.remove_unchanged(connection, pairs)

    def kv_forget(self, at: datetime, *, limit: int = 100) -> int:
        with self.database.writing() as connection:
            return upkeep.forget_expired(connection, at, limit)

    def secret_get(self, key: str) -> str | None:
        with self.database.reading() as connection:
            return keyvalues.sealed(connection, key)

    def secret_set(self, key: str, sealed: str, *, at: datetime) -> None:
        with self.database.writing_in_turn() as connection:
            keyvalues.seal(connection, SecretRecord(key=key, updated_at=at), sealed)

    def secret_delete(self, key: str) -> bool:
        with self.database.writing() as connection:
            return keyvalues.unseal(connection, key)

    def secret_list(self) -> list[SecretRecord]:
        with self.database.reading() as connection:
            return keyvalues.sealed_keys(connection)

    def deploy(self, deployment: Deployment) -> None:
        with self.database.writing_in_turn() as connection:
            scheduling.deploy(connection, deployment)

    def undeploy(self, namespace: str, flow_id: str) -> bool:
        with self.database.writing() as connection:
            return scheduling.undeploy(connection, namespace, flow_id)

    def deployments(self) -> list[Deployment]:
        with self.database.reading() as connection:
            return scheduling.all_deployments(connection)

    def trigger_states(self) -> list[TriggerState]:
        with self.database.reading() as connection:
            return scheduling.trigger_states(connection)

    def trigger_state(self, key: TriggerKey) -> TriggerState | None:
        with self.database.reading() as connection:
            return scheduling.trigger_state(connection, key)

    def move_trigger(self, state: TriggerState, fields: Collection[str]) -> None:
        with self.database.writing() as connection:
            scheduling.move_trigger(connection, state, fields)

    def move_triggers(self, states: Sequence[TriggerState], fields: Collection[str]) -> None:
        with self.database.writing() as connection:
            for state in states:
                scheduling.move_trigger(connection, state, fields)

    def fire(self, scope: str, key: str) -> Fire | None:
        with self.database.reading() as connection:
            return scheduling.fire(connection, scope, key)

    def forget_fires(self, before: datetime) -> int:
        with self.database.writing() as connection:
            return scheduling.forget_fires(connection, before)

    def announcements(self, limit: int = 100) -> list[Announcement]:
        with self.database.reading() as connection:
            return scheduling.unheard(connection, limit)

    def heard(self, announcements: Sequence[int]) -> None:
        with self.database.writing() as connection:
            scheduling.heard(connection, announcements)

    def alone(self, what: str) -> AbstractContextManager[bool]:
        return self.database.alone(what)

    def states(self, execution_ids: Sequence[str]) -> Mapping[str, State]:
        with self.database.reading() as connection:
            return scheduling.states(connection, execution_ids)

    def own(self, *, socket: str | None = None) -> None:
        self.database.own(socket)

    def close(self) -> None:
        self.database.close()
