"""The executions of this instance as a task sees them: counted, read, resumed and purged.

A Protocol: the runtime fulfils it for real runs, `engine.sdk.testing` for tests.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from msgspec import Struct

from engine.ports import ExecutionFilter, ExecutionSummary, LogFilter, LogLine


class Purged(Struct, frozen=True, kw_only=True):
    """How much a purge took away."""

    executions: int = 0
    logs: int = 0
    metrics: int = 0
    files: int = 0


class Executions(Protocol):
    """All executions, this one too. What is written is on the disk when a verb returns."""

    def find(self, execution_id: str) -> ExecutionSummary:
        """One execution. Raises NotFound."""

    def count(self, where: ExecutionFilter) -> int:
        """How many there are, whatever `limit` and `offset` say."""

    def logs(self, execution_id: str, *, min_level: str = "TRACE") -> Iterator[LogLine]:
        """Its log lines in order, as far as they are committed."""

    def resume(self, execution_id: str, inputs: Mapping[str, Any] | None = None) -> None:
        """Let a paused execution go on. Raises NotFound, IllegalState, and InputsInvalid."""

    def purge(
        self,
        where: ExecutionFilter,
        *,
        executions: bool = True,
        logs: bool = True,
        metrics: bool = True,
        files: bool = True,
    ) -> Purged:
        """Remove executions that are over, or just what they left. Logs and metrics go with their execution."""

    def purge_logs(self, where: LogFilter) -> int:
        """Remove log lines; how many."""

    def switch_trigger(self, namespace: str, flow_id: str, trigger_id: str, *, enabled: bool) -> None:
        """Have a trigger start executions or not, whether or not there is such a trigger yet."""
