"""A store that does not fail while nobody answers: what is asked of it waits until the server is back.

It may try again because a verb that could not reach the store has written nothing. For those who have nothing better
to do than to wait, such as the loop; whoever answers to a person asks the store itself.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, cast

from engine.errors import CommitUnknown, StoreUnreachable
from engine.model.execution import TaskRun
from engine.ports import ExecutionChange, Store

#: Seconds between two tries: the shortest first, each twice as long as the one before, up to the longest.
SHORTEST = 0.05
LONGEST = 1.0

log = logging.getLogger(__name__)


def enduring(store: Store) -> Store:
    """The store as the loop wants it. One that has no server needs nothing."""
    return cast(Store, _Enduring(store)) if store.sharing is not None else store


class _Enduring:
    def __init__(self, store: Store) -> None:
        self._store = store

    def _is_closed(self) -> bool:
        return self._store.sharing is None or self._store.sharing.is_closed

    @property
    def sharing(self) -> Any:
        return self

    def __getattr__(self, name: str) -> Any:
        verb = getattr(self._store, name)
        if not callable(verb):
            return verb
        patient = self._patiently(verb)
        setattr(self, name, patient)
        return patient

    def _patiently(self, verb: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(verb)
        def until_it_answers(*args: Any, **kwargs: Any) -> Any:
            pause = SHORTEST
            while True:
                try:
                    return verb(*args, **kwargs)
                except StoreUnreachable as error:
                    if self._is_closed():
                        raise
                    if pause == SHORTEST:
                        log.warning("%s; trying again", error)
                time.sleep(pause)
                pause = min(pause * 2, LONGEST)

        return until_it_answers

    def commit(self, changes: Sequence[ExecutionChange]) -> None:
        """As every store; what cannot be found out from the server is read from what is stored."""
        commit = self._patiently(self._store.commit)
        while True:
            try:
                commit(changes)
                return
            except CommitUnknown as error:
                log.warning("%s; reading what is stored", error)
            if self._is_stored(changes):
                return

    def _is_stored(self, changes: Sequence[ExecutionChange]) -> bool:
        """Whether a commit of executions that nobody else moves was done: all of it was, or nothing."""
        read = self._patiently(self._store.execution)
        for change in changes:
            if not change.task_runs and change.before is not None and change.before.history == change.after.history:
                continue  # it looks the same before and after
            stored = read(change.after.id)
            if stored is None:
                return False
            same = stored.history == change.after.history
            return same and all(_is_same(stored.task_runs.get(id_), run) for id_, run in change.task_runs.items())
        return False


def _is_same(stored: TaskRun | None, run: TaskRun) -> bool:
    """Whether a task run has come as far; its values may be read otherwise than they were written."""
    return stored is not None and (stored.epoch, stored.history, stored.attempts) == (
        run.epoch,
        run.history,
        run.attempts,
    )
