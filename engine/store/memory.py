"""The store without a database: the same verbs, the same refusals, gone with the process. For simulation and tests.

Always true: it keeps the rows that a database would, not the caller's objects, so both read back the same;
a commit is checked as a whole before any of it is kept.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from threading import RLock
from typing import Any

from msgspec.structs import replace

from engine.errors import Fenced
from engine.model.execution import Caller, Execution, TaskRun
from engine.model.keyvalue import KeyValue
from engine.model.state import TERMINAL, State
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
)
from engine.store import codec, rows
from engine.store.memory_scheduling import MemoryScheduling
from engine.store.rows import Row
from engine.store.scheduling_rows import deployment_of

_EXECUTION_STATE, _CALLER, _LINGERING = 6, slice(16, 18), 22
_STATE, _EPOCH = 7, 8  # places in the row of a task run
_SUMMARY = (0, 1, 2, 3, 6, 7, 8, 11, 9, 4, 5)  # places in the row of an execution, as `rows.read_summary` takes them
_TERMINAL = frozenset(state.value for state in TERMINAL)


class MemoryStore(MemoryScheduling):
    """The `Store` in memory. Any thread may use it."""

    sharing = None

    def __init__(self) -> None:
        super().__init__(RLock())
        self._flows: dict[tuple[str, str], list[FlowRecord]] = {}
        self._executions: dict[str, Row] = {}
        self._task_runs: dict[str, dict[str, Row]] = {}  # execution -> task run -> row
        self._logs: dict[str, list[Row]] = {}
        self._metrics: dict[str, list[Row]] = {}
        self._meta: dict[str, str] = {}
        self._kv: dict[tuple[str, str], Row] = {}  # namespace and key -> row
        self._secrets: dict[str, tuple[str, datetime]] = {}
        self._last_log = 0

    def save_flow(self, namespace: str, flow_id: str, source: str, *, at: datetime, disabled: bool) -> FlowRecord:
        with self._lock:
            revisions = self._flows.setdefault((namespace, flow_id), [])
            if not revisions or revisions[-1].source != source or revisions[-1].deleted:
                record = FlowRecord(
                    namespace=namespace,
                    id=flow_id,
                    revision=len(revisions) + 1,
                    source=source,
                    created_at=at,
                    disabled=disabled,
                )
                revisions.append(rows.read_flow(rows.flow_row(record)))
            return revisions[-1]

    def deploy_flows(self, flows: Sequence[FlowText], *, at: datetime) -> list[FlowRecord]:
        stored = []
        with self._lock:
            for flow in flows:
                stored.append(self.save_flow(flow.namespace, flow.id, flow.source, at=at, disabled=flow.disabled))
                self.deploy(deployment_of(flow, stored[-1].revision, at))
        return stored

    def delete_flow(self, namespace: str, flow_id: str, *, at: datetime) -> bool:
        with self._lock:
            last = self.flow(namespace, flow_id)
            if last is not None:
                gone = replace(last, revision=last.revision + 1, created_at=at, deleted=True)
                self._flows[(namespace, flow_id)].append(rows.read_flow(rows.flow_row(gone)))
        return last is not None

    def flow(self, namespace: str, flow_id: str, revision: int | None = None) -> FlowRecord | None:
        with self._lock:
            revisions = self._flows.get((namespace, flow_id), [])
            if revision is None:
                return revisions[-1] if revisions and not revisions[-1].deleted else None
            return next((each for each in revisions if each.revision == revision), None)

    def flows(self, namespace: str | None = None) -> list[FlowRecord]:
        with self._lock:
            names = sorted(key for key in self._flows if _is_within(key[0], namespace))
            return [self._flows[key][-1] for key in names if not self._flows[key][-1].deleted]

    def commit(self, changes: Sequence[ExecutionChange]) -> None:
        executions: dict[str, Row] = {}
        task_runs: dict[str, dict[str, Row]] = {}
        logs = [rows.log_row(line) for change in changes for line in change.logs]
        metrics = [rows.metric_row(metric) for change in changes for metric in change.metrics]
        with self._lock:
            for change in changes:
                id_ = change.after.id
                _check_execution(change, executions.get(id_, self._executions.get(id_)))
                executions[id_] = rows.execution_row(change.after)
                staged = task_runs.setdefault(id_, {})
                for run_id, run in change.task_runs.items():
                    stored = staged.get(run_id) or self._task_runs.get(id_, {}).get(run_id)
                    _check_task_run(run, stored, new=run_id in change.new_task_runs)
                    staged[run_id] = rows.task_run_row(run)
            self._check_scheduling(changes)
            for change in changes:
                for run_id in change.removed_task_runs:
                    self._task_runs.get(change.after.id, {}).pop(run_id, None)
            self._keep(executions, task_runs, logs, metrics)
            self._keep_scheduling(changes)

    def _keep(
        self,
        executions: Mapping[str, Row],
        task_runs: Mapping[str, Mapping[str, Row]],
        logs: Sequence[Row],
        metrics: Sequence[Row],
    ) -> None:
        self._executions.update(executions)
        for id_, runs in task_runs.items():
            self._task_runs.setdefault(id_, {}).update(runs)
        for row in logs:
            self._last_log += 1
            self._logs.setdefault(codec.from_text(row[0]), []).append((self._last_log, *row))
        for row in metrics:
            self._metrics.setdefault(codec.from_text(row[0]), []).append(row)

    def execution(self, execution_id: str) -> Execution | None:
        with self._lock:
            row = self._executions.get(execution_id)
            runs = list(self._task_runs.get(execution_id, {}).values())
        return None if row is None else rows.read_execution(row, runs)

    def some(self, execution_ids: Sequence[str]) -> list[Execution]:
        found = [self.execution(id_) for id_ in sorted({*execution_ids})]
        return [execution for execution in found if execution is not None]

    def executions(self, where: ExecutionFilter) -> tuple[list[ExecutionSummary], int]:
        with self._lock:
            stored = list(self._executions.values())
        every = (rows.read_summary([row[place] for place in _SUMMARY]) for row in stored)
        found = where.in_order(summary for summary in every if where.fits(summary))
        return found[where.offset : where.offset + where.limit], len(found)

    def called_by(self, caller: Caller) -> list[ExecutionSummary]:
        with self._lock:
            stored = list(self._executions.values())
        of_caller = [codec.to_text(caller.execution_id), codec.to_text(caller.task_run_id)]
        called = [row for row in stored if [*row[_CALLER]] == of_caller]
        found = [rows.read_summary([row[place] for place in _SUMMARY]) for row in called]
        return sorted(found, key=lambda summary: (summary.started_at, summary.id))

    def unfinished(self) -> list[str]:
        with self._lock:
            stored = list(self._executions.values())
        lingering = {row[0] for row in stored if row[_LINGERING]}
        every = (rows.read_summary([row[place] for place in _SUMMARY]) for row in stored)
        oldest_first = sorted(
            (each for each in every if each.state not in TERMINAL or each.id in lingering),
            key=lambda each: (each.started_at, each.id),
        )
        return [summary.id for summary in oldest_first]

    def logs(
        self,
        execution_id: str,
        *,
        after: int = 0,
        limit: int = 1000,
        task_id: str | None = None,
        min_level: str | None = None,
    ) -> list[LogLine]:
        levels = rows.levels_from(min_level) if min_level is not None else rows.LEVELS
        with self._lock:
            lines = [rows.read_log(row) for row in self._logs.get(execution_id, []) if row[0] > after]
        return [line for line in lines if task_id in (None, line.task_id) and line.level in levels][:limit]

    def metrics(self, execution_id: str) -> list[Metric]:
        with self._lock:
            return [rows.read_metric(row) for row in self._metrics.get(execution_id, [])]

    def delete(self, execution_id: str) -> bool:
        with self._lock:
            was_there = self._executions.pop(execution_id, None) is not None
            for kept in (self._task_runs, self._logs, self._metrics):
                kept.pop(execution_id, None)
            self._forget_announcements(execution_id)
        return was_there

    def purge(
        self,
        execution_ids: Sequence[str],
        *,
        executions: bool = True,
        logs: bool = True,
        metrics: bool = True,
        at_most: int | None = None,
    ) -> Removed:
        room = sys.maxsize if at_most is None else at_most
        with self._lock:
            over = [id_ for id_ in execution_ids if _is_over(self._executions.get(id_))]
            lines = _taken(self._logs, over, room) if logs or executions else 0
            values = _taken(self._metrics, over, room - lines) if metrics or executions else 0
            whole = sum(self.delete(id_) for id_ in over) if executions and lines + values < room else 0
        return Removed(executions=whole, logs=lines, metrics=values)

    def expendable(
        self, *, ended_before: datetime | None = None, flow: tuple[str, str] | None = None, limit: int = 100
    ) -> list[ExecutionSummary]:
        with self._lock:
            over = {id_: row for id_, row in self._executions.items() if _is_over(row)}
            callers = {id_: codec.maybe_from_text(row[_CALLER][0]) for id_, row in over.items()}
            free = [over[id_] for id_, by in callers.items() if by not in self._executions or by in over]
        every = (rows.read_summary([row[place] for place in _SUMMARY]) for row in free)
        found = [
            each
            for each in every
            if flow in (None, (each.namespace, each.flow_id))
            and (ended_before is None or (each.ended_at is not None and each.ended_at < ended_before))
        ]
        return sorted(found, key=lambda each: (each.started_at, each.id))[:limit]

    def flow_sizes(self) -> Mapping[tuple[str, str], int]:
        with self._lock:
            return Counter((codec.from_text(row[1]), codec.from_text(row[2])) for row in self._executions.values())

    def ids(self, *, after: str = "", limit: int = 100) -> list[str]:
        with self._lock:
            return sorted(id_ for id_ in self._executions if id_ > after)[:limit]

    def whole(self, *, after: str = "", limit: int = 100) -> list[Execution]:
        with self._lock:
            found = [self.execution(id_) for id_ in self.ids(after=after, limit=limit)]
        return [execution for execution in found if execution is not None]

    def size(self) -> int | None:
        return None

    def shrink(self) -> bool:
        return False

    def purge_logs(self, where: LogFilter) -> int:
        with self._lock:
            every = [rows.read_summary([row[place] for place in _SUMMARY]) for row in self._executions.values()]
            concerned = [row for each in every if where.concerns(each) for row in self._logs.get(each.id, ())]
            meant = [row for row in concerned if where.fits(rows.read_log(row))]
            lines = sorted(meant, key=lambda row: int(row[0]))[: where.limit]
            for row in lines:
                self._logs[codec.from_text(row[1])].remove(row)
        return len(lines)

    def meta(self, key: str) -> Any:
        with self._lock:
            text = self._meta.get(key)
        return None if text is None else codec.from_json(text)

    def set_meta(self, key: str, value: Any) -> None:
        _key, text = rows.meta_row(key, value)
        with self._lock:
            if value is None:
                self._meta.pop(key, None)
            else:
                self._meta[key] = text

    def kv_get(self, namespace: str, key: str) -> KeyValue | None:
        with self._lock:
            row = self._kv.get((namespace, key))
        return None if row is None else rows.read_keyvalue(row)

    def kv_set(self, pair: KeyValue, *, overwrite: bool = True) -> bool:
        with self._lock:
            merged = rows.merged(self.kv_get(pair.namespace, pair.key), pair, overwrite=overwrite)
            if merged is not None:
                self._kv[pair.namespace, pair.key] = rows.keyvalue_row(merged)
        return merged is not None

    def kv_delete(self, namespace: str, key: str) -> bool:
        with self._lock:
            return self._kv.pop((namespace, key), None) is not None

    def kv_list(self, namespace: str | None = None, prefix: str = "") -> list[KeyValue]:
        with self._lock:
            stored = sorted(self._kv.items())
        return [
            rows.read_keyvalue(row)
            for (space, key), row in stored
            if namespace in (None, space) and key.startswith(prefix)
        ]

    def kv_purge(self, pairs: Sequence[KeyValue]) -> int:
        with self._lock:
            stale = [pair for pair in pairs if self._last_set(pair) == pair.updated_at]
            return sum(self.kv_delete(pair.namespace, pair.key) for pair in stale)

    def kv_forget(self, at: datetime, *, limit: int = 100) -> int:
        with self._lock:
            pairs = [pair for pair in self.kv_list() if pair.expires_at is not None and pair.expires_at <= at][:limit]
            return sum(self.kv_delete(pair.namespace, pair.key) for pair in pairs)

    def _last_set(self, pair: KeyValue) -> datetime | None:
        stored = self.kv_get(pair.namespace, pair.key)
        return None if stored is None else stored.updated_at

    def secret_get(self, key: str) -> str | None:
        with self._lock:
            return self._secrets[key][0] if key in self._secrets else None

    def secret_set(self, key: str, sealed: str, *, at: datetime) -> None:
        with self._lock:
            self._secrets[key] = (sealed, at)

    def secret_delete(self, key: str) -> bool:
        with self._lock:
            return self._secrets.pop(key, None) is not None

    def secret_list(self) -> list[SecretRecord]:
        with self._lock:
            return [SecretRecord(key=key, updated_at=at) for key, (_, at) in sorted(self._secrets.items())]

    def states(self, execution_ids: Sequence[str]) -> Mapping[str, State]:
        with self._lock:
            return {
                id_: State(self._executions[id_][_EXECUTION_STATE]) for id_ in execution_ids if id_ in self._executions
            }

    def own(self, *, socket: str | None = None) -> None:
        """Nobody else can reach it."""

    def close(self) -> None:
        """There is nothing to release."""


def _is_within(name: str, namespace: str | None) -> bool:
    return namespace in (None, name) or name.startswith(f"{namespace}.")


def _check_execution(change: ExecutionChange, stored: Row | None) -> None:
    if (change.before is None) != (stored is None):
        raise Fenced(f"execution {change.after.id}: the store {'does not hold' if stored is None else 'holds'} it")
    if stored is None or change.before is None or rows.own_fields(change.before) == rows.own_fields(change.after):
        return
    if stored[_EXECUTION_STATE] in _TERMINAL and not change.before.is_terminal:
        raise Fenced(f"execution {change.after.id} is {stored[_EXECUTION_STATE]} in the store")


def _check_task_run(run: TaskRun, stored: Row | None, *, new: bool) -> None:
    if new or stored is None:
        if not new or stored is not None:
            raise Fenced(f"task run {run.id}: the store {'does not hold' if stored is None else 'holds'} it")
        return
    state, epoch = stored[_STATE], stored[_EPOCH]
    reopening = rows.reopens(run) and epoch < run.epoch
    if epoch > run.epoch or (state in _TERMINAL and not reopening):
        raise Fenced(f"task run {run.id} is {state} under epoch {epoch} in the store; this write has epoch {run.epoch}")


def _taken(kept: dict[str, list[Row]], ids: Sequence[str], at_most: int) -> int:
    """Remove rows of these executions, at most so many; how many."""
    taken = 0
    for id_ in ids:
        of_it = kept.get(id_, [])
        count = min(len(of_it), at_most - taken)
        del of_it[:count]
        taken += count
    return taken


def _is_over(row: Row | None) -> bool:
    return row is not None and row[_EXECUTION_STATE] in _TERMINAL and not row[_LINGERING]
