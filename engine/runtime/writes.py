"""Small writes that any command may make: each is data, so that the engine which owns the database can make it."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from engine.model.keyvalue import KeyValue
from engine.model.scheduling import TriggerState
from engine.ports import FlowText, Store

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


class DeployFlows(Struct, frozen=True, kw_only=True, tag="flows_deploy"):
    """Keep texts of flows as their newest revisions, unless they are that already, and deploy those.

    Gives the number of the last one's revision.
    """

    flows: tuple[FlowText, ...]
    at: datetime

    def perform(self, store: Store) -> int:
        stored = store.deploy_flows(self.flows, at=self.at)
        return stored[-1].revision if stored else 0


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


#: Any of them; `perform` is one transaction, done or not done, and harmless to repeat.
Write = (
    SetKey
    | DeleteKey
    | PurgeKeys
    | SetSecret
    | DeleteSecret
    | DeployFlows
    | DeleteFlow
    | DeleteExecution
    | PurgeExecutions
    | MoveTrigger
)
#: Those after which what is watched may be other than before.
ABOUT_TRIGGERS = (DeployFlows, DeleteFlow, MoveTrigger)
