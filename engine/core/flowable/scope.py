"""What a container sees when it is asked: its own task run, how its children stand, and which of them are listed."""

from __future__ import annotations

from typing import NamedTuple

from engine.core.draft import Draft
from engine.core.ledger import ScopeKey, Tally
from engine.model.execution import TaskRun
from engine.model.flow import Container, Task
from engine.model.state import State


class Next(NamedTuple):
    """A task to start now; value and iteration when it begins or continues a lane of a loop."""

    task: Task
    value: str | None = None
    iteration: int | None = None


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

    @property
    def errors(self) -> Tally:
        return self._draft.tally(self.key, errors=True)

    def tasks(self, branch: str) -> tuple[Task, ...]:
        """The tasks of one of the container's lists, without the disabled ones."""
        return self._draft.tree.enabled(self.container.id if self.container else None, branch)

    def child(self, task_id: str) -> TaskRun | None:
        """The task run of a child, if it has one."""
        return self._draft.sibling(self.run, task_id)


def nexts_in_order(scope: Scope, tasks: tuple[Task, ...]) -> list[Next]:
    """One after the other; after a failure the `errors` list, one after the other."""
    main = scope.main
    if main.live or main.killed:
        return []
    if main.failed:
        return nexts_of_errors(scope)
    return [Next(tasks[main.created])] if main.created < len(tasks) else []


def nexts_at_once(scope: Scope, tasks: tuple[Task, ...], limit: int) -> list[Next]:
    """All, or as many as `limit` (0: no limit) allows; after a failure nothing new but the `errors` list, at once."""
    main = scope.main
    if main.killed:
        return []
    if main.failed:
        return nexts_of_errors(scope)
    room = len(tasks) if limit == 0 else limit - main.live
    return [Next(task) for task in tasks[main.created : main.created + max(room, 0)]]


def nexts_of_errors(scope: Scope) -> list[Next]:
    """The `errors` list, one after the other."""
    errors, tasks = scope.errors, scope.tasks("errors")
    if errors.live or errors.failed or errors.killed or errors.created >= len(tasks):
        return []
    return [Next(tasks[errors.created])]


def outcome_of(scope: Scope, expected: int) -> State | None:
    """How a scope that should have `expected` main children ended; None while it goes on.

    KILLED beats FAILED beats WARNING beats SUCCESS. The result of the `errors` list does not matter, but its end does.
    """
    main, errors = scope.main, scope.errors
    if main.live or errors.live:
        return None
    if main.killed or errors.killed:
        return State.KILLED
    if main.failed:
        done = errors.failed or errors.created >= len(scope.tasks("errors"))
        return State.FAILED if done else None
    if main.created < expected:
        return None
    return State.WARNING if main.warning else State.SUCCESS
