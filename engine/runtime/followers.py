"""Those who watch executions. Each gets what was committed, in order, and never anything that was not."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from engine.ports import ExecutionChange

#: What a follower receives: a committed change, or why there will be no more.
News = ExecutionChange | BaseException


class Followers:
    """Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queues: dict[str, list[queue.SimpleQueue[News]]] = {}
        self._failure: BaseException | None = None

    def add(self, execution_id: str) -> tuple[queue.SimpleQueue[News], Callable[[], None]]:
        """A queue of what becomes of an execution from now on, and how to stop listening."""
        news: queue.SimpleQueue[News] = queue.SimpleQueue()
        with self._lock:
            if self._failure is not None:
                news.put(self._failure)
            self._queues.setdefault(execution_id, []).append(news)

        def leave() -> None:
            with self._lock:
                listeners = self._queues.get(execution_id, [])
                listeners.remove(news)
                if not listeners:
                    self._queues.pop(execution_id, None)

        return news, leave

    def tell(self, change: ExecutionChange) -> None:
        if not self._queues:
            return
        with self._lock:
            for news in self._queues.get(change.after.id, ()):
                news.put(change)

    def fail(self, execution_id: str, error: BaseException) -> None:
        """There will be no more news of this execution."""
        with self._lock:
            for news in self._queues.get(execution_id, ()):
                news.put(error)

    def fail_all(self, error: BaseException) -> None:
        """There will be no more news at all."""
        with self._lock:
            self._failure = error
            for listeners in self._queues.values():
                for news in listeners:
                    news.put(error)
