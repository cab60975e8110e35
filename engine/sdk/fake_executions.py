"""The executions of an instance for tests of tasks: those that the test has put there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from engine.errors import IllegalState, NotFound
from engine.model.state import TERMINAL, State
from engine.ports import ExecutionFilter, ExecutionSummary, LogFilter, LogLine
from engine.sdk.executions import Purged


class FakeExecutions:
    """Fulfils engine.sdk.Executions. `summaries` and `lines` are all there is, `resumed` what was let go on,
    `switched` which triggers are on."""

    def __init__(self, summaries: Sequence[ExecutionSummary] = (), lines: Sequence[LogLine] = ()) -> None:
        self.summaries = {summary.id: summary for summary in summaries}
        self.lines = list(lines)
        self.resumed: dict[str, Mapping[str, Any]] = {}
        self.switched: dict[tuple[str, str, str], bool] = {}  #: by namespace, flow and trigger

    def find(self, execution_id: str) -> ExecutionSummary:
        if execution_id not in self.summaries:
            raise NotFound(f"there is no execution `{execution_id}`")
        return self.summaries[execution_id]

    def count(self, where: ExecutionFilter) -> int:
        return sum(where.fits(summary) for summary in self.summaries.values())

    def logs(self, execution_id: str, *, min_level: str = "TRACE") -> Iterator[LogLine]:
        levels = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR")
        wanted = levels[levels.index(min_level) :]
        return (line for line in self.lines if line.execution_id == execution_id and line.level in wanted)

    def resume(self, execution_id: str, inputs: Mapping[str, Any] | None = None) -> None:
        state = self.find(execution_id).state
        if state is not State.PAUSED:
            raise IllegalState(f"execution {execution_id} is {state}")
        self.resumed[execution_id] = inputs or {}

    def purge(
        self,
        where: ExecutionFilter,
        *,
        executions: bool = True,
        logs: bool = True,
        metrics: bool = True,
        files: bool = True,
    ) -> Purged:
        gone = {id_ for id_, each in self.summaries.items() if where.fits(each) and each.state in TERMINAL}
        kept = [line for line in self.lines if line.execution_id not in gone or not (logs or executions)]
        purged = Purged(executions=len(gone) if executions else 0, logs=len(self.lines) - len(kept))
        self.lines = kept
        if executions:
            self.summaries = {id_: each for id_, each in self.summaries.items() if id_ not in gone}
        return purged

    def purge_logs(self, where: LogFilter) -> int:
        kept = [line for line in self.lines if not self._is_meant(line, where)]
        removed = len(self.lines) - len(kept)
        self.lines = kept
        return removed

    def _is_meant(self, line: LogLine, where: LogFilter) -> bool:
        summary = self.summaries.get(line.execution_id)
        return summary is not None and where.concerns(summary) and where.fits(line)

    def switch_trigger(self, namespace: str, flow_id: str, trigger_id: str, *, enabled: bool) -> None:
        self.switched[namespace, flow_id, trigger_id] = enabled
