"""Which task runs wait for which executions, as far as this loop moves them.

Always true: whether all have ended follows from what is known of each, never from how often somebody said so; after a
crash it is looked up in the store. Belongs to the loop's thread.
"""

from __future__ import annotations

from msgspec import Struct

from engine.model.execution import TaskRun


class Wait(Struct):
    """The wait of one claim of a task run."""

    execution_id: str
    task_run_id: str
    epoch: int
    left: set[str]  #: the executions that have not ended
    is_stopped: bool = False  #: they are told to stop, and so is whatever follows them


class Awaiting:
    def __init__(self) -> None:
        self._waits: dict[tuple[str, int], Wait] = {}  #: by task run and epoch
        self._waited_for: dict[str, Wait] = {}  #: by execution

    def add(self, run: TaskRun) -> None:
        """From now on a task run waits for its calls, if it does not so already."""
        assert run.calls is not None
        if (run.id, run.epoch) not in self._waits:
            wait = Wait(run.execution_id, run.id, run.epoch, set(run.calls))
            self._waits[run.id, run.epoch] = wait
            self._waited_for.update(dict.fromkeys(run.calls, wait))

    def of(self, task_run_id: str, epoch: int) -> Wait | None:
        """The wait of a claim, until all that it waits for has ended."""
        return self._waits.get((task_run_id, epoch))

    def for_end_of(self, execution_id: str) -> Wait | None:
        """The wait that this execution is part of."""
        return self._waited_for.get(execution_id)

    def ended(self, execution_id: str) -> Wait | None:
        """An execution has its final state, and that is stored. The wait that is over now."""
        wait = self._waited_for.pop(execution_id, None)
        if wait is None:
            return None
        wait.left.discard(execution_id)
        return self._if_over(wait)

    def followed(self, before: str, after: str) -> Wait | None:
        """An execution goes on as another one, and so does the wait for it."""
        wait = self._waited_for.pop(before, None)
        if wait is not None:
            wait.left.discard(before)
            wait.left.add(after)
            self._waited_for[after] = wait
        return wait

    def found(self, wait: Wait, going_on: dict[str, str]) -> Wait | None:
        """What the store says: `going_on` are the calls that go on, and as which execution. The wait, if it is over."""
        for id_, newest in going_on.items():
            if id_ != newest and id_ in wait.left:
                self.followed(id_, newest)
        for id_ in wait.left - set(going_on.values()):
            wait.left.discard(id_)
            self._waited_for.pop(id_, None)
        return self._if_over(wait)

    def _if_over(self, wait: Wait) -> Wait | None:
        if wait.left:
            return None
        self._waits.pop((wait.task_run_id, wait.epoch), None)
        return wait
