"""What is told to a store, and what it tells: records of rows, filters of lists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from msgspec import Struct, field

from engine.model.execution import Execution, StateChange, TaskRun
from engine.model.scheduling import Fire, TriggerState
from engine.model.search import Search, fits
from engine.model.state import State

#: What moves when a trigger fires. The rest is what persons wish.
PROGRESS = (
    "next_at", "last_at", "execution_id", "backfill_at", "memory", "failures", "retry_at", "problem",
)  # fmt: skip


class FlowRecord(Struct, frozen=True, kw_only=True):
    """A stored revision of a flow: its source as it was written."""

    namespace: str
    id: str
    revision: int
    source: str
    created_at: datetime
    disabled: bool = False
    deleted: bool = False  #: the flow ends with this revision, until it is stored again


class FlowText(Struct, frozen=True, kw_only=True):
    """A flow to be stored and deployed. `origin` is the file that it comes from, or "push"."""

    namespace: str
    id: str
    source: str
    disabled: bool
    origin: str


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
    `fire` is the reason of a new execution, which is stored only if nothing has been begun for that before; `trigger`
    is how far its trigger has come by that (`PROGRESS` of it), and `announced` what those who listen are to hear.
    `places` is set where it takes one of so many places of its flow: where engines share a store, that counts them.
    """

    before: Execution | None
    after: Execution
    task_runs: dict[str, TaskRun] = field(default_factory=dict)
    new_task_runs: set[str] = field(default_factory=set)
    removed_task_runs: set[str] = field(default_factory=set)
    logs: list[LogLine] = field(default_factory=list)
    metrics: list[Metric] = field(default_factory=list)
    fire: Fire | None = None
    trigger: TriggerState | None = None
    announced: tuple[StateChange, ...] = ()
    places: int | None = None


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
    parent_id: str | None = None  #: of a replay: the execution that it does again
    original_id: str | None = None  #: and the first of them


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
    search: Search | None = None  #: what else must hold of an `ExecutionSummary`
    limit: int = 25
    offset: int = 0
    oldest_first: bool = False
    #: Fields of the summary, or `duration`, that come before the time in the order; each with whether it falls.
    order: tuple[tuple[str, bool], ...] = ()

    def fits(self, summary: ExecutionSummary) -> bool:
        """Whether it means this execution."""
        return (
            _is_in(summary.namespace, self.namespace, below=self.below)
            and self.flow_id in (None, summary.flow_id)
            and (not self.states or summary.state in self.states)
            and (self.started_after is None or summary.started_at >= self.started_after)
            and (self.started_before is None or summary.started_at < self.started_before)
            and all(summary.labels.get(key) == value for key, value in self.labels.items())
            and (self.search is None or fits(self.search, summary))
        )

    def in_order(self, found: Iterable[ExecutionSummary]) -> list[ExecutionSummary]:
        """The order of the list. What has no such field is less than what has."""
        listed = sorted(found, key=lambda one: (one.started_at, one.id), reverse=not self.oldest_first)
        for field_name, falls in reversed(self.order):
            listed.sort(key=partial(_sort_key, field_name), reverse=falls)
        return listed


def _sort_key(field_name: str, summary: ExecutionSummary) -> tuple[bool, Any]:
    if field_name != "duration":
        value = getattr(summary, field_name)
    else:
        value = summary.ended_at - summary.started_at if summary.ended_at is not None else None
    return (False, 0) if value is None else (True, value)


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
