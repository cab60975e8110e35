"""A store whose server goes away: what is asked of it is done once, as soon as that is back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from engine.errors import CommitUnknown, Fenced, StoreError, StoreUnreachable
from engine.model.execution import Execution, StateChange, TaskRun
from engine.model.state import State
from engine.ports import ExecutionChange
from engine.runtime import enduring as module
from engine.runtime.enduring import enduring
from engine.store import MemoryStore

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Shaky(MemoryStore):
    """Fails with what it is given, before or after the work is done."""

    def __init__(self) -> None:
        super().__init__()
        self.before: list[Exception] = []
        self.after: list[Exception] = []
        self.commits = 0
        self.is_closed = False
        self.sharing = self  # type: ignore[assignment]

    def commit(self, changes: list[ExecutionChange]) -> None:  # type: ignore[override]
        if self.before:
            raise self.before.pop()
        super().commit(changes)
        self.commits += 1
        if self.after:
            raise self.after.pop()


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.time, "sleep", lambda seconds: None)


@pytest.fixture
def store() -> Shaky:
    return Shaky()


def new() -> ExecutionChange:
    steps = (StateChange(State.CREATED, NOON),)
    execution = Execution(
        id="e1", namespace="acme", flow_id="hello", flow_revision=1, state=State.CREATED, history=steps
    )
    return ExecutionChange(before=None, after=execution)


def test_a_store_without_a_server_is_left_as_it_is() -> None:
    plain = MemoryStore()
    assert enduring(plain) is plain


def test_a_commit_waits_for_the_server(store: Shaky) -> None:
    store.before = [StoreUnreachable("away"), StoreUnreachable("away")]
    enduring(store).commit([new()])
    assert store.commits == 1


def test_reading_waits_as_well(store: Shaky, monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Callable[[], list[str]]] = [_away, _away, lambda: ["e1"]]
    monkeypatch.setattr(store, "unfinished", lambda: answers.pop(0)())
    assert enduring(store).unfinished() == ["e1"]


def _away() -> list[str]:
    raise StoreUnreachable("away")


def test_once_the_store_is_closed_nobody_waits(store: Shaky) -> None:
    store.is_closed = True
    store.before = [StoreUnreachable("away")]
    with pytest.raises(StoreUnreachable):
        enduring(store).commit([new()])


@pytest.mark.parametrize("error", [Fenced("lost"), StoreError("damaged")])
def test_other_errors_are_told(store: Shaky, error: Exception) -> None:
    store.before = [error]
    with pytest.raises(type(error)):
        enduring(store).commit([new()])
    assert store.commits == 0


def test_an_unknown_commit_that_was_done_is_not_done_again(store: Shaky) -> None:
    store.after = [CommitUnknown("who knows")]
    enduring(store).commit([new()])
    assert store.commits == 1


def test_an_unknown_commit_that_was_not_done_is_done(store: Shaky) -> None:
    store.before = [CommitUnknown("who knows")]
    enduring(store).commit([new()])
    assert store.commits == 1


@pytest.mark.parametrize("was_done", [True, False])
def test_whether_a_change_was_done_is_seen_by_its_task_runs(store: Shaky, *, was_done: bool) -> None:
    first = new()
    run = TaskRun(id="t1", execution_id="e1", task_id="say", seq=0, state=State.CREATED, history=first.after.history)
    store.commit([first])
    claimed = replace(run, state=State.RUNNING, epoch=1, history=(*run.history, StateChange(State.RUNNING, NOON)))
    change = ExecutionChange(before=first.after, after=first.after, task_runs={"t1": claimed}, new_task_runs={"t1"})
    (store.after if was_done else store.before).append(CommitUnknown("who knows"))
    enduring(store).commit([change])
    assert store.commits == 2
    stored = store.execution("e1")
    assert stored is not None
    assert stored.task_runs["t1"].epoch == 1
