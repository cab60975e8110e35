"""The loop of an engine that shares its store with others.

Always true: what it moves is its own in the store, and the commit sees to that; after a `fence` it moves nothing until
it is told what is still its own.
"""

from __future__ import annotations

import threading

from engine.core.admission import waits_for_place
from engine.errors import Fenced, PlacesTaken
from engine.model.events import Event, ExecutionStarted, PlaceRefused
from engine.model.state import State
from engine.ports import ExecutionChange
from engine.runtime.batch import Batch
from engine.runtime.loop import Loop
from engine.runtime.messages import Adopt, Fence, Happened, LookAround, Message, Request
from engine.runtime.shared_family import SharedFamily
from engine.runtime.shared_places import SharedPlaces
from engine.runtime.world import World


class SharedLoop(Loop):
    _places: SharedPlaces
    _family: SharedFamily

    def __init__(self, world: World, workers: int = 16) -> None:
        assert world.store.sharing is not None
        self._sharing = world.store.sharing
        super().__init__(world, workers)
        self.abandoned: set[str] = set()  #: what it moved when it was fenced

    def _new_places(self) -> SharedPlaces:
        return SharedPlaces(self._world.store, self._sharing)

    def _new_family(self) -> SharedFamily:
        made_of = (self._world, self._active, self._tasks, self._decide, self._backlog.append)
        return SharedFamily(*made_of, self._sharing)

    # -- from outside

    def fence(self) -> threading.Event:
        """Stop all tasks and give all executions up, as they are stored. The event tells when that is done."""
        done = threading.Event()
        self._inbox.put(Fence(done))
        self._workers.cancel_all()  # at once: the loop may be waiting for the store
        return done

    def is_moved(self, execution_id: str) -> bool:
        if self.runs(execution_id):
            return True
        return self._sharing.owner(execution_id) is not None and execution_id not in self._sharing.mine()

    def look_around(self) -> None:
        """Other engines may have done what is waited for here."""
        self._inbox.put(LookAround())

    # -- deciding

    def _apply(self, message: Message, batch: Batch) -> None:
        match message:
            case Fence():
                self._abandon()
                message.done.set()
            case LookAround():
                at = self._world.clock.now()
                self._backlog.extend(Happened(id_, ExecutionStarted(at=at)) for id_ in self._places.first_in_line())
                self._family.look_around()
            case Adopt() if message.execution.id not in self._active:
                # It may have moved since it was read; now that it is this engine's, nobody else moves it.
                found = self._family.load(message.flow, message.execution.id)
                if found is not None and found.execution.is_over:
                    self._sharing.release(message.execution.id)
                elif found is not None:
                    super()._apply(Adopt(message.flow, found.execution, message.survivors), batch)
            case _:
                super()._apply(message, batch)

    def _abandon(self) -> None:
        self.abandoned |= set(self._active)
        self._active.clear()
        self._inline.clear()
        self._ready.clear()
        self._timers.forget()
        self._places.forget()
        self._family.forget()
        self._tasks.give_up_all()

    def _ask(self, request: Request, batch: Batch) -> None:
        id_ = request.execution_id
        if request.flow is None or id_ in self._active:
            super()._ask(request, batch)
            return
        if not self._sharing.adopt(id_) and self._world.store.execution(id_) is not None:
            request.done.set_exception(Fenced(f"another engine has just taken execution {id_}"))
            return
        super()._ask(request, batch)
        if id_ not in self._active:
            self._sharing.release(id_)

    def _decide(self, execution_id: str, event: Event, batch: Batch) -> None:
        active = self._active.get(execution_id)
        limits = active.flow.concurrency if active is not None else None
        if active is None or limits is None or not isinstance(event, ExecutionStarted):
            super()._decide(execution_id, event, batch)
            return
        before = active.execution
        if waits_for_place(before):
            batch.remember(active)
        super()._decide(execution_id, event, batch)
        steps = active.execution.history[len(before.history) :]
        if waits_for_place(before) and any(step.state is State.RUNNING for step in steps):
            batch.changes[execution_id].places = limits.limit

    # -- committing

    def _store(self, changes: list[ExecutionChange], batch: Batch) -> list[ExecutionChange]:
        try:
            return super()._store(changes, batch)
        except PlacesTaken as taken:
            return self._turn_back(taken.execution_ids, changes, batch)

    def _give_up(self, execution_id: str, error: Exception, batch: Batch) -> None:
        super()._give_up(execution_id, error, batch)
        self._family.lost(execution_id)

    def _turn_back(
        self, execution_ids: tuple[str, ...], changes: list[ExecutionChange], batch: Batch
    ) -> list[ExecutionChange]:
        """Store all but these beginnings: other engines were faster. They wait, or end, as their flow has it."""
        kept = {change.after.id for change in changes}
        for id_ in execution_ids:
            for gone in batch.turn_back(self._active[id_]):
                self._active.pop(gone, None)
            self._places.note(self._active[id_].flow, self._active[id_].execution)
            self._backlog.append(Happened(id_, PlaceRefused(at=self._world.clock.now())))
        left = [change for id_, change in batch.changes.items() if id_ in kept]
        self._world.heralds.announce(left)
        return self._store(left, batch) if left else []
