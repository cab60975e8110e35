"""What a container sees when it is asked: its own task run, how its children stand, and which of them are listed."""

from __future__ import annotations

from typing import NamedTuple

from engine.core.draft import Draft
from engine.core.ledger import ScopeKey, Tally
from engine.model.execution import Item, TaskRun
from engine.model.flow import Container, Loop, Task
from engine.model.tree import ERRORS, FINALLY


class Next(NamedTuple):
    """A task to start now; value and iteration when it begins or continues a lane of a loop."""

    task: Task
    value: str | None = None
    iteration: int | None = None


def lane_value(loop: Container | None, items: tuple[Item, ...], lane: int) -> str:
    """What tells a lane's task runs from those of the others: its value, or its number where values may repeat."""
    item = items[lane]
    return item if isinstance(item, str) and not isinstance(loop, Loop) else str(lane)


class Scope:
    """One list of children of one container (`container` is None: the flow itself). Good for one question."""

    def __init__(self, draft: Draft, key: ScopeKey) -> None:
        self._draft = draft
        self.key = key
        self.tree = draft.tree
        #: Ids of the main tasks that have ended since the container was last asked; None when that is not known.
        self.ended = draft.ended_in(key)
        self.run: TaskRun | None = draft.run(key.run_id) if key.run_id is not None else None
        container = draft.task(self.run) if self.run is not None else None
        assert container is None or isinstance(container, Container)
        self.container: Container | None = container

    @property
    def main(self) -> Tally:
        return self._draft.tally(self.key)

    @property
    def loop(self) -> Tally:
        """In a lane: how the lanes of its whole loop stand."""
        return self._draft.tally(ScopeKey(self.key.run_id))

    def tally(self, group: str) -> Tally:
        """How the tasks of one group (`Place.group`) stand."""
        return self._draft.tally(self.key, group)

    def tasks(self, branch: str) -> tuple[Task, ...]:
        """The tasks of one of the container's lists that run in this scope, without the disabled ones."""
        container = self.container
        if container is None:
            return self.tree.enabled(None, branch)
        if self.key.lane is not None and branch in (ERRORS, FINALLY):
            return ()  # they run once for the whole loop
        return self.tree.enabled(container.id, branch)

    def next(self, task: Task) -> Next:
        """A task to start in this scope."""
        if self.key.lane is None:
            return Next(task)
        assert self.run is not None
        assert self.run.items is not None
        return Next(task, lane_value(self.container, self.run.items, self.key.lane), self.key.lane)

    def child(self, task_id: str) -> TaskRun | None:
        """The task run of a container's child, if it has one."""
        assert self.run is not None
        return self._draft.sibling(self.run, task_id)


def nexts_in_order(scope: Scope, tasks: tuple[Task, ...]) -> list[Next]:
    """One after the other; after a failure the `errors` list, one after the other."""
    main = scope.main
    if main.live or main.killed:
        return []
    if main.failed:
        return nexts_of_errors(scope)
    return [scope.next(tasks[main.created])] if main.created < len(tasks) else []


def nexts_at_once(scope: Scope, tasks: tuple[Task, ...], limit: int) -> list[Next]:
    """All, or as many as `limit` (0: no limit) allows; after a failure nothing new but the `errors` list, at once."""
    main = scope.main
    if main.killed:
        return []
    if main.failed:
        return nexts_of_errors(scope)
    room = len(tasks) if limit == 0 else limit - main.live
    return [scope.next(task) for task in tasks[main.created : main.created + max(room, 0)]]


def nexts_of_errors(scope: Scope) -> list[Next]:
    """The `errors` list, one after the other."""
    return nexts_of_list(scope, ERRORS)


def nexts_of_list(scope: Scope, branch: str) -> list[Next]:
    """A list that runs apart from the main tasks, one after the other, until one fails."""
    tally, tasks = scope.tally(branch), scope.tasks(branch)
    if tally.live or tally.failed or tally.killed or tally.created >= len(tasks):
        return []
    return [scope.next(tasks[tally.created])]
