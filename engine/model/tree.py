"""Where every task of a flow stands: derived once from a flow, so that nobody walks the flow twice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from engine.model.flow import Container, Flow, Task

ERRORS = "errors"


class Place(Struct, frozen=True):
    """One task's place. `laned` tasks run once for each value of the loop they stand in directly."""

    task: Task
    parent: Container | None  #: None at the top of the flow
    branch: str  #: the property of the parent that lists it: `tasks`, `then`, `cases.x`, `errors`, ...
    laned: bool
    loops: int  #: how many loop values lead to it, its own included

    @property
    def in_errors(self) -> bool:
        return self.branch == ERRORS


class Tree:
    """The places of all tasks by id, and each list of tasks without the disabled ones."""

    def __init__(self, flow: Flow) -> None:
        self.places: dict[str, Place] = {}
        #: What others work out about the flow once and keep with it, by the id of the task that it is about.
        self.derived: dict[str, object] = {}
        self._enabled: dict[tuple[str | None, str], tuple[Task, ...]] = {}
        self._add(None, flow.branches(), loops=0)

    def _add(self, parent: Container | None, branches: Mapping[str, tuple[Task, ...]], loops: int) -> None:
        for branch, tasks in branches.items():
            laned = parent is not None and parent.LOOPS and branch != ERRORS
            depth = loops + laned
            self._enabled[parent.id if parent else None, branch] = tuple(task for task in tasks if not task.disabled)
            for task in tasks:
                self.places[task.id] = Place(task, parent, branch, laned, depth)
                inner = task.branches()
                if inner:
                    self._add(task, inner, depth)  # type: ignore[arg-type]  # only containers have branches

    def enabled(self, container_id: str | None, branch: str) -> tuple[Task, ...]:
        """The tasks of one list that are not disabled. `container_id` is None for the flow's own lists."""
        return self._enabled.get((container_id, branch), ())
