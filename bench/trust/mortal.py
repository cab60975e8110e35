"""A `penstock` command that dies by SIGKILL at a commit of one's choice.

    TRUST_DIE=claim:2:after python -P -m bench.trust.mortal run flow.yaml

KIND:N:MOMENT is the N-th commit of a kind (`KINDS`, or `begin-TASK` for the one that creates a run of a task), and
whether death comes `before` the transaction, `within` it (all is written, nothing is committed) or `after` it
(committed, and nothing has followed from it). The kind `any` counts all.
Each commit, with its kinds, becomes a line in the file TRUST_NOTE as it begins.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import get_ident
from typing import Any

from engine.model.execution import TaskRun
from engine.model.state import AttemptState, State
from engine.ports import ExecutionChange

KINDS = ("create", "claim", "spawn", "finish", "wait", "end")


def kinds_of(changes: Sequence[ExecutionChange]) -> set[str]:
    """What a commit is about: see the table of what is committed before what."""
    found: set[str] = set()
    for change in changes:
        if change.before is None:
            found.add("create")
        if change.after.is_terminal and not (change.before and change.before.is_terminal):
            found.add("end")
        found |= {f"begin-{change.task_runs[id_].task_id}" for id_ in change.new_task_runs}
        for id_, run in change.task_runs.items():
            found |= _kinds_of_run(change.before.task_runs.get(id_) if change.before else None, run)
    return found


def _kinds_of_run(before: TaskRun | None, run: TaskRun) -> set[str]:
    found: set[str] = set()
    last = run.attempts[-1] if run.attempts else None
    if last is not None and last.state is AttemptState.STARTED and last.process is not None:
        found.add("spawn")
    elif run.state is State.RUNNING and last is not None and run.epoch > (before.epoch if before else 0):
        found.add("claim")
    if run.is_terminal and run.attempts:
        found.add("finish")
    if run.state in (State.RETRYING, State.PAUSED) or run.calls is not None:
        found.add("wait")
    return found


class Death:
    """When to die. It sees every commit of this process."""

    def __init__(self, wanted: str, note: str | None) -> None:
        self._kind, number, self._moment = wanted.split(":") if wanted else ("any", "0", "after")
        self._number = int(number)
        self._note = os.open(note, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600) if note else None
        self._seen = 0
        self._committing: int | None = None  #: the thread that commits now
        self._struck: str | None = None  #: the moment of this commit to die at

    def commit(self, before: Callable[..., None]) -> Callable[..., None]:
        def noted(store: Any, changes: Sequence[ExecutionChange]) -> None:
            if self._committing is not None:
                before(store, changes)  # one kind of store asks another
                return
            self._committing = get_ident()
            try:
                self._noted(before, store, changes)
            finally:
                self._committing = None

        return noted

    def _noted(self, before: Callable[..., None], store: Any, changes: Sequence[ExecutionChange]) -> None:
        kinds = kinds_of(changes)
        if self._note is not None:
            os.write(self._note, f"{' '.join(sorted(kinds)) or 'other'}\n".encode())
        if self._kind in ("any", *kinds):
            self._seen += 1
            if self._seen == self._number:
                self._struck = self._moment
        self.at("before")
        before(store, changes)

    def writing(self, before: Callable[..., Any]) -> Callable[..., Any]:
        @contextmanager
        def fatal(database: Any) -> Iterator[Any]:
            with before(database) as connection:
                yield connection
                self.at("within")
            self.at("after")

        return fatal

    def at(self, moment: str) -> None:
        if self._struck == moment and self._committing == get_ident():
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    from engine.cli import main as penstock
    from engine.store.postgres import PostgresDatabase
    from engine.store.shared import SharedStore
    from engine.store.sql import SqlStore
    from engine.store.sqlite import SqliteDatabase

    death = Death(os.environ.pop("TRUST_DIE", ""), os.environ.pop("TRUST_NOTE", None))
    for store in (SqlStore, SharedStore):
        store.commit = death.commit(store.commit)  # type: ignore[method-assign]
    for database in (SqliteDatabase, PostgresDatabase):
        database.writing = death.writing(database.writing)  # type: ignore[method-assign]
    penstock()


if __name__ == "__main__":
    main()
