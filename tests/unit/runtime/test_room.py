"""A disk without room: what is new is refused, what is under way goes on as soon as there is some."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from engine.errors import StoreFull
from engine.model.events import PauseRequested
from engine.model.state import State
from engine.ports import ExecutionChange
from engine.runtime import room
from engine.runtime.clock import SystemClock
from engine.runtime.loop import Loop
from engine.store import MemoryStore
from tests.unit.runtime.conftest import Bench

LONG = "  - {id: a, type: t.Work, what: wait}\n  - {id: b, type: t.Say, text: done}\n"


class Disk(MemoryStore):
    """A store that has no room while `full` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.full = threading.Event()
        self.refused = threading.Event()

    def commit(self, changes: Sequence[ExecutionChange]) -> None:
        if self.full.is_set():
            self.refused.set()
            raise StoreFull("the disk is full")
        super().commit(changes)


class Patient(Bench):
    is_patient = True

    def new_loop(self, workers: int = 4) -> Loop:
        self.store = self.disk = Disk()
        loop = super().new_loop(workers)
        loop._world = replace(loop._world, is_patient=self.is_patient)
        return loop


class Impatient(Patient):
    is_patient = False


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> Iterator[Patient]:
    monkeypatch.setattr(room, "PAUSE", 0.01)
    held = Patient()
    yield held
    held.loop.stop(grace=0.0)


def begun(bench: Patient, actions: dict[str, Callable[..., Any]]) -> tuple[str, threading.Event]:
    """An execution whose first task runs until the event is set."""
    free = threading.Event()
    actions["wait"] = lambda ctx: {"ok": free.wait(20)}
    return bench.begin(LONG), free


def test_what_is_under_way_goes_on_when_there_is_room(
    patient: Patient, actions: dict[str, Callable[..., Any]], caplog: pytest.LogCaptureFixture
) -> None:
    _, free = begun(patient, actions)
    patient.disk.full.set()
    free.set()
    assert patient.disk.refused.wait(20)
    patient.disk.full.clear()
    ended = patient.end()
    assert ended.state is State.SUCCESS
    assert [len(run.attempts) for run in ended.in_order()] == [1, 1]
    told = [record.getMessage() for record in caplog.records]
    assert told == [
        "the disk is full; nothing new is taken, and what is under way waits for room",
        "there is room again, and everything goes on",
    ]


def test_what_is_new_is_refused_at_once(patient: Patient, actions: dict[str, Callable[..., Any]]) -> None:
    running, free = begun(patient, actions)
    patient.disk.full.set()
    free.set()
    assert patient.disk.refused.wait(20)
    with pytest.raises(StoreFull):
        patient.begin(LONG)
    with pytest.raises(StoreFull):
        patient.loop.ask(None, running, PauseRequested(at=SystemClock().now())).result(20)
    patient.disk.full.clear()
    news, _ = patient.loop.followers.add(running)
    while not news.get(timeout=20).after.is_terminal:  # type: ignore[union-attr]
        pass
    assert patient.store.execution(patient.begin(LONG)) is not None


def test_an_engine_that_is_told_to_end_waits_no_more(patient: Patient, actions: dict[str, Callable[..., Any]]) -> None:
    running, free = begun(patient, actions)
    patient.disk.full.set()
    free.set()
    assert patient.disk.refused.wait(20)
    patient.loop.stop(grace=0.0)
    stored = patient.store.execution(running)
    assert stored is not None
    assert stored.state is State.RUNNING


def test_a_command_is_told_instead_of_waiting(actions: dict[str, Callable[..., Any]]) -> None:
    bench = Impatient()
    _, free = begun(bench, actions)
    bench.disk.full.set()
    free.set()
    with pytest.raises(StoreFull):
        bench.end()
    bench.loop.stop(grace=0.0)
