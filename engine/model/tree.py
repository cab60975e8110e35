"""Where every task of a flow stands: derived once from a flow, so that nobody walks the flow twice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from engine.model.flow import Container, Flow, Task

#: The main tasks of a container or a flow: all that stand in no list of their own below.
MAIN = ""
ERRORS = "errors"
FINALLY = "finally"
ON_PAUSE = "onPause"
AFTER = "afterExecution"
LISTENERS = "listeners."

_GROUPS = frozenset({ERRORS, FINALLY, ON_PAUSE, AFTER})


def group_of(branch: str) -> str:
    """Which tasks are counted together: the branch itself where it runs apart from the main tasks, else MAIN."""
    return branch if branch in _GROUPS or branch.startswith(LISTENERS) else MAIN


def runs_after(group: str) -> bool:
    """Whether a list of a flow runs once its execution has its final state."""
    return group == AFTER or group.startswith(LISTENERS)


class Place(Struct, frozen=True):
    """One task's place. `laned` tasks run once for each value of the loop they stand in directly."""

    task: Task
    parent: Container | None  #: None at the top of the flow
    branch: str  #: the property of the parent that lists it: `tasks`, `then`, `cases.x`, `errors`, ...
    group: str  #: as `group_of` the branch
    laned: bool
    loops: tuple[Container, ...]  #: the loops whose values lead to it, outermost first
    after: bool  #: whether it runs when the execution has ended

    @property
    def in_errors(self) -> bool:
        return self.group == ERRORS


class Tree:
    """The places of all tasks by id, and each list of tasks without the disabled ones."""

    def __init__(self, flow: Flow) -> None:
        self.places: dict[str, Place] = {}
        #: What others work out about the flow once and keep with it, by the id of the task that it is about.
        self.derived: dict[str, object] = {}
        self._enabled: dict[tuple[str | None, str], tuple[Task, ...]] = {}
        self._add(None, flow.branches(), loops=(), after=False)

    def _add(
        self,
        parent: Container | None,
        branches: Mapping[str, tuple[Task, ...]],
        loops: tuple[Container, ...],
        *,
        after: bool,
    ) -> None:
        for branch, tasks in branches.items():
            group = group_of(branch)
            laned = parent is not None and parent.LOOPS and group == MAIN
            around = (*loops, parent) if laned and parent is not None else loops
            late = after or runs_after(group)
            self._enabled[parent.id if parent else None, branch] = tuple(task for task in tasks if not task.disabled)
            for task in tasks:
                self.places[task.id] = Place(task, parent, branch, group, laned, around, late)
                inner = task.branches()
                if inner:
                    self._add(task, inner, around, after=late)  # type: ignore[arg-type]  # only containers have branches

    def enabled(self, container_id: str | None, branch: str) -> tuple[Task, ...]:
        """The tasks of one list that are not disabled. `container_id` is None for the flow's own lists."""
        return self._enabled.get((container_id, branch), ())
