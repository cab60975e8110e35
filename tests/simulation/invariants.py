"""What always holds, one check for each sentence of the semantics. Each raises AssertionError naming the sentence."""

from __future__ import annotations

from collections import Counter

from engine.model.execution import Execution, TaskRun
from engine.model.flow import Container, Dag, Flow, ForEach, Parallel, Switch
from engine.model.state import TERMINAL, AttemptState, State, allows
from tests.simulation.play import Play


def after_each_decision(before: Execution, after: Execution, flow: Flow) -> None:
    """Between any two values of an execution."""
    assert not before.is_terminal or after is before, "a terminal execution never changes"
    for run_id, old in before.task_runs.items():
        new = after.task_runs[run_id]
        assert not old.is_terminal or new == old, "a terminal task run never changes"
        assert new.history[: len(old.history)] == old.history, "a history only grows"
        assert new.epoch >= old.epoch, "epochs rise"
    for run in after.task_runs.values():
        for earlier, later in zip(run.history, run.history[1:], strict=False):
            assert allows(earlier.state, later.state), "every change of state is in the table"
        assert run.history[-1].state is run.state, "the last entry of a history is the state"
        epochs = [attempt.epoch for attempt in run.attempts]
        assert epochs == sorted(set(epochs)), "attempts have distinct, rising epochs"
        succeeded = sum(attempt.state is AttemptState.SUCCEEDED for attempt in run.attempts)
        assert succeeded <= 1, "a task run has at most one successful attempt"
        assert not flow.tree.places[run.task_id].task.disabled, "a disabled task has no task run"
    limits(flow, after)
    order(flow, after)
    nothing_new_after_failure(before, after, flow)


def nothing_new_after_failure(before: Execution, after: Execution, flow: Flow) -> None:
    """A scope with a failed main task starts no other main task."""

    def mains(execution: Execution) -> dict[str | None, list[TaskRun]]:
        found: dict[str | None, list[TaskRun]] = {}
        for run in execution.task_runs.values():
            if not flow.tree.places[run.task_id].in_errors:
                found.setdefault(run.parent_id, []).append(run)
        return found

    later = mains(after)
    for parent_id, runs in mains(before).items():
        if any(run.state is State.FAILED for run in runs):
            assert len(later[parent_id]) == len(runs), "after a failure nothing new starts"


def limits(flow: Flow, execution: Execution) -> None:
    """`concurrent` and `concurrencyLimit` are never exceeded."""
    live: Counter[str | None] = Counter()
    lanes: dict[str, set[int | None]] = {}
    for run in execution.task_runs.values():
        place = flow.tree.places[run.task_id]
        if run.is_terminal or place.in_errors:
            continue
        live[run.parent_id] += 1
        if place.laned and run.parent_id is not None:
            lanes.setdefault(run.parent_id, set()).add(run.iteration)
    for run in execution.task_runs.values():
        task = flow.tree.places[run.task_id].task
        if isinstance(task, (Parallel, Dag)) and task.concurrent:
            assert live[run.id] <= task.concurrent, "no more than `concurrent` at a time"
        if isinstance(task, ForEach) and task.concurrency_limit:
            assert len(lanes.get(run.id, ())) <= task.concurrency_limit, "no more lanes than `concurrencyLimit`"


def order(flow: Flow, execution: Execution) -> None:
    """Nothing starts before what must have ended before it."""
    by_scope: dict[tuple[str | None, int | None, str], list[TaskRun]] = {}
    for run in execution.in_order():
        place = flow.tree.places[run.task_id]
        lane = run.iteration if place.laned else None
        by_scope.setdefault((run.parent_id, lane, place.branch), []).append(run)
        parent = execution.task_runs[run.parent_id] if run.parent_id else None
        assert (run.parent_id is None) == (place.parent is None), "a task run stands in its container's task run"
        assert parent is None or not parent.is_terminal or run.is_terminal, "a container ends after its children"
        if isinstance(place.parent, Dag) and parent is not None and not place.in_errors:
            needs = next(entry.depends_on for entry in place.parent.tasks if entry.task.id == run.task_id)
            for need in needs:
                dependency = next(
                    (
                        other
                        for other in execution.task_runs.values()
                        if other.task_id == need and other.parent_id == run.parent_id
                    ),
                    None,
                )
                enabled = not flow.tree.places[need].task.disabled
                assert not enabled or (dependency is not None and dependency.is_terminal), "dependencies ended before"
    for (_, _, branch), runs in by_scope.items():
        place = flow.tree.places[runs[0].task_id]
        at_once = isinstance(place.parent, (Parallel, Dag)) and branch != "errors"
        if not at_once:
            assert all(run.is_terminal for run in runs[:-1]), "tasks of a sequence run one after the other"
        expected = [task.id for task in flow.tree.enabled(place.parent.id if place.parent else None, branch)]
        if not isinstance(place.parent, Dag) or branch == "errors":
            assert [run.task_id for run in runs] == expected[: len(runs)], "tasks start in the order of the file"


def at_the_end(play: Play) -> None:
    """When nothing is left to happen."""
    flow, execution = play.flow, play.execution
    assert execution.is_terminal, "every execution ends"
    runs = list(execution.task_runs.values())
    assert all(run.is_terminal for run in runs), "an execution ends after its task runs"
    mains = [run for run in runs if run.parent_id is None and not flow.tree.places[run.task_id].in_errors]
    if any(entry.state is State.KILLING for entry in execution.history):
        assert execution.state is State.KILLED, "a killed execution ends KILLED"
    else:
        assert execution.state is expected_state(mains, execution.state), "KILLED beats FAILED beats WARNING"
    for run in runs:
        task = flow.tree.places[run.task_id].task
        children = [
            child for child in runs if child.parent_id == run.id and not flow.tree.places[child.task_id].in_errors
        ]
        if not isinstance(task, Container) or run.error is not None or not children:
            continue
        state = expected_state(children, run.state)
        softened = {State.FAILED: State.WARNING} if task.allow_failure else {}
        assert run.state is softened.get(state, state) or execution.state is State.KILLED, "a container sums up"
    for run in runs:
        task = flow.tree.places[run.task_id].task
        if isinstance(task, Switch) and run.outputs is not None and run.state is State.SUCCESS:
            chosen = "defaults" if run.outputs["defaults"] else f"cases.{run.outputs['value']}"
            stray = [
                child
                for child in runs
                if child.parent_id == run.id and flow.tree.places[child.task_id].branch != chosen
            ]
            assert not stray, "only the chosen case runs"
    failed = any(run.state is State.FAILED for run in mains)
    handlers = [run for run in runs if run.parent_id is None and flow.tree.places[run.task_id].in_errors]
    if flow.tree.enabled(None, "errors") and execution.state is not State.KILLED:
        assert bool(handlers) == failed, "the errors branch runs if and only if a main task failed"


def expected_state(children: list[TaskRun], fallback: State) -> State:
    """The state that a container's children give it."""
    states = {run.state for run in children}
    assert states <= TERMINAL
    for state in (State.KILLED, State.FAILED, State.WARNING):
        if state in states:
            return state
    return State.SUCCESS if fallback is not State.KILLED else State.KILLED
