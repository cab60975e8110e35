"""What tasks can do with the executions of this instance: fulfils `engine.sdk.Executions`. Any thread may use it.

Always true: a purge takes nothing of an execution that is not over, and it goes in small steps, so that nobody who
writes waits long; one that is broken off can be made again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from engine.errors import NotFound
from engine.model.execution import Execution
from engine.model.file_uri import execution_folder
from engine.model.scheduling import TriggerKey
from engine.model.state import TERMINAL
from engine.ports import ExecutionFilter, ExecutionSummary, LogFilter, LogLine, Removed
from engine.runtime.log_lines import log_lines
from engine.runtime.outside import Asker
from engine.runtime.world import World
from engine.runtime.writes import PURGED_ROWS
from engine.sdk.executions import Purged

#: How many executions one transaction removes.
PURGED_AT_ONCE = 100


class Executions:
    def __init__(self, world: World) -> None:
        self._world = world

    def find(self, execution_id: str) -> ExecutionSummary:
        execution = self._whole(execution_id)
        return ExecutionSummary(
            id=execution.id,
            namespace=execution.namespace,
            flow_id=execution.flow_id,
            flow_revision=execution.flow_revision,
            state=execution.state,
            started_at=execution.started_at,
            ended_at=execution.ended_at,
            labels=execution.labels,
            error=execution.error,
            parent_id=execution.parent_id,
            original_id=execution.original_id,
        )

    def _whole(self, execution_id: str) -> Execution:
        execution = self._world.store.execution(execution_id)
        if execution is None:
            raise NotFound(f"there is no execution `{execution_id}`", hint="see `penstock executions list`")
        return execution

    def count(self, where: ExecutionFilter) -> int:
        _, total = self._world.store.executions(replace(where, limit=0, offset=0))
        return total

    def logs(self, execution_id: str, *, min_level: str = "TRACE") -> Iterator[LogLine]:
        return log_lines(self._world.store, execution_id, min_level=min_level)

    def switch_trigger(self, namespace: str, flow_id: str, trigger_id: str, *, enabled: bool) -> None:
        self._world.switch_trigger(TriggerKey(namespace, flow_id, trigger_id), enabled)

    def resume(self, execution_id: str, inputs: Mapping[str, Any] | None = None) -> None:
        self._world.resume(execution_id, inputs)

    # -- removing

    def purge(
        self,
        where: ExecutionFilter,
        *,
        executions: bool = True,
        logs: bool = True,
        metrics: bool = True,
        files: bool = True,
    ) -> Purged:
        states = [state for state in where.states or TERMINAL if state in TERMINAL]
        page = replace(where, states=states, limit=PURGED_AT_ONCE, offset=0, oldest_first=True)
        purged = Purged()
        while states and (found := self._world.store.executions(page)[0]):
            # Files first: without its execution nobody would find them again.
            freed = sum(len(self._freed(summary)) for summary in found) if files else 0
            ids = [summary.id for summary in found]
            removed = self._removed(ids, executions=executions, logs=logs, metrics=metrics)
            purged = Purged(
                executions=purged.executions + removed.executions,
                logs=purged.logs + removed.logs,
                metrics=purged.metrics + removed.metrics,
                files=purged.files + freed,
            )
            page = replace(page, offset=page.offset + len(found) - removed.executions)
        return purged

    def _removed(self, ids: list[str], **wanted: bool) -> Removed:
        total = Removed()
        while True:
            step = self._world.store.purge(ids, **wanted, at_most=PURGED_ROWS)
            total = Removed(
                executions=total.executions + step.executions,
                logs=total.logs + step.logs,
                metrics=total.metrics + step.metrics,
            )
            if step.logs + step.metrics < PURGED_ROWS:
                return total

    def _freed(self, summary: ExecutionSummary) -> list[str]:
        folder = execution_folder(summary.namespace, summary.flow_id, summary.id)
        owner = Asker(seed=summary.id, namespace=summary.namespace, flow_id=summary.flow_id, folder=folder)
        return self._world.outside.files(owner).purge()

    def purge_logs(self, where: LogFilter) -> int:
        total = 0
        while removed := self._world.store.purge_logs(where):
            total += removed
        return total
