"""Tell of changes of state that triggers may listen to: in the commit that makes the change, so none is lost.

Which states those are depends on the flows that are deployed. Who watches these notes it in the store, so an engine
without a scheduler announces what the next scheduler is to hear.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from engine.model.state import State
from engine.ports import ExecutionChange, Store

#: Where the store keeps which states are listened to.
LISTENING = "listening"


class Heralds:
    """`store` is asked once which states are listened to, unless somebody says so. Announces in the loop's thread."""

    def __init__(self, store: Callable[[], Store] | None = None) -> None:
        self._store = store
        self._states: frozenset[State] | None = None if store is not None else frozenset()
        #: Called after a commit that announced something. Must be quick.
        self.on_announced: Callable[[], None] = lambda: None

    def listen_for(self, states: Collection[State]) -> None:
        """From now on, these are announced."""
        self._states = frozenset(states)

    def announce(self, changes: Iterable[ExecutionChange]) -> None:
        """Have each change carry the states that it comes to and that somebody listens to."""
        for change in changes:
            known = len(change.before.history) if change.before is not None else 0
            if len(change.after.history) > known:
                steps = change.after.history[known:]
                change.announced = tuple(step for step in steps if step.state in self._listened_to)

    def told(self, committed: Iterable[ExecutionChange]) -> None:
        """These are in the store now."""
        if any(change.announced for change in committed):
            self.on_announced()

    @property
    def _listened_to(self) -> frozenset[State]:
        if self._states is None:
            assert self._store is not None
            self._states = frozenset(map(State, self._store().meta(LISTENING) or ()))
        return self._states
