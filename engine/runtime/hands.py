"""A few threads for work that waits for the world. They never keep the process from ending."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from time import monotonic
from typing import Any

log = logging.getLogger(__name__)

Work = Callable[[], object]


class Hands:
    """At most `count` threads, started when first needed."""

    def __init__(self, count: int, name: str) -> None:
        self._count = count
        self._name = name
        self._work: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._open = 0  #: how much was given and is not done
        self._stopped = False

    def submit(self, work: Callable[..., object], *arguments: Any) -> None:
        """Have it done, unless all is over."""
        with self._changed:
            if self._stopped:
                return
            self._open += 1
            if self._open > len(self._threads) < self._count:
                name = f"{self._name}-{len(self._threads) + 1}"
                self._threads.append(threading.Thread(target=self._run, name=name, daemon=True))
                self._threads[-1].start()
        self._work.put(lambda: work(*arguments))

    def stop(self, patience: float) -> None:
        """Take nothing more, and wait so many seconds for what is being done."""
        until = monotonic() + patience
        with self._changed:
            self._stopped = True
            self._changed.wait_for(lambda: not self._open, timeout=max(until - monotonic(), 0))
        for _ in self._threads:
            self._work.put(None)

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            try:
                work()
            except Exception:
                log.exception("a mistake in the engine")
            finally:
                with self._changed:
                    self._open -= 1
                    self._changed.notify_all()
