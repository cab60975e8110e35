"""Whether and when executions begin: places, due times, new executions for failed ones, promises and checks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from engine import Engine
from engine.core.calling import successor_id
from engine.errors import ExecutionBlocked
from engine.model.events import ResumeRequested, StartForced
from engine.model.execution import Execution
from engine.model.flow import Flow
from engine.model.state import State
from engine.ports import ExecutionFilter
from engine.runtime.clock import SystemClock

RETURN = "io.kestra.plugin.core.debug.Return"
PAUSE = "io.kestra.plugin.core.flow.Pause"
FAIL = "io.kestra.plugin.core.execution.Fail"
SLEEP = "io.kestra.plugin.core.flow.Sleep"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(tmp_path) as held:
        yield held


def flow_of(engine: Engine, task: str, **properties: str) -> Flow:
    rest = "".join(f"{name}: {value}\n" for name, value in properties.items())
    return engine.parse(f"id: f\nnamespace: n\ntasks:\n  - {{id: t, {task}}}\n{rest}", file="f.yaml")


def until(engine: Engine, execution_id: str, state: State) -> Execution:
    while (found := engine.execution(execution_id)).state is not state:
        assert not found.is_over, found.state
        threading.Event().wait(0.005)
    return found


def resume(engine: Engine, flow: Flow, execution_id: str) -> None:
    engine.loop.ask(flow, execution_id, ResumeRequested(at=SystemClock().now())).result(10)


def lines(engine: Engine, execution_id: str) -> list[str]:
    return [f"{line.level} {line.message}" for line in engine.store.logs(execution_id)]


class TestConcurrency:
    def test_who_finds_no_place_waits_in_the_order_of_creation(self, engine: Engine) -> None:
        flow = flow_of(engine, f"type: {PAUSE}", concurrency="{limit: 1}")
        ids = [engine.submit(flow).id for _ in range(3)]
        first = until(engine, ids[0], State.PAUSED)
        assert [engine.execution(each).state for each in ids[1:]] == [State.QUEUED, State.QUEUED]
        assert lines(engine, ids[2]) == [
            "INFO waits for a place: the flow runs at most 1 at once, and its places are taken by " + ", ".join(ids[:2])
        ]
        resume(engine, flow, first.id)
        until(engine, ids[1], State.PAUSED)
        assert engine.execution(ids[2]).state is State.QUEUED
        engine.kill(ids[1])
        until(engine, ids[2], State.PAUSED)
        resume(engine, flow, ids[2])
        assert engine.follow(ids[2], timeout=20).state is State.SUCCESS

    @pytest.mark.parametrize(
        ("behavior", "state", "level"), [("CANCEL", State.CANCELLED, "WARN"), ("FAIL", State.FAILED, "ERROR")]
    )
    def test_or_it_ends_at_once_and_says_why(self, engine: Engine, behavior: str, state: State, level: str) -> None:
        flow = flow_of(engine, f"type: {PAUSE}", concurrency=f"{{limit: 1, behavior: {behavior}}}")
        holder = engine.submit(flow)
        ended = engine.run(flow)
        assert (ended.state, len(ended.task_runs)) == (state, 0)
        why = f"the flow runs at most 1 at once, and its places are taken by {holder.id}"
        assert lines(engine, ended.id) == [f"{level} {why}"]
        assert ended.error == (why if state is State.FAILED else None)

    def test_a_person_may_begin_one_without_a_place(self, engine: Engine) -> None:
        flow = flow_of(engine, f"type: {PAUSE}", concurrency="{limit: 1}")
        first, second, third = (engine.submit(flow).id for _ in range(3))
        engine.loop.ask(flow, second, StartForced(at=SystemClock().now())).result(10)
        until(engine, second, State.PAUSED)
        resume(engine, flow, first)
        assert engine.follow(first, timeout=20).state is State.SUCCESS
        assert engine.execution(third).state is State.QUEUED
        resume(engine, flow, second)
        until(engine, third, State.PAUSED)

    def test_who_waits_keeps_waiting_after_a_crash(self, tmp_path: Path) -> None:
        with Engine(tmp_path) as engine:
            flow = flow_of(engine, f"type: {PAUSE}", concurrency="{limit: 1}")
            ids = [engine.submit(flow).id for _ in range(3)]
            until(engine, ids[0], State.PAUSED)
        with Engine(tmp_path) as engine:
            assert engine.recover() == ids
            resume(engine, flow, ids[0])
            until(engine, ids[1], State.PAUSED)
            assert engine.execution(ids[2]).state is State.QUEUED

    def test_many_short_ones_all_get_their_turn(self, engine: Engine) -> None:
        flow = flow_of(engine, f"type: {SLEEP}, duration: PT0.001S", concurrency="{limit: 2}")
        ids = [engine.submit(flow).id for _ in range(30)]
        ended = [engine.follow(each, timeout=30) for each in ids]
        assert {each.state for each in ended} == {State.SUCCESS}
        moments = sorted(
            (change.at, +1 if change.state is State.RUNNING else -1)
            for each in ended
            for change in each.history
            if change.state in (State.RUNNING, State.SUCCESS)
        )
        running = [sum(step for _, step in moments[: index + 1]) for index in range(len(moments))]
        assert max(running) == 2


class TestNewExecution:
    RETRY = "{type: constant, interval: PT0.01S, maxAttempt: 3, behavior: CREATE_NEW_EXECUTION}"

    @pytest.mark.parametrize("where", ["task", "flow"])
    def test_the_whole_is_tried_again(self, engine: Engine, where: str) -> None:
        task = f"type: {FAIL}" + (f", retry: {self.RETRY}" if where == "task" else "")
        flow = flow_of(engine, task, **({"retry": self.RETRY} if where == "flow" else {}))
        first = engine.submit(flow).id
        second = successor_id(first)
        third = successor_id(second)
        chain = [engine.follow(each, timeout=20) for each in (first, second, third)]
        assert [each.state for each in chain] == [State.RETRIED, State.RETRIED, State.FAILED]
        assert [each.attempt_number for each in chain] == [1, 2, 3]
        assert [each.parent_id for each in chain] == [None, first, second]
        assert [each.original_id for each in chain] == [None, first, first]
        assert engine.store.execution(successor_id(third)) is None
        assert chain[1].started_at + timedelta(seconds=0.01) <= chain[1].history[1].at

    def test_whoever_runs_it_gets_the_last(self, engine: Engine) -> None:
        seen: list[str] = []
        flow = flow_of(engine, f"type: {FAIL}, retry: {self.RETRY}")
        ended = engine.run(flow, on_change=lambda execution, runs, logs: seen.append(execution.id))
        assert (ended.state, ended.attempt_number) == (State.FAILED, 3)
        assert len(set(seen)) == 3


class TestPromises:
    def promise(self, engine: Engine, task: str, sla: str) -> Execution:
        return engine.run(flow_of(engine, task, sla=f"[{{id: s, labels: {{kept: no}}, {sla}}}]"))

    @pytest.mark.parametrize(("behavior", "state"), [("FAIL", State.FAILED), ("CANCEL", State.CANCELLED)])
    def test_what_takes_too_long_is_ended(self, engine: Engine, behavior: str, state: State) -> None:
        sla = f"type: MAX_DURATION, duration: PT0.05S, behavior: {behavior}"
        ended = self.promise(engine, f"type: {SLEEP}, duration: PT60S", sla)
        assert ended.state is state
        assert (ended.labels["kept"], ended.labels["system.sla"]) == ("no", "s")
        assert any(
            "the promise `s` is broken: it takes longer than PT0.05S" in line for line in lines(engine, ended.id)
        )

    def test_or_only_told_of(self, engine: Engine) -> None:
        sla = "type: MAX_DURATION, duration: PT0.02S, behavior: NONE"
        ended = self.promise(engine, f"type: {SLEEP}, duration: PT0.2S", sla)
        assert (ended.state, ended.labels["kept"]) == (State.SUCCESS, "no")
        assert len([line for line in lines(engine, ended.id) if "promise" in line]) == 1

    @pytest.mark.parametrize(("value", "state"), [("good", State.SUCCESS), ("bad", State.FAILED)])
    @pytest.mark.parametrize("asking", ["outputs.t.value", "kv('nothing', 'n', false) ?? outputs.t.value"])
    def test_what_must_be_so_is_judged_when_it_can_be(
        self, engine: Engine, value: str, state: State, asking: str
    ) -> None:
        task = f"type: {RETURN}, format: {value}}}\n  - {{id: after, type: {SLEEP}, duration: PT0.05S"
        sla = f"type: EXECUTION_ASSERTION, assert: \"{{{{ ({asking}) == 'good' }}}}\", behavior: FAIL"
        ended = self.promise(engine, task, sla)
        assert ended.state is state
        assert ("system.sla" in ended.labels) is (state is State.FAILED)

    def test_it_holds_to_the_last_moment(self, engine: Engine) -> None:
        sla = "type: EXECUTION_ASSERTION, assert: \"{{ outputs.t.value == 'good' }}\", behavior: CANCEL"
        assert self.promise(engine, f"type: {RETURN}, format: bad", sla).state is State.CANCELLED


class TestChecks:
    INPUTS = "[{id: n, type: INT}]"

    def checked(self, engine: Engine, behavior: str) -> Flow:
        check = f"[{{when: '{{{{ inputs.n > 1 }}}}', message: n is too small, behavior: {behavior}}}]"
        return flow_of(engine, f"type: {RETURN}, format: x", inputs=self.INPUTS, checks=check)

    def test_nothing_is_created_that_is_blocked(self, engine: Engine) -> None:
        flow = self.checked(engine, "BLOCK_EXECUTION")
        with pytest.raises(ExecutionBlocked, match="n/f is not started: n is too small"):
            engine.run(flow, {"n": 1})
        assert engine.store.executions(ExecutionFilter())[1] == 0
        assert engine.run(flow, {"n": 2}).state is State.SUCCESS

    def test_or_it_is_created_and_has_failed(self, engine: Engine) -> None:
        ended = engine.run(self.checked(engine, "FAIL_EXECUTION"), {"n": 1})
        assert (ended.state, ended.error, len(ended.task_runs)) == (State.FAILED, "n is too small", 0)
        assert lines(engine, ended.id) == ["ERROR n is too small"]

    def test_or_it_runs_all_the_same(self, engine: Engine) -> None:
        assert engine.run(self.checked(engine, "CREATE_EXECUTION"), {"n": 1}).state is State.SUCCESS
