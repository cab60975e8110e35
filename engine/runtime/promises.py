"""Answers that callers of the loop wait for, which come whatever happens to the loop. Safe from any thread."""

from __future__ import annotations

from concurrent.futures import Future, InvalidStateError
from contextlib import suppress

from engine.model.execution import Execution


class Promises:
    def __init__(self) -> None:
        self._open: set[Future[Execution]] = set()
        self._failure: BaseException | None = None

    def make(self) -> Future[Execution]:
        """An answer to be given."""
        answer: Future[Execution] = Future()
        self._open.add(answer)
        answer.add_done_callback(self._open.discard)
        if self._failure is not None:
            self.break_all(self._failure)
        return answer

    def break_all(self, error: BaseException) -> None:
        """Nobody will answer any more."""
        self._failure = error
        for answer in tuple(self._open):
            with suppress(InvalidStateError):  # it has just been answered
                answer.set_exception(error)
