"""The places of flows that limit how many of their executions run at once, where several engines share the store.

Who has a place is counted in the store each time: here to tell who would find none, and once more in the commit, which
decides. An execution that waits asks again when one of this engine ends, and several times a second; among those that
ask, the oldest comes first. Belongs to the loop's thread.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from datetime import datetime

from engine.core.admission import waits_for_place
from engine.model.events import ExecutionStarted, PlaceRefused
from engine.model.execution import Execution
from engine.model.flow import Flow
from engine.model.state import State
from engine.ports import SharingStore, Store
from engine.runtime.places import NAMED, Places

_Place = tuple[datetime, str]  #: in a queue: when an execution was created, and its id


class SharedPlaces(Places):
    def __init__(self, store: Store, sharing: SharingStore) -> None:
        super().__init__(store)
        self._sharing = sharing
        #: What waits in this engine, in order, with the limit of its flow.
        self._queues: dict[tuple[str, str], tuple[int, list[_Place]]] = {}

    def admit(self, flow: Flow, execution: Execution, event: ExecutionStarted) -> ExecutionStarted | PlaceRefused:
        limits = flow.concurrency
        if limits is None or not waits_for_place(execution) or (execution.due or event.at) > event.at:
            return event
        begun, queued = self._sharing.ahead(execution)
        if len(begun) + queued < limits.limit:
            return event
        return PlaceRefused(at=event.at, holders=tuple(begun[:NAMED]))

    def note(self, flow: Flow, execution: Execution) -> None:
        if flow.concurrency is None:
            return
        key, mine = (execution.namespace, execution.flow_id), (execution.started_at, execution.id)
        _, queue = self._queues.get(key, (0, []))
        if execution.state is not State.QUEUED:
            if mine in queue:
                queue.remove(mine)
        elif mine not in queue:
            insort(queue, mine)
        if queue:
            self._queues[key] = flow.concurrency.limit, queue
        else:
            self._queues.pop(key, None)

    def freed(self, flow: Flow, execution: Execution) -> list[str]:
        if flow.concurrency is None:
            return []
        key, mine = (execution.namespace, execution.flow_id), (execution.started_at, execution.id)
        _, queue = self._queues.get(key, (0, []))
        if mine in queue:
            queue.remove(mine)
        return [id_ for _, id_ in queue[: flow.concurrency.limit]]

    def first_in_line(self) -> Iterator[str]:
        """Who may find a place that an execution of another engine has left."""
        for limit, queue in self._queues.values():
            yield from [id_ for _, id_ in queue[:limit]]

    def forget(self) -> None:
        """Nothing waits here any more."""
        self._queues.clear()
