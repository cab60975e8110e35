"""Executions that nobody waits for: begun by a task that goes on without them, or in place of one that failed.

The engine that began them sees them to their end before it ends, unless they wait for a time, a place or a person.
Safe from any thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from engine.model.execution import Execution
from engine.model.state import State


class Unattended:
    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._going: dict[str, bool] = {}  #: whether each goes on by itself, soon

    def add(self, execution: Execution) -> None:
        """From now on nobody else waits for it."""
        with self._changed:
            self._going[execution.id] = _goes_on(execution)

    def heard(self, execution: Execution) -> None:
        """It has moved, and that is stored."""
        if execution.id in self._going:
            with self._changed:
                self._going[execution.id] = _goes_on(execution)
                if execution.is_over:
                    del self._going[execution.id]
                self._changed.notify_all()

    def forget(self, execution_id: str | None = None) -> None:
        """It is given up; None: all are."""
        with self._changed:
            for each in [*self._going] if execution_id is None else [execution_id]:
                self._going.pop(each, None)
            self._changed.notify_all()

    def finish(self, on_wait: Callable[[str], None]) -> None:
        """Wait until none goes on by itself. `on_wait` hears what there is to wait for, and what is left."""
        with self._changed:
            count = sum(self._going.values())
        if count:
            on_wait(f"this engine still runs {_them(count)} that its flows began; Ctrl-C leaves the rest")
        with self._changed:
            self._changed.wait_for(lambda: not any(self._going.values()))
            left = len(self._going)
        if left:
            on_wait(
                f"{_them(left)} that its flows began {'waits' if left == 1 else 'wait'} for a time, a place or a "
                "person; `penstock executions recover` goes on with what is due"
            )


def _goes_on(execution: Execution) -> bool:
    if execution.is_over or execution.awaits_decision or execution.state is State.QUEUED:
        return False
    # Who tries again does so soon; what is scheduled may be due next year.
    return execution.due is None or execution.attempt_number > 1


def _them(count: int) -> str:
    return "an execution" if count == 1 else f"{count} executions"
