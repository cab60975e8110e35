"""What the shell needs from the world outside, as Protocols. One contract suite runs on every adapter.

Verbs are the domain's, not a database's: each is one transaction, done or not done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, BinaryIO, Protocol

from msgspec import Struct, field

from engine.model.execution import Caller, Execution, TaskRun
from engine.model.keyvalue import KeyValue
from engine.model.state import State


class FlowRecord(Struct, frozen=True, kw_only=True):
    """A stored revision of a flow: its source as it was written."""

    namespace: str
    id: str
    revision: int
    source: str
    created_at: datetime
    disabled: bool = False


class LogLine(Struct, frozen=True, kw_only=True):
    """One log line. `level` is TRACE, DEBUG, INFO, WARN or ERROR. `id` is given by the store, rising."""

    execution_id: str
    at: datetime
    level: str
    message: str
    task_run_id: str | None = None
    task_id: str | None = None
    attempt: int | None = None
    id: int | None = None


class Metric(Struct, frozen=True, kw_only=True):
    """A number that a task reported. `kind` is counter or timer (seconds)."""

    execution_id: str
    at: datetime
    task_run_id: str
    task_id: str
    name: str
    kind: str
    value: float
    tags: Mapping[str, str] = field(default_factory=dict)


class ExecutionChange(Struct, kw_only=True):
    """What a group commit writes about one execution: the newest value, and just the task runs that moved.

    `before` is what the store holds (None: the execution is new). `task_runs` maps id -> newest value;
    `new_task_runs` are the ids among them that the store has never seen, `removed_task_runs` those that are gone.
    """

    before: Execution | None
    after: Execution
    task_runs: dict[str, TaskRun] = field(default_factory=dict)
    new_task_runs: set[str] = field(default_factory=set)
    removed_task_runs: set[str] = field(default_factory=set)
    logs: list[LogLine] = field(default_factory=list)
    metrics: list[Metric] = field(default_factory=list)


class ExecutionSummary(Struct, frozen=True, kw_only=True):
    """A row of a list of executions: no inputs, no outputs, no task runs."""

    id: str
    namespace: str
    flow_id: str
    flow_revision: int
    state: State
    started_at: datetime
    ended_at: datetime | None
    labels: Mapping[str, str]
    error: str | None


def _is_in(namespace: str, place: str | None, *, below: bool) -> bool:
    return place in (None, namespace) or (below and namespace.startswith(f"{place}."))


class ExecutionFilter(Struct, frozen=True, kw_only=True):
    """Which executions to list, newest first unless it says otherwise. Empty fields do not filter."""

    namespace: str | None = None
    below: bool = True  #: whether the namespaces below that one count, too: `acme` also finds `acme.team`
    flow_id: str | None = None
    states: Sequence[State] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    started_after: datetime | None = None
    started_before: datetime | None = None
    limit: int = 25
    offset: int = 0
    oldest_first: bool = False

    def fits(self, summary: ExecutionSummary) -> bool:
        """Whether it means this execution."""
        return (
            _is_in(summary.namespace, self.namespace, below=self.below)
            and self.flow_id in (None, summary.flow_id)
            and (not self.states or summary.state in self.states)
            and (self.started_after is None or summary.started_at >= self.started_after)
            and (self.started_before is None or summary.started_at < self.started_before)
            and all(summary.labels.get(key) == value for key, value in self.labels.items())
        )


class LogFilter(Struct, frozen=True, kw_only=True):
    """Which log lines of all executions are meant, the oldest first. Empty fields do not filter."""

    namespace: str | None = None
    below: bool = True  #: as for executions
    flow_id: str | None = None
    levels: Sequence[str] = ()
    after: datetime | None = None
    before: datetime | None = None
    limit: int = 10_000

    def concerns(self, execution: ExecutionSummary) -> bool:
        """Whether lines of this execution may be meant."""
        flow_is_meant = self.flow_id in (None, execution.flow_id)
        return flow_is_meant and _is_in(execution.namespace, self.namespace, below=self.below)

    def fits(self, line: LogLine) -> bool:
        """Whether it means this line, if it concerns the line's execution."""
        return (
            (not self.levels or line.level in self.levels)
            and (self.after is None or line.at >= self.after)
            and (self.before is None or line.at < self.before)
        )


class Removed(Struct, frozen=True, kw_only=True):
    """How much a purge took away."""

    executions: int = 0
    logs: int = 0
    metrics: int = 0


class SecretRecord(Struct, frozen=True, kw_only=True):
    """What may be told of a stored secret."""

    key: str
    updated_at: datetime


class Store(Protocol):
    """Where state lives. Every write verb is one transaction; an exception means that nothing was written."""

    def save_flow(self, namespace: str, flow_id: str, source: str, *, at: datetime, disabled: bool) -> FlowRecord:
        """Store a source as the newest revision. The same source as the newest one gives that one back."""

    def flow(self, namespace: str, flow_id: str, revision: int | None = None) -> FlowRecord | None:
        """A revision, by default the newest."""

    def flows(self, namespace: str | None = None) -> list[FlowRecord]:
        """The newest revision of every flow, of a namespace and those below it if one is named; by namespace and id."""

    def commit(self, changes: Sequence[ExecutionChange]) -> None:
        """Write all changes in one transaction.

        Updates are guarded: a task run whose stored epoch is newer, or whose stored state is terminal and
        whose change is not a person's restart, is not overwritten; then the whole commit raises `Fenced`.
        """

    def execution(self, execution_id: str) -> Execution | None:
        """An execution with all its task runs."""

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
        self, execution_ids: Sequence[str], *, executions: bool = True, logs: bool = True, metrics: bool = True
    ) -> Removed:
        """Remove what is wanted of these executions, as far as they are over. Logs and metrics go with their execution.

        Each call is one transaction, so name some hundreds at a time.
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


class Files(Protocol):
    """Internal storage: what is under the URIs of `engine.model.file_uri`. Good for many threads at once.

    Contents are streams and may be larger than the memory. Every verb raises FileRefused for a URI that cannot name a
    file, and StoreError when the storage fails.
    """

    def put(self, uri: str, content: BinaryIO) -> None:
        """Store all that can be read from `content`, in place of what is there; all of it or nothing. It lasts."""

    def open(self, uri: str) -> BinaryIO:
        """The content, to be read and closed. Raises NotFound."""

    def size(self, uri: str) -> int:
        """In bytes. Raises NotFound."""

    def exists(self, uri: str) -> bool:
        """Whether there is such a file; a folder is none."""

    def delete(self, uri: str) -> bool:
        """Remove a file. Returns whether it was there."""

    def delete_tree(self, folder: str) -> list[str]:
        """Remove a folder with all that is below it. Returns the URIs of the files that were there."""

    def list(self, folder: str) -> list[str]:
        """The URIs of all files below a folder, sorted; none when there is no such folder."""


class Clock(Protocol):
    """Time. `now` is aware UTC; `monotonic` is in seconds and never goes back."""

    def now(self) -> datetime: ...

    def monotonic(self) -> float: ...


class Cipher(Protocol):
    """Seals texts with the key of this instance."""

    def encrypt(self, text: str) -> str:
        """The text, sealed. Twice the same text gives two different answers."""

    def decrypt(self, sealed: str) -> str:
        """The text behind what `encrypt` gave. Raises UsageError when another key sealed it, or it was changed."""
