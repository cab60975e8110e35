"""Attempts with processes: nothing begins unrecorded, and no attempt has ended while one of its processes lives."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.errors import ProcessesLeft, TaskCancelled
from engine.model.events import KillRequested
from engine.model.execution import Execution, StartedProcess, TaskRun
from engine.model.state import AttemptState, State
from engine.runtime import loop as loop_module
from engine.runtime.clock import SystemClock
from engine.runtime.survivors import survivors
from engine.sdk import RunContext, Task
from engine.sdk.process import ending, supervisor
from engine.sdk.process.policy import MARKER
from engine.sdk.process.running import run_process
from tests.unit.runtime.conftest import TYPES

WORK = "  - {id: w, type: t.Work, what: w%s}\n"
#: Does not end when it is told to, but says so.
STUBBORN = "import signal, sys, time; signal.signal(15, signal.SIG_IGN); print('ready', flush=True); time.sleep(600)"
PROCESS = StartedProcess(pid=4711, started_at="another/1", marker="nobody/1/x")


class Running(Task, type="t.Running", effect="pure"):
    """A pure task that starts a process all the same."""

    def run(self, ctx: RunContext) -> None:
        ctx.process_started(PROCESS)


def the_run(execution: Execution) -> TaskRun:
    return next(execution.in_order())


def stored(bench: Any, ctx: RunContext) -> TaskRun:
    return the_run(bench.store.execution(ctx.execution_id))


def kill(bench: Any, execution_id: str) -> Execution:
    bench.loop.post(execution_id, KillRequested(at=SystemClock().now()))
    ended: Execution = bench.end()
    return ended


def hang(ctx: RunContext, on_line: Callable[..., None] = lambda *_: None) -> None:
    env = {"PATH": os.environ["PATH"]}
    run_process(ctx, [sys.executable, "-c", STUBBORN], cwd=Path("/"), env=env, on_line=on_line, grace=0.1)


def test_a_process_is_committed_when_the_task_hears_of_it(bench: Any, actions: Any) -> None:
    seen: list[StartedProcess | None] = []

    def work(ctx: RunContext) -> None:
        seen.append(stored(bench, ctx).attempts[-1].process)
        ctx.process_started(PROCESS)
        seen.append(stored(bench, ctx).attempts[-1].process)

    actions["w"] = work
    assert bench.run(WORK % "").state is State.SUCCESS
    assert seen == [None, PROCESS]


def test_a_process_of_an_attempt_that_is_being_killed_never_begins(bench: Any, actions: Any) -> None:
    told, refused = threading.Event(), []

    def work(ctx: RunContext) -> None:
        told.set()
        while not ctx.cancelled:
            threading.Event().wait(0.005)
        with pytest.raises(TaskCancelled) as error:
            ctx.process_started(PROCESS)
        refused.append(error.value.message)
        ctx.check_cancelled()

    actions["w"] = work
    execution_id = bench.begin(WORK % "")
    assert told.wait(10)
    assert the_run(kill(bench, execution_id)).attempts[-1].process is None
    assert refused == ["the task was told to stop before its command began"]


def test_a_pure_task_starts_nothing(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TYPES, "t.Running", Running)
    execution = bench.run("  - {id: p, type: t.Running}\n")
    assert the_run(execution).error == "t.Running is pure, so it cannot run commands"


def test_a_kill_that_leaves_a_process_is_a_failure_that_names_it(bench: Any, actions: Any) -> None:
    told = threading.Event()

    def work(ctx: RunContext) -> None:
        told.set()
        while not ctx.cancelled:
            threading.Event().wait(0.005)
        raise ProcessesLeft((12, 11))

    actions["w"] = work
    execution_id = bench.begin(WORK % ", retry: {type: constant, interval: PT0.01S, maxAttempt: 3}")
    assert told.wait(10)
    execution = kill(bench, execution_id)
    run = the_run(execution)
    assert (execution.state, run.state, len(run.attempts)) == (State.KILLED, State.FAILED, 1)
    assert "but not its processes 11, 12" in str(run.error)


def test_an_attempt_that_leaves_a_process_is_not_repeated(bench: Any, actions: Any) -> None:
    def work(ctx: RunContext) -> None:
        raise ProcessesLeft((11,))

    actions["w"] = work
    execution = bench.run(WORK % ", retry: {type: constant, interval: PT0.01S, maxAttempt: 3}")
    assert (execution.state, len(the_run(execution).attempts)) == (State.FAILED, 1)


def test_what_is_out_of_time_has_ended_before_it_runs_again(bench: Any, actions: Any) -> None:
    left: list[set[int]] = []
    marks: list[str] = []

    def work(ctx: RunContext) -> None:
        left.extend(supervisor.marked(mark) for mark in marks)
        marks.append(f"{ctx.task_run_id}/{ctx.attempt}/")
        hang(ctx)

    actions["w"] = work
    execution = bench.run(WORK % ", timeout: PT0.3S, retry: {type: constant, interval: PT0.01S, maxAttempt: 2}")
    run = the_run(execution)
    assert [attempt.state for attempt in run.attempts] == [AttemptState.FAILED, AttemptState.FAILED]
    assert {attempt.error for attempt in run.attempts} == {"Timeout after PT0.3S"}
    assert left == [set()]
    assert supervisor.marked(marks[-1]) == set()


def test_who_is_late_with_an_answer_is_out_of_time(bench: Any, actions: Any) -> None:
    """It has processes, so it may end them; but what it gives after its time does not count."""

    def work(ctx: RunContext) -> dict[str, Any]:
        ctx.process_started(PROCESS)
        threading.Event().wait(0.06)
        return {"a": 1}

    actions["w"] = work
    run = the_run(bench.run(WORK % ", timeout: PT0.05S"))
    assert (run.state, run.error, run.outputs) == (State.FAILED, "Timeout after PT0.05S", None)


@pytest.mark.parametrize("why", ["kill", "timeout"])
@pytest.mark.parametrize("mortal", [True, False])
def test_a_thread_is_given_up_only_with_its_processes(
    bench: Any, actions: Any, monkeypatch: pytest.MonkeyPatch, why: str, mortal: bool
) -> None:
    monkeypatch.setattr(loop_module, "STOP_GRACE", 0.05)
    if not mortal:
        monkeypatch.setattr(supervisor, "kill_marked", lambda marker, patience: {11})
    begun, stuck, commands = threading.Event(), threading.Event(), []

    def work(ctx: RunContext) -> None:
        marker = f"{ctx.task_run_id}/{ctx.attempt}/x"
        command = subprocess.Popen([sys.executable, "-c", STUBBORN], env={MARKER: marker}, stdout=subprocess.PIPE)
        commands.append(command)
        assert command.stdout is not None
        command.stdout.readline()
        started_at = supervisor.start_of(command.pid) or ""
        ctx.process_started(StartedProcess(pid=command.pid, started_at=started_at, marker=marker))
        begun.set()
        stuck.wait(30)

    actions["w"] = work
    try:
        execution_id = bench.begin(WORK % (", timeout: PT0.5S" if why == "timeout" else ""))
        assert begun.wait(10)
        run = the_run(kill(bench, execution_id) if why == "kill" else bench.end())
        assert run.state is State.FAILED
        assert str(run.error).startswith("Timeout after PT0.5S" if why == "timeout" else "the task was told to stop")
        assert str(run.error).endswith("look at them: 11") is not mortal
        assert supervisor.start_of(commands[0].pid) is None or not mortal
    finally:
        stuck.set()
        for command in commands:
            command.kill()
            command.communicate()


def test_an_execution_is_taken_over_when_its_processes_have_ended(
    bench: Any, actions: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, stuck, asked = threading.Event(), threading.Event(), []

    def work(ctx: RunContext) -> None:
        ctx.process_started(PROCESS)
        begun.set()
        stuck.wait(30)

    actions["w"] = work
    flow = bench.flow(WORK % "")
    execution_id = bench.begin(flow)
    assert begun.wait(10)
    bench.loop.stop(grace=0.0)
    monkeypatch.setattr(ending, "end", lambda process: asked.append(process) or {12, 11})
    bench.loop = bench.new_loop()
    bench.news, _ = bench.loop.followers.add(execution_id)
    bench.loop.adopt(flow, bench.store.execution(execution_id))
    run = the_run(bench.end())
    stuck.set()
    assert asked == [PROCESS]
    assert (run.state, len(run.attempts)) == (State.FAILED, 1)
    assert str(run.error).endswith("look at them: 11, 12")


@pytest.mark.parametrize("moved", [True, False])
def test_what_another_engine_has_begun_is_left_alone(
    bench: Any, actions: Any, monkeypatch: pytest.MonkeyPatch, moved: bool
) -> None:
    read: list[Execution] = []

    def work(ctx: RunContext) -> None:
        ctx.process_started(PROCESS)
        read.append(bench.store.execution(ctx.execution_id))

    actions["w"] = work
    ended = bench.run(WORK % "")
    asked: list[object] = []
    monkeypatch.setattr(ending, "end", lambda process: asked.append(process) or {11})
    left = survivors(read[0], lambda id_: asked.append(id_) or moved)  # type: ignore[func-returns-value]
    assert left == ({} if moved else {the_run(ended).id: (11,)})
    assert asked == ([ended.id] if moved else [ended.id, PROCESS])
    assert survivors(ended, lambda id_: pytest.fail("it has nothing at work")) == {}


def test_a_process_of_another_machine_or_boot_is_nowhere_to_be_found() -> None:
    mine = supervisor.start_of(os.getpid())
    assert mine is not None
    assert ending.end(StartedProcess(pid=os.getpid(), started_at="another/" + mine, marker="nobody/1/x")) == set()


def test_what_waits_to_be_buried_is_dead() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert supervisor.start_of(process.pid) is None
