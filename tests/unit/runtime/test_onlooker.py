"""Following by reading tells what the loop would have told, in the same order, and rests between two looks."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from engine.model.execution import Execution, StateChange, TaskRun
from engine.model.state import State
from engine.runtime import onlooker
from engine.runtime.onlooker import Look, Onlooker
from engine.store import MemoryStore
from tests.contract.builders import a_line, a_task_run, an_execution, changed, claimed, created, moved


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def stored(store: MemoryStore, *runs: TaskRun) -> Execution:
    store.commit([created(an_execution(), *runs)])
    execution = store.execution("e1")
    assert execution is not None
    return execution


def told(look: Look | None) -> list[tuple[str, str]]:
    return [] if look is None else [(run.id, run.state.value) for run in look.task_runs]


def ended(before: Execution) -> Execution:
    at = before.history[-1].at
    return replace(before, state=State.SUCCESS, history=(*before.history, StateChange(State.SUCCESS, at)))


def test_only_what_moved_is_told(store: MemoryStore) -> None:
    still, moving = a_task_run("t1", seq=0), a_task_run("t2", seq=1)
    before = stored(store, still, moving)
    seen = Onlooker(store, "e1")
    assert told(seen.look()) == [("t1", "CREATED"), ("t2", "CREATED")]
    assert seen.look() is None
    store.commit([changed(before, before, claimed(moving))])
    assert told(seen.look()) == [("t2", "RUNNING")]
    assert seen.look() is None


def test_an_execution_that_is_not_there_yet(store: MemoryStore) -> None:
    seen = Onlooker(store, "e1")
    assert seen.look() is None
    stored(store)
    assert seen.look() is not None


def test_a_state_that_came_and_went_between_two_looks_is_told(store: MemoryStore) -> None:
    run = a_task_run("t1")
    before = stored(store, run)
    seen = Onlooker(store, "e1")
    seen.look()
    failed = moved(claimed(run), State.RUNNING)
    failed = moved(failed, State.FAILED, error="why")
    failed = replace(
        failed, history=(*failed.history[:-1], failed.history[-1]._replace(at=failed.history[-1].at + HOUR))
    )
    store.commit([changed(before, before, failed)])
    look = seen.look()
    assert told(look) == [("t1", "RUNNING"), ("t1", "FAILED")]
    assert look is not None
    assert [step.error for step in look.task_runs] == [None, "why"]


HOUR = timedelta(hours=1)


def test_a_state_shorter_than_a_commit_is_not_made_up(store: MemoryStore) -> None:
    run = a_task_run("t1")
    before = stored(store, run)
    seen = Onlooker(store, "e1")
    seen.look()
    quick = moved(claimed(run), State.SUCCESS)  # both at the same instant
    store.commit([changed(before, before, quick)])
    assert told(seen.look()) == [("t1", "SUCCESS")]


def test_log_lines_are_told_once_and_never_before_the_start_of_their_task(store: MemoryStore) -> None:
    run = a_task_run("t1")
    before = stored(store, run)
    seen = Onlooker(store, "e1")
    seen.look()
    early = changed(before, before)
    early.logs += [a_line("one"), a_line("two", task_run_id="t1"), a_line("three")]
    store.commit([early])
    look = seen.look()
    assert look is not None
    assert [line.message for line in look.logs] == ["one"]
    store.commit([changed(before, before, claimed(run))])
    look = seen.look()
    assert look is not None
    assert [line.message for line in look.logs] == ["two", "three"]
    assert seen.look() is None


def test_at_the_end_everything_is_told(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onlooker, "_PAGE", 2)
    before = stored(store, a_task_run("t1"))
    seen = Onlooker(store, "e1")
    last = changed(before, ended(before))
    last.logs += [a_line(str(number), task_run_id="t1") for number in range(5)]
    store.commit([last])
    look = seen.look()
    assert look is not None
    assert look.execution.is_terminal
    assert [line.message for line in look.logs] == ["0", "1", "2", "3", "4"]


def test_pauses_grow_while_nothing_happens_and_are_short_again_after_news(store: MemoryStore) -> None:
    run = a_task_run("t1")
    before = stored(store, run)
    seen = Onlooker(store, "e1")
    assert seen.look() is not None
    assert seen.pause == pytest.approx(onlooker.SHORTEST_PAUSE, abs=0.02)
    for _ in range(20):
        assert seen.look() is None
    assert seen.pause == onlooker.LONGEST_PAUSE
    store.commit([changed(before, before, claimed(run))])
    assert seen.look() is not None
    assert seen.pause < onlooker.LONGEST_PAUSE


def test_a_large_execution_is_read_four_times_a_second_at_most(store: MemoryStore) -> None:
    stored(store, *(a_task_run(f"t{number}", seq=number) for number in range(onlooker.LARGE + 1)))
    seen = Onlooker(store, "e1")
    assert seen.look() is not None
    assert seen.pause >= onlooker.LONGEST_PAUSE


def test_after_a_slow_look_comes_a_long_rest(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    stored(store)
    clock = iter([0.0, 1.0])
    monkeypatch.setattr(onlooker, "monotonic", lambda: next(clock))
    seen = Onlooker(store, "e1")
    seen.look()
    assert seen.pause == onlooker.REST
