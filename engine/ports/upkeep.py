"""What a store offers to those who keep it small and look after it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from engine.model.execution import Execution
from engine.ports.records import ExecutionSummary


class UpkeepStore(Protocol):
    """As every store: each verb is one transaction, done or not done."""

    def expendable(
        self, *, ended_before: datetime | None = None, flow: tuple[str, str] | None = None, limit: int = 100
    ) -> list[ExecutionSummary]:
        """Executions that may be removed, oldest first: they are over, and so is the one that waits for them, if any.

        `flow` is a namespace and the id of a flow in it.
        """

    def flow_sizes(self) -> Mapping[tuple[str, str], int]:
        """How many executions each flow has, by namespace and id."""

    def kv_forget(self, at: datetime, *, limit: int = 100) -> int:
        """Remove pairs that had expired by then, at most so many. How many."""

    def size(self) -> int | None:
        """Bytes that the database takes, without what is freed; None where removing frees none that one could count."""

    def shrink(self) -> bool:
        """Give a little of what is freed back to the disk. Whether there is more."""

    def whole(self, *, after: str = "", limit: int = 100) -> list[Execution]:
        """Executions with their task runs, by id, from the first one after that id on."""

    def ids(self, *, after: str = "", limit: int = 100) -> list[str]:
        """The ids of the same executions: also of those that cannot be read."""
