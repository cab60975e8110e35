"""What the owner does for other commands: once for each execution, to its end, and with every error told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from engine.errors import IllegalState, StoreError, UsageError
from engine.model.events import Event, RestartRequested, StatusChanged
from engine.model.execution import Execution, StateChange
from engine.model.state import State
from engine.runtime.clock import SystemClock
from engine.runtime.host import ENDING, Host
from engine.runtime.wire import Message, Replay, Submission, event_message
from engine.sdk import RunContext

TASKS = "  - {id: w, type: t.Work, what: w}\n"
NOW = SystemClock().now


def submit(id_: str = "e1") -> Message:
    return {"verb": "submit", "id": id_, "source": TASKS, "file": "f.yaml", "inputs": {}, "labels": {}}


class Work:
    """The task's work: it says that it began, and ends when it may."""

    def __init__(self) -> None:
        self.began = threading.Semaphore(0)
        self.may_end = threading.Event()
        self.count = 0

    def __call__(self, ctx: RunContext) -> None:
        self.count += 1
        self.began.release()
        while not self.may_end.is_set():
            ctx.sleep(0.01)


@pytest.fixture
def work(actions: dict[str, Any]) -> Iterator[Work]:
    actions["w"] = Work()
    yield actions["w"]
    actions["w"].may_end.set()


@pytest.fixture
def host(bench: Any) -> Host:
    return host_of(bench)


def host_of(bench: Any) -> Host:
    def begin(submission: Submission) -> bool:
        created = (StateChange(State.CREATED, NOW()),)
        execution = Execution(
            id=submission.id, namespace="n", flow_id="f", flow_revision=1, state=State.CREATED, history=created
        )
        bench.loop.submit(bench.flow(submission.source), execution).result(10)
        return True

    def resume(execution_id: str) -> bool:
        execution = bench.store.execution(execution_id)
        if execution is None or execution.is_terminal:
            return False
        bench.loop.adopt(bench.flow(TASKS), execution)
        return True

    def ask(execution_id: str, event: Event) -> Execution:
        return bench.loop.ask(bench.flow(TASKS), execution_id, event).result(10)

    def replay(wish: Replay) -> bool:
        return begin(Submission(id=wish.id, source=TASKS, file="f.yaml", inputs={}, labels={}))

    return Host(bench.loop, begin, resume, ask, replay, lambda write: write.perform(bench.store), NOW)


def finished(host: Host) -> tuple[threading.Thread, list[str]]:
    waited: list[str] = []
    thread = threading.Thread(target=host.finish, args=(waited.append,))
    thread.start()
    return thread, waited


def test_who_it_is(host: Host) -> None:
    assert host.answer({"verb": "ping"}).keys() == {"pid", "version"}


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"verb": "submit"},
        {"verb": "submit", "id": "e1"},
        {**submit(), "labels": []},
        {**submit(), "id": 1},
        {"verb": "kill"},
        {"verb": "conquer", "id": "e1"},
    ],
)
def test_what_makes_no_sense_is_refused(host: Host, message: Message) -> None:
    with pytest.raises(UsageError):
        host.answer(message)


def test_asking_twice_begins_it_once(host: Host, work: Work, bench: Any) -> None:
    assert host.answer(submit()) == {"taken": True}
    assert bench.store.execution("e1") is not None, "the answer comes after the commit"
    work.began.acquire(timeout=10)
    assert host.answer(submit()) == {"taken": False}
    assert host.answer({"verb": "adopt", "id": "e1"}) == {"taken": False}
    work.may_end.set()
    host.finish(lambda why: None)
    assert work.count == 1
    assert bench.store.execution("e1").state is State.SUCCESS


def test_the_end_waits_for_what_was_taken_and_nothing_more_is(host: Host, work: Work, bench: Any) -> None:
    host.answer(submit("e1"))
    host.answer(submit("e2"))
    ending, waited = finished(host)
    while not waited:
        ending.join(0.001)
    assert "2 executions" in waited[0]
    assert host.answer(submit("e3")) == ENDING
    assert host.answer({"verb": "adopt", "id": "e3"}) == ENDING
    assert host.answer({"verb": "adopt", "id": "e1"}) == {"taken": False}
    assert ending.is_alive()
    work.may_end.set()
    ending.join(10)
    assert not ending.is_alive()
    assert {bench.store.execution(id_).state for id_ in ("e1", "e2")} == {State.SUCCESS}
    assert bench.store.execution("e3") is None


def test_with_nothing_taken_the_end_waits_for_nothing(host: Host, bench: Any, work: Work) -> None:
    bench.begin(TASKS)
    waited: list[str] = []
    host.finish(waited.append)
    assert waited == []


