"""Those who watch executions. Each gets what was committed, in order, and never anything that was not."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence

from engine.model.execution import Execution, TaskRun
from engine.ports import ExecutionChange, LogLine

#: What a follower receives: a committed change, or why there will be no more.
News = ExecutionChange | BaseException
Hear = Callable[[News], None]
#: Called after each commit with the execution, the task runs that moved and the new log lines.
OnChange = Callable[[Execution, Sequence[TaskRun], Sequence[LogLine]], None]


def until_it_ends(receive: Callable[[], News], on_change: OnChange | None) -> Execution:
    """Pass on what `receive` gives until the execution has ended. Raises why there is no more of it."""
    while True:
        news = receive()
        if isinstance(news, BaseException):
            raise news
        if on_change is not None:
            on_change(news.after, list(news.task_runs.values()), news.logs)
        if news.after.is_over:
            return news.after


class Followers:
    """Safe from any thread. Only the loop's thread tells, so whoever hears must be quick."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: dict[str, list[Hear]] = {}
        self._failure: BaseException | None = None

    def add(self, execution_id: str) -> tuple[queue.SimpleQueue[News], Callable[[], None]]:
        """A queue of what becomes of an execution from now on, and how to stop listening."""
        news: queue.SimpleQueue[News] = queue.SimpleQueue()
        return news, self.listen(execution_id, news.put)

    def listen(self, execution_id: str, hear: Hear) -> Callable[[], None]:
        """Have `hear` called with what becomes of an execution from now on; the answer stops that."""
        with self._lock:
            self._listeners.setdefault(execution_id, []).append(hear)
            failure = self._failure
        if failure is not None:
            hear(failure)

        def leave() -> None:
            with self._lock:
                listeners = self._listeners.get(execution_id, [])
                if hear in listeners:
                    listeners.remove(hear)
                if not listeners:
                    self._listeners.pop(execution_id, None)

        return leave

    def tell(self, change: ExecutionChange) -> None:
        if self._listeners:
            self._pass_on(change.after.id, change)

    def fail(self, execution_id: str, error: BaseException) -> None:
        """There will be no more news of this execution."""
        self._pass_on(execution_id, error)

    def fail_all(self, error: BaseException) -> None:
        """There will be no more news at all."""
        with self._lock:
            self._failure = error
            ids = list(self._listeners)
        for execution_id in ids:
            self._pass_on(execution_id, error)

    def _pass_on(self, execution_id: str, news: News) -> None:
        with self._lock:
            listeners = tuple(self._listeners.get(execution_id, ()))
        for hear in listeners:  # outside the lock: one that hears the end may leave
            hear(news)
