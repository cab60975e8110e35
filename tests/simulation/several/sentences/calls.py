"""Of executions that task runs begin, wait for and stop."""

from __future__ import annotations

from collections.abc import Iterator

from engine.core.calling import successor_id
from engine.core.labels import RETRIED_SINCE
from engine.model.execution import Execution, TaskRun
from engine.model.flow import RunnableTask
from engine.model.state import State
from tests.simulation.invariants.reference import softened
from tests.simulation.several.machine import TYPES, Work
from tests.simulation.several.standing import Commit, Rest, calls_of_claim, has_ended, newest, waits

_WORST = (State.KILLED, State.FAILED, State.CANCELLED, State.WARNING)


def a_task_run_and_what_it_begins_are_stored_together(commit: Commit) -> Iterator[object]:
    """What a claim begins is stored with the task run that knows of it: all of it, or none."""
    for before, execution in commit.changed():
        if before is None and execution.caller is not None and RETRIED_SINCE not in execution.labels:
            caller = commit.after.get(execution.caller.execution_id)
            run = caller.task_runs.get(execution.caller.task_run_id) if caller is not None else None
            knows = run is not None and (
                execution.id in (run.calls or ()) or run.state in (State.SUCCESS, State.WARNING)
            )
            if execution.caller.execution_id in commit.memory.tampered:
                continue
            if run is None or not knows or execution.id not in calls_of_claim(commit.after, run):
                yield execution.id, run
    for old, run in commit.task_runs():
        if waits(run) and not waits(old):
            yield from (id_ for id_ in run.calls or () if id_ not in commit.after)
        given = run.outputs or {}
        if run.state is State.SUCCESS and (old is None or not old.is_terminal) and run.calls is None:
            wanted = given.get("numberOfBatches", 1 if "executionId" in given else 0)
            if wanted and len(calls_of_claim(commit.after, run)) != wanted:
                yield run


def each_is_begun_once(commit: Commit) -> Iterator[object]:
    """An execution leaves its beginning once, and never comes back to it."""
    for _, execution in commit.changed():
        states = [entry.state for entry in execution.history]
        first = next((place for place, state in enumerate(states) if state not in (State.CREATED, State.QUEUED)), 0)
        if first and {State.CREATED, State.QUEUED} & set(states[first:]):
            yield execution.id, states


def who_waits_ends_after_what_it_waits_for(commit: Commit) -> Iterator[object]:
    """A task run that waits for executions goes on only when all of them have ended, or its time is over."""
    left = commit.memory.outstanding
    moved = {run.id: (old, run) for old, run in commit.task_runs()}
    for old, run in moved.values():
        if waits(run) and (not waits(old) or old.epoch != run.epoch):
            left[run.id, run.epoch] = set(run.calls or ())
    for key in list(left):
        left[key] = {id_ for id_ in left[key] if not has_ended(commit.after, id_)}
        _, run = moved.get(key[0], (None, None))
        if run is None or (waits(run) and run.epoch == key[1]):
            continue
        unfinished = left.pop(key)
        timed_out = any((attempt.error or "").startswith("Timeout after") for attempt in run.attempts[-1:])
        if unfinished and not timed_out:
            yield run, unfinished
        commit.memory.abandoned |= unfinished


def who_waits_ends_as_they_have(commit: Commit) -> Iterator[object]:
    """With `transmitFailed` a task run ends as the worst of what it waited for, without it as a success."""
    for old, run in commit.task_runs():
        if old is None or not waits(old) or waits(run) or run.execution_id in commit.memory.tampered:
            continue
        if State.KILLING in (entry.state for entry in run.history[len(old.history) - 1 :]):
            continue
        ended = [newest(commit.after, id_) for id_ in old.calls or ()]
        if any(each is None or each.id in commit.memory.tampered or not each.is_terminal for each in ended):
            continue
        task = commit.flows[commit.after[run.execution_id].flow_id].tree.places[run.task_id].task
        assert isinstance(task, RunnableTask)
        states = {each.state for each in ended if each is not None}
        worst = next((state for state in _WORST if state in states), State.SUCCESS)
        expected = worst if task.properties["transmitFailed"] else State.SUCCESS
        timed_out = (run.attempts[-1].error or "").startswith("Timeout after")
        if run.state is State.RETRYING or timed_out:
            continue
        if run.state is not softened(task, expected) and not (run.state is State.WARNING and _retried(run)):
            yield run, expected