def test_killing(host: Host, work: Work, bench: Any) -> None:
    host.answer(submit())
    assert work.began.acquire(timeout=10)
    assert host.answer({"verb": "kill", "id": "e1", "reason": "enough"}) == {}
    host.finish(lambda why: None)
    assert bench.store.execution("e1").state is State.KILLED
    with pytest.raises(IllegalState, match="does not run"):
        host.answer({"verb": "kill", "id": "e1"})


def test_one_that_is_over_is_not_taken(bench: Any, host: Host, work: Work) -> None:
    work.may_end.set()
    host.answer(submit())
    host.finish(lambda why: None)
    assert host_of(bench).answer({"verb": "adopt", "id": "e1"}) == {"taken": False}
    assert work.count == 1


def test_why_one_was_given_up_is_told_to_whoever_asks(host: Host, work: Work, bench: Any) -> None:
    host.answer(submit())
    assert work.began.acquire(timeout=10)

    def broken(changes: object) -> None:
        raise StoreError("the disk is gone")

    commit, bench.store.commit = bench.store.commit, broken
    work.may_end.set()
    host.finish(lambda why: None)
    bench.store.commit = commit
    with pytest.raises(StoreError, match="the disk is gone"):
        host.answer({"verb": "adopt", "id": "e1"})


def test_one_that_cannot_be_begun_is_not_waited_for(host: Host, bench: Any, caplog: Any) -> None:
    def broken(changes: object) -> None:
        raise StoreError("the disk is full")

    bench.store.commit = broken
    with pytest.raises(StoreError, match="the disk is full"):
        host.answer(submit())
    host.finish(lambda why: None)


def test_when_the_loop_falls_over_nobody_waits_for_ever(host: Host, work: Work, bench: Any) -> None:
    host.answer(submit())
    bench.loop.followers.fail_all(RuntimeError("over"))
    host.finish(lambda why: None)


def test_the_wish_to_take_over_what_nobody_runs(bench: Any, work: Work, host: Host) -> None:
    host.answer(submit())
    assert work.began.acquire(timeout=10)
    bench.loop.stop(grace=0.0)  # stands for an engine that died
    bench.loop = bench.new_loop()
    next_host = host_of(bench)
    assert next_host.answer({"verb": "adopt", "id": "e1"}) == {"taken": True}
    assert work.began.acquire(timeout=10)
    work.may_end.set()
    next_host.finish(lambda why: None)
    assert bench.store.execution("e1").state is State.SUCCESS


def test_to_adopt_what_runs_here_changes_nothing(bench: Any, work: Work) -> None:
    id_ = bench.begin(TASKS)
    assert work.began.acquire(timeout=10)
    bench.loop.adopt(bench.flow(TASKS), bench.store.execution(id_))
    work.may_end.set()
    (run,) = bench.end().in_order()
    assert len(run.attempts) == work.count == 1


def test_what_goes_on_because_it_was_asked_to_is_seen_to_its_end(host: Host, work: Work, bench: Any) -> None:
    work.may_end.set()
    host.answer(submit())
    host.finish(lambda why: None)
    failed = event_message(StatusChanged(at=NOW(), state=State.FAILED))
    asked = host_of(bench)
    assert asked.answer({"verb": "ask", "id": "e1", "event": failed}) == {}
    assert bench.store.execution("e1").state is State.FAILED, "the answer comes after the commit"
    restart = event_message(RestartRequested(at=NOW()))
    with pytest.raises(IllegalState, match="nothing to restart"):
        asked.answer({"verb": "ask", "id": "e1", "event": restart})
    waited: list[str] = []
    asked.finish(waited.append)
    assert waited == [], "neither of them goes on"
    assert asked.answer({"verb": "ask", "id": "e1", "event": failed}) == ENDING


def test_a_replay_is_begun_once(host: Host, work: Work, bench: Any) -> None:
    work.may_end.set()
    replay = {"verb": "replay", "id": "e2", "replay": {"id": "e2", "of": "e1"}}
    assert host.answer(replay) == {"taken": True}
    host.finish(lambda why: None)
    assert bench.store.execution("e2").state is State.SUCCESS


@pytest.mark.parametrize("event", [None, {}, {"kind": "AttemptStarted", "fields": {}}, {"kind": "StatusChanged"}])
def test_what_cannot_be_asked_is_refused(host: Host, event: Any) -> None:
    with pytest.raises(UsageError, match="nothing that can be asked"):
        host.answer({"verb": "ask", "id": "e1", "event": event})
