"""The loop: what is committed when, and that nothing a task does can harm it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from engine.dialect import load
from engine.errors import RetryLater, StoreError, TaskFailed
from engine.model.events import KillRequested
from engine.model.execution import Execution, StateChange
from engine.model.state import AttemptState, State
from engine.ports import ExecutionChange
from engine.runtime import loop as loop_module
from engine.runtime.clock import SystemClock
from engine.sdk import RunContext

WORK = "  - {id: w, type: t.Work, what: w}\n"


def runs(execution: Execution) -> dict[str, Any]:
    return {run.task_id: run for run in execution.in_order()}


def test_pure_tasks_start_and_end_in_one_commit(bench: Any) -> None:
    commits: list[int] = []
    commit = bench.store.commit
    bench.store.commit = lambda changes: (commits.append(len(changes)), commit(changes))[1]
    execution = bench.run(
        "  - {id: a, type: t.Say, text: x}\n  - {id: b, type: t.Say, text: '{{ outputs.a.value }}'}\n"
    )
    assert execution.state is State.SUCCESS
    assert runs(execution)["b"].outputs == {"value": "x"}
    assert commits == [1]


def test_a_claim_is_committed_before_the_work_starts(bench: Any, actions: Any) -> None:
    seen: list[Execution] = []

    def look(ctx: RunContext) -> None:
        seen.append(bench.store.execution(ctx.execution_id))

    actions["w"] = look
    bench.run(WORK)
    stored = runs(seen[0])["w"]
    assert (stored.state, stored.epoch, stored.attempts[0].state) == (State.RUNNING, 1, AttemptState.STARTED)


def test_no_more_tasks_run_at_once_than_there_are_workers(bench: Any, actions: Any) -> None:
    bench.loop.stop()
    bench.loop = bench.new_loop(workers=2)
    running, most, gate = [0], [0], threading.Barrier(2)
    lock = threading.Lock()

    def work(ctx: RunContext) -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        gate.wait(10)
        with lock:
            running[0] -= 1

    actions["w"] = work
    tasks = "".join(f"      - {{id: w{i}, type: t.Work, what: w}}\n" for i in range(6))
    execution = bench.run(f"  - id: p\n    type: io.kestra.plugin.core.flow.Parallel\n    tasks:\n{tasks}")
    assert execution.state is State.SUCCESS
    assert most[0] == 2


@pytest.mark.parametrize(
    ("action", "error"),
    [
        (lambda ctx: 1 / 0, "ZeroDivisionError: division by zero"),
        (lambda ctx: (_ for _ in ()).throw(SystemExit(3)), "SystemExit: 3"),
        (lambda ctx: (_ for _ in ()).throw(TaskFailed("no", hint="do this")), "no (do this)"),
        (lambda ctx: "text", "the task returned str; it must return an Output, a map or nothing"),
        (lambda ctx: {"x": [float("nan")]}, "the task's outputs are not JSON data"),
        (lambda ctx: {"x": object()}, "the task's outputs are not JSON data"),
    ],
)
def test_whatever_a_task_does_is_a_failed_task(
    bench: Any, actions: Any, action: Callable[[RunContext], Any], error: str
) -> None:
    actions["w"] = action
    execution = bench.run(WORK)
    assert execution.state is State.FAILED
    assert runs(execution)["w"].error.startswith(error)
    assert bench.run("  - {id: a, type: t.Say, text: alive}\n").state is State.SUCCESS


def test_secrets_are_masked_wherever_a_task_writes(bench: Any, actions: Any) -> None:
    def leak(ctx: RunContext) -> dict[str, Any]:
        ctx.logger.info("password is hunter22 and key is %s", ctx.render("{{ secret('KEY') }}"))
        raise TaskFailed("refused hunter22", outputs={"deep": [{"x": "aGh1bnRlcjIy hunter22"}]})

    actions["w"] = leak
    execution = bench.run("  - {id: w, type: t.Work, what: w, password: hunter22}\n")
    run = runs(execution)["w"]
    assert run.error == "refused ******"
    assert "hunter22" not in str(run.outputs)
    assert bench.lines(execution) == ["INFO password is ****** and key is ******", "ERROR refused ******"]


def test_a_secret_in_a_pure_task_is_fetched_on_a_thread_and_masked(bench: Any) -> None:
    execution = bench.run("  - {id: a, type: t.Say, text: \"<{{ secret('KEY') }}>\"}\n")
    assert runs(execution)["a"].outputs == {"value": "<******>"}


def test_an_expression_that_calls_out_is_evaluated_by_a_worker(bench: Any) -> None:
    execution = bench.run(
        "  - {id: a, type: t.Say, runIf: \"{{ secret('KEY') == 's3cr3t-value' }}\"}\n"
        "  - {id: b, type: t.Say, runIf: \"{{ secret('NO') == 'x' }}\"}\n"
    )
    assert (runs(execution)["a"].state, runs(execution)["b"].state) == (State.SUCCESS, State.FAILED)
    assert "there is no secret `NO`" in runs(execution)["b"].error


def test_a_timeout_ends_the_attempt_and_frees_its_place(bench: Any, actions: Any) -> None:
    stuck = threading.Event()
    actions["w"] = lambda ctx: stuck.wait(30) and None
    execution = bench.run("  - {id: w, type: t.Work, what: w, timeout: PT0.05S}\n")
    run = runs(execution)["w"]
    assert (run.state, run.error) == (State.FAILED, "Timeout after PT0.05S")
    stuck.set()
    actions["w"] = lambda ctx: {"ok": True}
    assert bench.run(WORK).state is State.SUCCESS
    assert bench.store.execution(execution.id).task_runs[run.id] == run  # the late answer changed nothing


@pytest.mark.parametrize(
    ("timeout", "error"),
    [
        ("PT0.0{{ 5 }}S", "Timeout after PT0.05S"),
        ("{{ task.id }}", "`timeout` cannot be used: `w` is not an ISO-8601 duration such as PT30S, PT5M or P1DT12H"),
    ],
)
def test_a_timeout_may_be_an_expression(bench: Any, actions: Any, timeout: str, error: str) -> None:
    actions["w"] = lambda ctx: ctx.sleep(30)
    execution = bench.run(f'  - {{id: w, type: t.Work, what: w, timeout: "{timeout}"}}\n')
    run = runs(execution)["w"]
    assert (run.state, run.error) == (State.FAILED, error)


def test_kill_stops_what_runs_and_what_waits(bench: Any, actions: Any) -> None:
    started = threading.Event()

    def work(ctx: RunContext) -> None:
        started.set()
        ctx.sleep(30)

    actions["w"] = work
    execution_id = bench.begin(WORK + "  - {id: never, type: t.Say}\n")
    assert started.wait(10)
    bench.loop.post(execution_id, KillRequested(at=SystemClock().now()))
    execution = bench.end()
    assert execution.state is State.KILLED
    assert [(run.task_id, run.state) for run in execution.in_order()] == [("w", State.KILLED)]


def test_a_task_that_does_not_stop_is_written_off_and_said_to_have_failed(
    bench: Any, actions: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop_module, "STOP_GRACE", 0.05)
    started, stuck = threading.Event(), threading.Event()

    def work(ctx: RunContext) -> None:
        started.set()
        stuck.wait(30)

    actions["w"] = work
    execution_id = bench.begin(WORK)
    assert started.wait(10)
    bench.loop.post(execution_id, KillRequested(at=SystemClock().now()))
    execution = bench.end()
    assert execution.state is State.KILLED
    assert runs(execution)["w"].state is State.FAILED
    assert "was told to stop and did not" in runs(execution)["w"].error
    stuck.set()


def test_a_later_retry_holds_no_worker(bench: Any, actions: Any) -> None:
    calls: list[int] = []

    def work(ctx: RunContext) -> dict[str, Any]:
        calls.append(ctx.attempt)
        if len(calls) == 1:
            raise RetryLater("busy", seconds=0.01)
        return {"attempt": ctx.attempt}

    actions["w"] = work
    execution = bench.run(WORK)
    run = runs(execution)["w"]
    assert (execution.state, calls, run.outputs) == (State.SUCCESS, [1, 2], {"attempt": 2})
    assert [attempt.state for attempt in run.attempts] == [AttemptState.FAILED, AttemptState.SUCCEEDED]


def test_one_execution_that_cannot_be_stored_does_not_take_the_others_down(bench: Any, actions: Any) -> None:
    commit = bench.store.commit
    gate = threading.Event()
    poisoned: list[str] = []

    def refuse(changes: list[ExecutionChange]) -> None:
        gate.wait(10)
        if any(change.after.id in poisoned for change in changes):
            raise StoreError("poison")
        commit(changes)

    actions["w"] = lambda ctx: {"ok": True}
    bench.store.commit = refuse
    flow = bench.flow(WORK)
    made = [
        Execution(
            id=f"e{i}",
            namespace="n",
            flow_id="f",
            flow_revision=1,
            state=State.CREATED,
            history=(StateChange(State.CREATED, SystemClock().now()),),
        )
        for i in range(3)
    ]
    poisoned.append("e1")
    followers = {one.id: bench.loop.followers.add(one.id)[0] for one in made}
    stored = [bench.loop.submit(flow, one) for one in made]
    gate.set()
    with pytest.raises(StoreError, match="poison"):
        stored[1].result(10)
    for name in ("e0", "e2"):
        while not (news := followers[name].get(timeout=10)).after.is_terminal:
            pass
        assert news.after.state is State.SUCCESS
    assert bench.store.execution("e1") is None


def test_another_loop_goes_on_where_one_ended(bench: Any, actions: Any) -> None:
    started = threading.Event()

    def hang(ctx: RunContext) -> None:
        started.set()
        ctx.sleep(30)

    actions["w"] = hang
    flow = bench.flow("  - {id: a, type: t.Say, text: x}\n" + WORK)
    execution_id = bench.begin(flow)
    assert started.wait(10)
    bench.loop.stop(grace=0.0)
    left = bench.store.execution(execution_id)
    assert (left.state, runs(left)["w"].state) == (State.RUNNING, State.RUNNING)

    actions["w"] = lambda ctx: {"attempt": ctx.attempt}
    bench.loop = bench.new_loop()
    bench.news, _ = bench.loop.followers.add(execution_id)
    bench.loop.adopt(flow, left)
    execution = bench.end()
    run = runs(execution)["w"]
    assert execution.state is State.SUCCESS
    assert [attempt.state for attempt in run.attempts] == [AttemptState.LOST, AttemptState.SUCCEEDED]
    assert (run.epoch, run.outputs) == (2, {"attempt": 2})
    assert len(runs(execution)["a"].attempts) == 1


def test_history_of_a_long_flow_is_visible_while_it_runs(bench: Any) -> None:
    sizes: list[int] = []
    commit = bench.store.commit
    bench.store.commit = lambda changes: (sizes.append(len(changes[0].task_runs)), commit(changes))[1]
    tasks = "".join(f"  - {{id: t{i}, type: t.Say, text: x}}\n" for i in range(300))
    assert bench.run(tasks).state is State.SUCCESS
    assert len(sizes) >= 300 // loop_module.BATCH_TASK_RUNS
    assert max(sizes) <= loop_module.BATCH_TASK_RUNS + 2


def test_stopping_waits_for_what_finishes_in_time(bench: Any, actions: Any) -> None:
    started, go_on = threading.Event(), threading.Event()

    def work(ctx: RunContext) -> dict[str, Any]:
        started.set()
        go_on.wait(10)
        return {"ok": True}

    actions["w"] = work
    execution_id = bench.begin(WORK)
    assert started.wait(10)
    threading.Timer(0.05, go_on.set).start()
    before = time.monotonic()
    bench.loop.stop(grace=10)
    assert time.monotonic() - before < 5
    assert bench.store.execution(execution_id).state is State.SUCCESS


def test_a_call_hidden_in_a_variable_is_made_by_a_worker_too(bench: Any) -> None:
    text = (
        "id: f\nnamespace: n\nvariables: {v: \"{{ secret('KEY') }}\"}\n"
        "tasks:\n  - {id: a, type: t.Say, runIf: \"{{ render(vars.v) == 's3cr3t-value' }}\"}\n"
    )
    execution = bench.run(load(text, file="f.yaml", types=bench.types))
    assert runs(execution)["a"].state is State.SUCCESS


def test_whoever_waits_hears_of_it_when_the_loop_itself_breaks(bench: Any) -> None:
    def broken(changes: Any) -> None:
        raise ZeroDivisionError("a bug of ours")

    bench.store.commit = broken
    flow = bench.flow(WORK)
    for _ in range(2):  # one that it was busy with, and one that comes too late
        with pytest.raises(ZeroDivisionError):
            bench.begin(flow)
