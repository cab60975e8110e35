"""What comes by itself, and when. Nothing is remembered here that does not follow from the executions."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from datetime import datetime
from itertools import count

from msgspec.structs import replace

from engine.model.events import Event
from engine.runtime.messages import Happened


class Timers:
    def __init__(self) -> None:
        self._heap: list[tuple[datetime, int, str, Event]] = []
        self._order = count()

    def set(self, due: datetime, execution_id: str, event: Event) -> None:
        """Tell the execution of the event when it is due."""
        heapq.heappush(self._heap, (due, next(self._order), execution_id, event))

    def forget(self) -> None:
        """Nothing is due any more."""
        self._heap.clear()

    @property
    def next_due(self) -> datetime | None:
        return self._heap[0][0] if self._heap else None

    def fired(self, now: datetime) -> Iterator[Happened]:
        """What is due by now, in order."""
        while self._heap and self._heap[0][0] <= now:
            _, _, execution_id, event = heapq.heappop(self._heap)
            yield Happened(execution_id, replace(event, at=now))
