"""Small writes that any command may make: each is data, so that the engine which owns the database can make it."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from engine.model.flow import Flow
from engine.model.keyvalue import KeyValue
from engine.model.scheduling import Deployment, TriggerState
from engine.ports import Store

#: How many log lines and metrics one transaction removes with executions.
PURGED_ROWS = 2000


class SetKey(Struct, frozen=True, kw_only=True, tag="kv_set"):
    """Keep a pair; 0 when another one stays."""

    pair: KeyValue
    overwrite: bool = True

    def perform(self, store: Store) -> int:
        return store.kv_set(self.pair, overwrite=self.overwrite)


class DeleteKey(Struct, frozen=True, kw_only=True, tag="kv_delete"):
    """Remove a pair; 0 when there is none."""

    namespace: str
    key: str

    def perform(self, store: Store) -> int:
        return store.kv_delete(self.namespace, self.key)


class PurgeKeys(Struct, frozen=True, kw_only=True, tag="kv_purge"):
    """Remove pairs that were not set anew; how many."""

    pairs: tuple[KeyValue, ...]

    def perform(self, store: Store) -> int:
        return store.kv_purge(self.pairs)


class SetSecret(Struct, frozen=True, kw_only=True, tag="secret_set"):
    """Keep a secret that is sealed already."""

    key: str
    sealed: str
    at: datetime

    def perform(self, store: Store) -> int:
        store.secret_set(self.key, self.sealed, at=self.at)
        return 1


class DeleteSecret(Struct, frozen=True, kw_only=True, tag="secret_delete"):
    """Remove a secret; 0 when there is none."""

    key: str

    def perform(self, store: Store) -> int:
        return store.secret_delete(self.key)


class SaveFlow(Struct, frozen=True, kw_only=True, tag="flow_save"):
    """Keep a flow's text as its newest revision, unless it is that already, and deploy that; the revision's number."""

    namespace: str
    id: str
    source: str
    disabled: bool
    at: datetime
    origin: str

    @classmethod
    def of(cls, flow: Flow, origin: str, at: datetime) -> SaveFlow:
        assert flow.source is not None, "a flow that was loaded knows its text"
        return cls(
            namespace=flow.namespace, id=flow.id, source=flow.source, disabled=flow.disabled, at=at, origin=origin
        )

    def perform(self, store: Store) -> int:
        stored = store.save_flow(self.namespace, self.id, self.source, at=self.at, disabled=self.disabled)
        store.deploy(
            Deployment(
                namespace=self.namespace, flow_id=self.id, revision=stored.revision, origin=self.origin, at=self.at
            )
        )
        return stored.revision


class DeleteFlow(Struct, frozen=True, kw_only=True, tag="flow_delete"):
    """Delete a flow with its deployment; its revisions stay for its executions. 0 when there is none."""

    namespace: str
    id: str
    at: datetime

    def perform(self, store: Store) -> int:
        store.undeploy(self.namespace, self.id)
        return store.delete_flow(self.namespace, self.id, at=self.at)


class DeleteExecution(Struct, frozen=True, kw_only=True, tag="execution_delete"):
    """Remove an execution that is over, with its task runs, logs and metrics; 0 when there is none."""

    id: str

    def perform(self, store: Store) -> int:
        return store.purge([self.id]).executions


class PurgeExecutions(Struct, frozen=True, kw_only=True, tag="executions_purge"):
    """Remove executions as far as they are over, in steps: how many rows went in this one, 0 when there is no more."""

    ids: tuple[str, ...]

    def perform(self, store: Store) -> int:
        removed = store.purge(self.ids, at_most=PURGED_ROWS)
        return removed.executions + removed.logs + removed.metrics


class MoveTrigger(Struct, frozen=True, kw_only=True, tag="trigger_move"):
    """Remember some fields of a trigger, such as whether it is disabled."""

    state: TriggerState
    fields: tuple[str, ...]

    def perform(self, store: Store) -> int:
        store.move_trigger(self.state, self.fields)
        return 1


class Undeploy(Struct, frozen=True, kw_only=True, tag="undeploy"):
    """Switch the triggers of a flow off; 0 when they were not on."""

    namespace: str
    id: str

    def perform(self, store: Store) -> int:
        return store.undeploy(self.namespace, self.id)


#: Any of them; `perform` is one transaction, done or not done, and harmless to repeat.
Write = (
    SetKey
    | DeleteKey
    | PurgeKeys
    | SetSecret
    | DeleteSecret
    | SaveFlow
    | DeleteFlow
    | DeleteExecution
    | PurgeExecutions
    | MoveTrigger
    | Undeploy
)
#: Those after which what is watched may be other than before.
ABOUT_TRIGGERS = (SaveFlow, DeleteFlow, MoveTrigger, Undeploy)
