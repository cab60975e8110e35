"""Where state lives. Verbs are the domain's, not a database's: each is one transaction, done or not done."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from engine.model.execution import Caller, Execution
from engine.model.keyvalue import KeyValue
from engine.ports.records import (
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
)
from engine.ports.scheduling import SchedulingStore
from engine.ports.sharing import SharingStore
from engine.ports.upkeep import UpkeepStore


class Store(SchedulingStore, UpkeepStore, Protocol):
    """Where state lives. Every write verb is one transaction; an exception means that nothing was written."""

    @property
    def sharing(self) -> SharingStore | None:
        """What engines that share this store need; None where one engine has it for itself."""

    def save_flow(self, namespace: str, flow_id: str, source: str, *, at: datetime, disabled: bool) -> FlowRecord:
        """Store a source as the newest revision. The same source as the newest one gives that one back."""

    def deploy_flows(self, flows: Sequence[FlowText], *, at: datetime) -> list[FlowRecord]:
        """Store the flows as `save_flow` does, and switch their triggers on, all in one transaction."""

    def delete_flow(self, namespace: str, flow_id: str, *, at: datetime) -> bool:
        """Add a last revision which says that the flow is deleted; those before it stay. False when there is none."""

    def flow(self, namespace: str, flow_id: str, revision: int | None = None) -> FlowRecord | None:
        """A revision, by default the newest; the newest of a flow that is deleted is none."""

    def flows(self, namespace: str | None = None) -> list[FlowRecord]:
        """The newest revision of every flow, of a namespace and those below it if one is named; by namespace and id."""

    def commit(self, changes: Sequence[ExecutionChange]) -> None:
        """Write all changes in one transaction.

        Updates are guarded: a task run whose stored epoch is newer, or whose stored state is terminal and
        whose change is not a person's restart, is not overwritten; then the whole commit raises `Fenced`. So it does
        for a fire that has been before, and for a trigger that is disabled or not deployed any more.
        """

    def execution(self, execution_id: str) -> Execution | None:
        """An execution with all its task runs."""

    def some(self, execution_ids: Sequence[str]) -> list[Execution]:
        """Those of the executions that there are, with all their task runs, in the order of their ids."""

    def executions(self, where: ExecutionFilter) -> tuple[list[ExecutionSummary], int]:
        """A page of executions, and how many there are in all."""

    def called_by(self, caller: Caller) -> list[ExecutionSummary]:
        """The executions that a task run began, oldest first."""

    def unfinished(self) -> list[str]:
        """The ids of all executions that are not over, oldest first."""

    def logs(
        self,
        execution_id: str,
        *,
        after: int = 0,
        limit: int = 1000,
        task_id: str | None = None,
        min_level: str | None = None,
    ) -> list[LogLine]:
        """Log lines with an id above `after`, in order."""

    def metrics(self, execution_id: str) -> list[Metric]:
        """All metrics of an execution, in order."""

    def delete(self, execution_id: str) -> bool:
        """Remove an execution, whatever its state, with all that belongs to it; False when there is none.

        One that an engine moves is fenced off: that engine gives it up at its next commit.
        """

    def purge(
        self,
        execution_ids: Sequence[str],
        *,
        executions: bool = True,
        logs: bool = True,
        metrics: bool = True,
        at_most: int | None = None,
    ) -> Removed:
        """Remove what is wanted of these executions, as far as they are over. Logs and metrics go with their execution.

        Each call is one transaction, so name some hundreds at a time. `at_most` so many log lines and metrics go in it;
        when there are as many, the executions themselves stay for another call.
        """

    def purge_logs(self, where: LogFilter) -> int:
        """Remove log lines, at most `where.limit` of them in this one transaction; how many."""

    def meta(self, key: str) -> Any:
        """A value kept beside the data (instance row, last clean stop); None when absent. JSON-able."""

    def set_meta(self, key: str, value: Any) -> None:
        """Keep a JSON-able value; None removes it."""

    def kv_get(self, namespace: str, key: str) -> KeyValue | None:
        """The pair in exactly this namespace, though it may have expired."""

    def kv_set(self, pair: KeyValue, *, overwrite: bool = True) -> bool:
        """Keep the pair; one that it replaces gives it its `created_at`.

        Without `overwrite`, one that is there and has not expired by `pair.updated_at` stays, and the answer is False.
        """

    def kv_delete(self, namespace: str, key: str) -> bool:
        """Remove the pair; False when there was none."""

    def kv_list(self, namespace: str | None = None, prefix: str = "") -> list[KeyValue]:
        """The pairs of a namespace, or of all, whose keys begin so, by namespace and key; expired ones too."""

    def kv_purge(self, pairs: Sequence[KeyValue]) -> int:
        """Remove these pairs, but for those that were set anew since they were read. How many are gone."""

    def secret_get(self, key: str) -> str | None:
        """The secret's value, sealed as it was given."""

    def secret_set(self, key: str, sealed: str, *, at: datetime) -> None:
        """Keep a value that is sealed already: the store never sees a secret."""

    def secret_delete(self, key: str) -> bool:
        """Remove the secret; False when there was none."""

    def secret_list(self) -> list[SecretRecord]:
        """Which secrets there are, by key."""

    def own(self, *, socket: str | None = None) -> None:
        """Take the right to write now, rather than at the first write, until `close`; free to do again.

        `socket` is where this engine listens for commands. Raises StoreBusy when another engine has the right;
        a database that several engines may write to never does.
        """

    def close(self) -> None:
        """Finish and release everything. Safe to call twice."""
