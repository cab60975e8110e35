"""What tasks do to executions, their own and others, on a running loop."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest

from engine.model.execution import Execution
from engine.model.state import State
from engine.ports import ExecutionFilter, LogFilter
from engine.sdk import RunContext, TaskFailed
from tests.unit.runtime.conftest import Bench

Actions = dict[str, Callable[[RunContext], Any]]
WORK = """
  - {id: a, type: t.Work, what: it}
  - {id: b, type: t.Say, text: "{{ vars.n | default(0) }}{{ labels.x | default(0) }}"}
"""


def said(execution: Execution) -> Any:
    """What the second task saw."""
    return next(run.outputs for run in execution.in_order() if run.task_id == "b")["value"]  # type: ignore[index]


def test_changes_are_seen_by_the_next_task(bench: Bench, actions: Actions) -> None:
    def change(ctx: RunContext) -> None:
        ctx.set_labels({"x": "1", "y": "2"})
        ctx.set_labels({"x": "3"})
        ctx.set_variables({"n": 5, "gone": {"deep": 1, "kept": 2}})
        ctx.unset_variables(["gone.deep"])

    actions["it"] = change
    execution = bench.run(WORK)
    assert (execution.state, said(execution)) == (State.SUCCESS, "53")
    stored = bench.store.execution(execution.id)
    assert stored is not None
    assert stored.labels == {"x": "3", "y": "2"}
    assert stored.variables == {"n": 5, "gone": {"kept": 2}}


def test_changes_of_an_attempt_that_fails_are_forgotten(bench: Bench, actions: Actions) -> None:
    def change(ctx: RunContext) -> None:
        ctx.set_labels({f"x{ctx.attempt}": "1"})
        if ctx.attempt == 1:
            raise TaskFailed("not yet")

    actions["it"] = change
    retry = "retry: {type: constant, interval: PT0.01S, maxAttempt: 2}"
    execution = bench.run(f"  - {{id: a, type: t.Work, what: it, {retry}}}")
    assert (execution.state, execution.labels) == (State.SUCCESS, {"x2": "1"})


def test_changes_of_a_task_that_fails_for_good_are_forgotten_too(bench: Bench, actions: Actions) -> None:
    def change(ctx: RunContext) -> None:
        ctx.set_variables({"n": 1})
        ctx.end_execution(State.SUCCESS)
        raise TaskFailed("no")

    actions["it"] = change
    execution = bench.run(WORK)
    assert (execution.state, execution.variables) == (State.FAILED, None)


def test_a_secret_is_masked_in_what_is_changed(bench: Bench, actions: Actions) -> None:
    def change(ctx: RunContext) -> None:
        ctx.set_variables({"n": [ctx.render("{{ secret('KEY') }}")]})
        ctx.set_labels({"x": ctx.render("{{ secret('KEY') }}!")})

    actions["it"] = change
    execution = bench.run(WORK)
    assert (execution.variables, execution.labels) == ({"n": ["******"]}, {"x": "******!"})


@pytest.mark.parametrize("state", [State.SUCCESS, State.WARNING, State.FAILED, State.CANCELLED, State.KILLED])
def test_a_task_ends_the_execution(bench: Bench, actions: Actions, state: State) -> None:
    actions["it"] = lambda ctx: ctx.end_execution(state)
    bench.begin(WORK)
    execution = bench.end()
    assert execution.state is state
    assert [run.task_id for run in execution.in_order()] == ["a"]


def test_an_execution_cannot_end_in_a_live_state(bench: Bench, actions: Actions) -> None:
    actions["it"] = lambda ctx: ctx.end_execution(State.PAUSED)
    assert bench.run(WORK).state is State.FAILED


def test_a_task_sees_its_variables(bench: Bench, actions: Actions) -> None:
    seen: list[Any] = []
    actions["it"] = lambda ctx: seen.append(ctx.vars)
    bench.run(WORK)
    assert seen == [{}]


def test_a_task_runs_another(bench: Bench, actions: Actions) -> None:
    actions["it"] = lambda ctx: ctx.run_task({"type": "t.Say", "text": "{{ execution.id }}"})
    execution = bench.run("  - {id: a, type: t.Work, what: it}")
    (run,) = execution.in_order()
    assert run.outputs == {"value": execution.id}


def test_a_task_reaches_other_executions(bench: Bench, actions: Actions) -> None:
    actions["it"] = lambda ctx: ctx.logger.info("hello")
    other = bench.run(WORK)
    found: dict[str, Any] = {}

    def look(ctx: RunContext) -> None:
        where = ExecutionFilter(states=[State.SUCCESS], limit=0)
        found["state"] = ctx.executions.find(other.id).state
        found["count"] = ctx.executions.count(where)
        found["logs"] = [line.message for line in ctx.executions.logs(other.id)]
        ctx.executions.resume(other.id, {"a": 1})
        found["purged logs"] = ctx.executions.purge_logs(LogFilter(levels=["INFO"]))
        purged = ctx.executions.purge(ExecutionFilter(), files=True)
        found["purged"] = (purged.executions, purged.logs, purged.files)
        found["left"] = ctx.executions.count(ExecutionFilter())

    put = f"kestra:///n/f/executions/{other.id}/tasks/a/r/x.txt"
    bench.storage.put(put, BytesIO(b"x"))
    actions["it"] = look
    assert bench.run(WORK).state is State.SUCCESS
    assert bench.resumed == [(other.id, {"a": 1})]
    assert found == {
        "state": State.SUCCESS,
        "count": 1,
        "logs": ["hello"],
        "purged logs": 1,
        "purged": (1, 0, 1),
        "left": 1,
    }
    assert not bench.storage.exists(put)


def test_a_purge_goes_through_all_that_it_keeps(
    bench: Bench, actions: Actions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.runtime.executions.PURGED_AT_ONCE", 2)
    actions["it"] = lambda ctx: ctx.logger.info("hello")
    for _ in range(5):
        bench.run(WORK)
    purged: list[Any] = []
    actions["it"] = lambda ctx: purged.extend(
        [ctx.executions.purge(ExecutionFilter(), executions=False), ctx.executions.purge(ExecutionFilter())]
    )
    bench.run(WORK)
    assert [(each.executions, each.logs) for each in purged] == [(0, 5), (5, 0)]
