"""The places of flows that limit how many of their executions run at once (`concurrency`).

Whatever has begun and not ended has a place, however it came to begin; a pause keeps it. Those that wait get the free
places in the order of their creation. Counted from the store when a flow is first asked about, and kept from then on.
Belongs to the loop's thread.
"""

from __future__ import annotations

from bisect import bisect_left
from datetime import datetime

from msgspec import Struct, field

from engine.core.admission import WAITING, waits_for_place
from engine.model.events import ExecutionStarted, PlaceRefused
from engine.model.execution import Execution
from engine.model.flow import Flow
from engine.model.state import TERMINAL, State
from engine.ports import ExecutionFilter, Store

#: The states of what has a place.
BEGUN = tuple(state for state in State if state not in TERMINAL | WAITING)
#: How many of those who have the places are named to one that has none.
NAMED = 5
_PAGE = 1000


class _Flow(Struct):
    """The executions of one flow."""

    begun: set[str] = field(default_factory=set)
    queue: list[tuple[datetime, str]] = field(default_factory=list)  #: when created, and its id; in order

    def join_queue(self, execution: Execution) -> None:
        mine = (execution.started_at, execution.id)
        place = bisect_left(self.queue, mine)
        if self.queue[place : place + 1] != [mine]:
            self.queue.insert(place, mine)

    def leave_queue(self, execution: Execution) -> None:
        mine = (execution.started_at, execution.id)
        place = bisect_left(self.queue, mine)
        if self.queue[place : place + 1] == [mine]:
            del self.queue[place]


class Places:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._flows: dict[tuple[str, str], _Flow] = {}

    def _of(self, execution: Execution) -> _Flow:
        key = (execution.namespace, execution.flow_id)
        if key not in self._flows:
            where = ExecutionFilter(namespace=key[0], flow_id=key[1], below=False, states=BEGUN, limit=_PAGE)
            found, _ = self._store.executions(where)
            self._flows[key] = _Flow(begun={each.id for each in found if each.id != execution.id})
        return self._flows[key]

    def admit(self, flow: Flow, execution: Execution, event: ExecutionStarted) -> ExecutionStarted | PlaceRefused:
        """What is to be told to an execution that would begin: that it may, or that there is no place."""
        limits = flow.concurrency
        if limits is None or not waits_for_place(execution) or (execution.due or event.at) > event.at:
            return event
        places, mine = self._of(execution), (execution.started_at, execution.id)
        ahead = bisect_left(places.queue, mine)
        if len(places.begun) + ahead < limits.limit:
            return event
        others = [*sorted(places.begun), *(id_ for _, id_ in places.queue[:ahead])]
        return PlaceRefused(at=event.at, holders=tuple(others[:NAMED]))

    def note(self, flow: Flow, execution: Execution) -> None:
        """An execution has moved, or is taken over: one that has begun has a place, one that is QUEUED waits for it."""
        if flow.concurrency is None:
            return
        if execution.state is State.QUEUED:
            self._of(execution).join_queue(execution)
        elif execution.state in BEGUN and execution.id not in (places := self._of(execution)).begun:
            places.begun.add(execution.id)
            places.leave_queue(execution)

    def freed(self, flow: Flow, execution: Execution) -> list[str]:
        """An execution has ended, and that is stored, or it has not begun after all: who may ask for its place."""
        if flow.concurrency is None:
            return []
        places = self._of(execution)
        places.begun.discard(execution.id)
        places.leave_queue(execution)
        room = flow.concurrency.limit - len(places.begun)
        return [id_ for _, id_ in places.queue[: max(room, 0)]]
