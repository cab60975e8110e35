"""Executions that begin others, where the others may be moved by another engine. Belongs to the loop's thread.

Always true: an execution is read to be moved only after it has become this engine's, so nobody else moves it meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping

from engine.model.events import Event, KillRequested
from engine.model.flow import Flow
from engine.ports import Asked, SharingStore
from engine.runtime.awaiting import Awaiting, Wait
from engine.runtime.batch import Active, Batch
from engine.runtime.family import STOPPED, Family
from engine.runtime.ids import new_id
from engine.runtime.messages import Message
from engine.runtime.tasks import Tasks
from engine.runtime.wire import event_message
from engine.runtime.world import World


class SharedFamily(Family):
    def __init__(
        self,
        world: World,
        active: MutableMapping[str, Active],
        tasks: Tasks,
        decide: Callable[[str, Event, Batch], None],
        post: Callable[[Message], None],
        sharing: SharingStore,
    ) -> None:
        super().__init__(world, active, tasks, decide, post)
        self._sharing = sharing
        #: Who waits for executions of other engines, by task run and epoch.
        self._watched: dict[tuple[str, int], Wait] = {}

    def load(self, flow: Flow | None, execution_id: str) -> Active | None:
        if execution_id not in self._active and (flow is None or not self._sharing.adopt(execution_id)):
            return None
        return super().load(flow, execution_id)

    def is_elsewhere(self, execution_id: str, wait: Wait) -> bool:
        if execution_id in self._active:
            return False
        if self._sharing.adopt(execution_id):
            self._sharing.release(execution_id)  # if it has ended since
            return False
        self._watch(execution_id, wait)
        return True

    def lost(self, execution_id: str) -> None:
        """An execution is given up here, perhaps because another engine moves it: somebody may wait for it still."""
        wait = self._awaiting.for_end_of(execution_id)
        if wait is not None:
            self._watch(execution_id, wait)

    def _watch(self, execution_id: str, wait: Wait) -> None:
        if (wait.task_run_id, wait.epoch) not in self._watched:
            self._watched[wait.task_run_id, wait.epoch] = wait
            if wait.is_stopped:
                self._kill(execution_id)

    def look_around(self) -> None:
        """Have it found out how the executions of other engines stand."""
        for key, wait in list(self._watched.items()):
            run = self._waiting(wait)
            if run is None or self._awaiting.of(*key) is not wait:
                del self._watched[key]
            else:
                self._tasks.look_for_flows(self._active[run.execution_id], run)

    def _kill(self, execution_id: str) -> None:
        if execution_id in self._active:
            super()._kill(execution_id)
            return
        at = self._world.clock.now()
        wish = event_message(KillRequested(at=at, reason=STOPPED))
        self._sharing.ask(Asked(id=new_id(), execution_id=execution_id, event=wish), at=at)

    def forget(self) -> None:
        """Nothing is moved here any more."""
        self._awaiting = Awaiting()
        self._watched.clear()
        self.unattended.forget()
