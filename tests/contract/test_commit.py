"""The group commit: what is written is read back equal, all or nothing, and only by whoever still owns it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from msgspec.structs import replace

from engine.errors import Fenced, StoreError
from engine.model.execution import Attempt, StateChange
from engine.model.state import AttemptState, State
from engine.ports import Store
from tests.contract.builders import (
    a_line,
    a_metric,
    a_task_run,
    an_execution,
    at,
    changed,
    claimed,
    created,
    history,
    moved,
    with_runs,
)


def test_an_execution_and_its_task_runs_come_back_equal(store: Store) -> None:
    attempts = (
        Attempt(epoch=1, state=AttemptState.FAILED, started_at=at(1), ended_at=at(2), error="no \x00 route"),
        Attempt(epoch=2, state=AttemptState.STARTED, started_at=at(3)),
    )
    full = a_task_run(
        "t1",
        State.CREATED,
        State.RUNNING,
        State.RETRYING,
        parent_id="t0",
        value="Zürich\n\ud83d",
        iteration=4,
        epoch=2,
        attempts=attempts,
        outputs={"rows": [1, 2.5, None, {"deep": "\ud800\x00\x1a"}]},
        items=("a", "\x1a0000", ""),
        error="it\nfailed",
        due=at(60),
    )
    bare = a_task_run("t0", seq=1)
    execution = an_execution(
        inputs={"n": 2**60, "text": "\u2028\U0001f600"},
        labels={"team": "data", "odd key \x00": "\udfff"},
        variables={"v": [True, False]},
        outputs={},
        trigger={"id": "hourly"},
        parent_id="e0",
        original_id="e-1",
        error="why",
    )
    change = created(execution, full, bare)
    store.commit([change])
    assert store.execution("e1") == change.after
    assert [run.id for run in store.execution("e1").in_order()] == ["t1", "t0"]


def test_what_was_never_stored_is_none(store: Store) -> None:
    assert store.execution("nobody") is None
    assert store.execution("\x00\ud800") is None


def test_a_change_writes_what_moved_and_leaves_the_rest(store: Store) -> None:
    first, second = a_task_run("t1"), a_task_run("t2", seq=1)
    start = created(an_execution(), first, second)
    store.commit([start])
    done, third = moved(first, State.SUCCESS, outputs={"x": 1}), a_task_run("t3", seq=2)
    end = changed(start.after, replace(start.after, outputs={"all": 1}), done, new=(third,))
    store.commit([end])
    assert store.execution("e1") == end.after
    assert store.execution("e1").task_runs["t2"] == second


def test_labels_can_change(store: Store) -> None:
    start = created(an_execution(labels={"a": "1", "b": "2"}))
    store.commit([start])
    end = changed(start.after, replace(start.after, labels={"b": "3", "c": "4"}))
    store.commit([end])
    assert store.execution("e1").labels == {"b": "3", "c": "4"}


def test_many_executions_go_in_one_commit(store: Store) -> None:
    changes = [created(an_execution(f"e{n}"), a_task_run(f"t{n}", execution_id=f"e{n}")) for n in range(200)]
    store.commit(changes)
    assert store.execution("e199") == changes[199].after
    assert len(store.unfinished()) == 200


def test_an_execution_may_come_twice_in_one_commit(store: Store) -> None:
    run = a_task_run()
    start = created(an_execution(), run)
    end = changed(start.after, replace(start.after, error="late"), claimed(run))
    store.commit([start, end])
    assert store.execution("e1") == end.after


def test_an_empty_commit_is_fine(store: Store) -> None:
    store.commit([])


def test_a_late_answer_is_fenced_and_changes_nothing(store: Store) -> None:
    run = a_task_run(epoch=2)
    start = created(an_execution(), run, a_task_run("t2", seq=1))
    store.commit([start])
    late = changed(
        start.after,
        replace(start.after, error="no"),
        moved(run, State.SUCCESS, epoch=1),
        new=(a_task_run("t3", seq=3),),
    )
    late.logs.append(a_line())
    late.metrics.append(a_metric())
    with pytest.raises(Fenced):
        store.commit([late])
    assert store.execution("e1") == start.after
    assert store.logs("e1") == []
    assert store.metrics("e1") == []


@pytest.mark.parametrize("epoch", [1, 2])
def test_a_final_state_is_not_overwritten(store: Store, epoch: int) -> None:
    run = a_task_run("t1", State.CREATED, State.SUCCESS, epoch=1)
    start = created(an_execution(), run)
    store.commit([start])
    with pytest.raises(Fenced):
        store.commit([changed(start.after, start.after, moved(run, State.FAILED, epoch=epoch))])
    assert store.execution("e1").task_runs["t1"] == run


def test_a_person_may_restart_what_has_ended(store: Store) -> None:
    run = a_task_run("t1", State.CREATED, State.FAILED, epoch=1)
    start = created(an_execution("e1", State.CREATED, State.FAILED), run)
    store.commit([start])
    states = history(State.CREATED, State.FAILED, State.RESTARTED)
    restarted = replace(start.after, state=State.RESTARTED, history=states)
    again = moved(run, State.RESTARTED, epoch=2)
    store.commit([changed(start.after, restarted, again)])
    assert store.execution("e1").state is State.RESTARTED
    assert store.execution("e1").task_runs["t1"] == again


def test_a_restart_under_the_same_epoch_is_fenced(store: Store) -> None:
    run = a_task_run("t1", State.CREATED, State.FAILED, epoch=1)
    start = created(an_execution(), run)
    store.commit([start])
    with pytest.raises(Fenced):
        store.commit([changed(start.after, start.after, moved(run, State.RESTARTED))])


def test_an_ended_execution_is_not_overwritten(store: Store) -> None:
    start = created(an_execution("e1", State.CREATED, State.KILLED))
    store.commit([start])
    before = an_execution("e1", State.CREATED, State.RUNNING)
    with pytest.raises(Fenced):
        store.commit([changed(before, replace(before, state=State.SUCCESS))])
    assert store.execution("e1") == start.after


@pytest.mark.parametrize("what", ["execution", "task run"])
def test_what_the_store_already_holds_is_not_new(store: Store, what: str) -> None:
    start = created(an_execution(), a_task_run())
    store.commit([start])
    again = created(
        an_execution("e2" if what == "task run" else "e1"), a_task_run("t1" if what == "task run" else "t9")
    )
    if what == "task run":
        again = changed(start.after, start.after, new=(a_task_run("t1"),))
    with pytest.raises(Fenced):
        store.commit([again])
    assert store.execution("e1") == start.after


def test_what_the_store_never_held_cannot_move(store: Store) -> None:
    with pytest.raises(Fenced):
        store.commit([changed(an_execution(), replace(an_execution(), error="x"))])
    start = created(an_execution())
    store.commit([start])
    with pytest.raises(Fenced):
        store.commit([changed(start.after, start.after, a_task_run("t404"))])


@pytest.mark.parametrize(
    ("outputs", "path"),
    [
        ({"a": [1, float("nan")]}, "outputs.a[1]"),
        ({"a": float("inf")}, "outputs.a"),
        ({"when": datetime(2026, 1, 1)}, "outputs.when"),
        ({"raw": b"bytes"}, "outputs.raw"),
        ({("a", "b"): 1}, "outputs"),
        ({"s": {1, 2}}, "outputs.s"),
    ],
)
def test_an_unstorable_output_is_refused_by_name_and_nothing_is_written(
    store: Store, outputs: dict[Any, Any], path: str
) -> None:
    good, bad = (
        created(an_execution("good")),
        created(an_execution("bad"), a_task_run("t7", execution_id="bad", outputs=outputs)),
    )
    with pytest.raises(StoreError, match="cannot be stored") as refusal:
        store.commit([good, bad])
    assert not isinstance(refusal.value, Fenced)
    message = refusal.value.message
    assert "t7" in message
    assert "execution bad" in message
    assert path in message
    assert store.execution("good") is None


def test_bottomless_and_endless_values_are_refused(store: Store) -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    endless: list[Any] = []
    endless.append(endless)
    for value in (deep, endless):
        with pytest.raises(StoreError, match="cannot be stored"):
            store.commit([created(an_execution(inputs={"v": value}))])


def test_a_time_without_zone_is_refused(store: Store) -> None:
    execution = replace(an_execution(), history=(StateChange(State.CREATED, datetime(2026, 1, 1)),))
    with pytest.raises(StoreError, match="execution e1"):
        store.commit([created(execution)])


def test_what_is_stored_does_not_change_with_the_callers_objects(store: Store) -> None:
    inputs = {"list": [1]}
    store.commit([created(an_execution(inputs=inputs))])
    inputs["list"].append(2)
    assert store.execution("e1").inputs == {"list": [1]}


def test_ten_thousand_task_runs_of_one_execution(store: Store) -> None:
    start = created(an_execution(), *(a_task_run(f"t{n}", seq=n) for n in range(10_000)))
    store.commit([start])
    last = moved(a_task_run("t9999", seq=9_999), State.SUCCESS)
    store.commit([changed(start.after, start.after, last)])
    stored = store.execution("e1")
    assert len(stored.task_runs) == 10_000
    assert stored == with_runs(start.after, last)