def _retried(run: TaskRun) -> bool:
    return len(run.attempts) > 1


def a_restart_goes_on_with_what_failed(commit: Commit) -> Iterator[object]:
    """A task run that goes on with what it began before restarts all of it that did not end well."""
    for old, run in commit.task_runs():
        if waits(run) and not waits(old):
            before = [each for id_ in run.calls or () if (each := newest(commit.before, id_)) is not None]
            for each in before:
                if each.state in (State.FAILED, State.KILLED) and commit.after[each.id].history == each.history:
                    yield run, each.id


def what_is_stopped_begins_nothing(commit: Commit) -> Iterator[object]:
    """When a task run is told to stop, nothing that it waits for begins any more."""
    if not commit.calm:
        return
    for execution in commit.begun():
        if execution.caller is None:
            continue
        caller = commit.before[execution.caller.execution_id]
        run = caller.task_runs.get(execution.caller.task_run_id)
        if run is not None and run.state is State.KILLING and run.calls is not None:
            told = run.history[-1].at
            if (execution.history[1].at - told).total_seconds() > 0.5:
                yield execution.id, run


def what_is_stopped_ends(rest: Rest) -> Iterator[object]:
    """A task run that was stopped, or whose time was over, leaves nothing running that it waited for."""
    for execution in rest.stored.values():
        for run in execution.task_runs.values():
            if run.calls is not None and run.state in (State.KILLING, State.KILLED):
                yield from (id_ for id_ in run.calls if _goes_on(rest, id_))
    yield from (id_ for id_ in rest.memory.abandoned if _goes_on(rest, id_))


def _goes_on(rest: Rest, execution_id: str) -> bool:
    """Whether it, or what retries it, has not ended, and no person wanted it so."""
    execution: Execution | None = rest.stored[execution_id]
    while execution is not None and execution.state is State.RETRIED and execution.id not in rest.memory.tampered:
        execution = rest.stored.get(successor_id(execution.id))
    return execution is None or not (execution.is_terminal or execution.id in rest.memory.tampered)


def nothing_is_left_to_itself(rest: Rest) -> Iterator[object]:
    """What has not ended waits for a person, for a place, or for executions that have not ended either."""
    for execution in rest.unfinished():
        waiting = any(
            waits(run) and not all(has_ended(rest.stored, id_) for id_ in run.calls or ())
            for run in execution.task_runs.values()
        )
        if not (waiting or execution.state in (State.PAUSED, State.QUEUED)):
            yield execution.id, execution.state


def a_claim_is_worked_on_once(rest: Rest) -> Iterator[object]:
    """The work of one claim is done at most once, whatever crashes."""
    for (run_id, epoch), often in rest.memory.worked.items():
        execution = rest.stored.get(run_id.rpartition("-")[0])
        run = execution.task_runs.get(run_id) if execution is not None else None
        if often > 1 and run is not None and epoch > 0:
            flow = rest.flows[execution.flow_id]  # type: ignore[union-attr]
            if issubclass(TYPES[flow.tree.places[run.task_id].task.type], Work):
                yield run_id, epoch


def who_waits_takes_over_what_it_waits_for(rest: Rest) -> Iterator[object]:
    """Whoever goes on with a task run that waits goes on with what that waits for."""
    for execution in rest.unfinished():
        for run in execution.task_runs.values():
            if rest.runs(execution.id) and waits(run):
                for id_ in run.calls or ():
                    child = newest(rest.stored, id_)
                    if child is None or not (child.is_terminal or rest.runs(child.id)):
                        yield run, id_


AT_EACH_COMMIT = (
    a_task_run_and_what_it_begins_are_stored_together,
    each_is_begun_once,
    who_waits_ends_after_what_it_waits_for,
    who_waits_ends_as_they_have,
    a_restart_goes_on_with_what_failed,
    what_is_stopped_begins_nothing,
)
AT_HALT = (who_waits_takes_over_what_it_waits_for,)
AT_REST = (what_is_stopped_ends, nothing_is_left_to_itself, a_claim_is_worked_on_once)
