"""Which task runs wait for which executions, as far as this loop moves them.

Always true: whether all have ended follows from what is known of each, never from how often somebody said so; after a
crash it is looked up in the store. Belongs to the loop's thread.
"""

from __future__ import annotations

from msgspec import Struct

from engine.core.calling import successor_id
from engine.model.execution import Caller, Execution, TaskRun
from engine.model.state import State


class _Wait(Struct):
    caller: Caller
    epoch: int
    left: set[str]  #: the executions that have not ended


class Awaiting:
    def __init__(self) -> None:
        self._waits: dict[str, _Wait] = {}  #: by task run
        self._waited_for: dict[str, _Wait] = {}  #: by execution

    def add(self, run: TaskRun) -> bool:
        """From now on a task run waits for its calls; False when it does so already."""
        known = self._waits.get(run.id)
        if known is not None and known.epoch == run.epoch:
            return False
        assert run.calls is not None
        wait = _Wait(Caller(run.execution_id, run.id), run.epoch, set(run.calls))
        self._waits[run.id] = wait
        self._waited_for.update(dict.fromkeys(run.calls, wait))
        return True

    def left(self, task_run_id: str) -> frozenset[str]:
        """What a task run still waits for."""
        wait = self._waits.get(task_run_id)
        return frozenset(wait.left) if wait is not None else frozenset()

    def ended(self, execution: Execution) -> Caller | None:
        """An execution has its final state, and that is stored. Whoever has nothing left to wait for now."""
        if execution.state is State.RETRIED:
            self._follow(execution.id, successor_id(execution.id))
            return None
        return self._strike(execution.id)

    def found(self, run: TaskRun, going_on: dict[str, str]) -> Caller | None:
        """What the store says: `going_on` are the calls that go on, and as which execution."""
        wait = self._waits.get(run.id)
        if wait is None or wait.epoch != run.epoch:
            return None
        for id_, newest in going_on.items():
            if id_ != newest and id_ in wait.left:
                self._follow(id_, newest)
        for id_ in wait.left - set(going_on.values()):
            wait.left.discard(id_)
            self._waited_for.pop(id_, None)
        return self._done(wait)

    def _follow(self, before: str, after: str) -> None:
        wait = self._waited_for.pop(before, None)
        if wait is not None:
            wait.left.discard(before)
            wait.left.add(after)
            self._waited_for[after] = wait

    def _strike(self, execution_id: str) -> Caller | None:
        wait = self._waited_for.pop(execution_id, None)
        if wait is None:
            return None
        wait.left.discard(execution_id)
        return self._done(wait)

    def _done(self, wait: _Wait) -> Caller | None:
        if wait.left or self._waits.get(wait.caller.task_run_id) is not wait:
            return None
        del self._waits[wait.caller.task_run_id]
        return wait.caller
