"""What may start, when, and how much of it at once."""

from __future__ import annotations

from collections.abc import Iterator

from engine.model.events import EngineStarted, RestartRequested
from engine.model.execution import TaskRun
from engine.model.flow import (
    Container,
    Dag,
    EachParallel,
    EachSequential,
    ForEach,
    If,
    Loop,
    Parallel,
    Pause,
    Switch,
)
from engine.model.state import State
from engine.model.tree import AFTER, ERRORS, FINALLY, LISTENERS, MAIN, ON_PAUSE
from tests.simulation.invariants import reference
from tests.simulation.invariants.step import ScopeOf, Step, View


def expected_list(view: View, run: TaskRun) -> list[str]:
    """The enabled tasks of the list that a task run stands in, in the order of the file."""
    place = view.place(run)
    parent_id = place.parent.id if place.parent is not None else None
    return [task.id for task in view.flow.tree.enabled(parent_id, place.branch)]


def starts_at_once(view: View, run: TaskRun) -> bool:
    place = view.place(run)
    return isinstance(place.parent, (Parallel, Dag, EachParallel)) and place.group == MAIN


def one_after_the_other(step: Step) -> Iterator[object]:
    """The tasks of a list start in the order of the file, each when the one before has ended."""
    for key in {step.after.scope_of(run) for run in step.created}:
        runs = step.after.scopes[key]
        if isinstance(step.after.place(runs[0]).parent, Dag) and key.group == MAIN:
            continue
        expected = expected_list(step.after, runs[0])
        if [run.task_id for run in runs] != expected[: len(runs)]:
            yield [run.task_id for run in runs], expected
        if not starts_at_once(step.after, runs[0]) and not all(run.is_terminal for run in runs[:-1]):
            yield runs


def children_stand_in_live_parents(step: Step) -> Iterator[object]:
    """A task run begins only in a container that is open, and a container ends only after all that is in it."""
    for run in step.created:
        if (run.parent_id is None) is not (step.after.place(run).parent is None):
            yield run
    for run in step.touched:
        parent = step.after.runs.get(run.parent_id) if run.parent_id is not None else None
        if run.parent_id is not None and parent is None:
            yield run
        if parent is not None and not run.is_terminal and parent.is_terminal:
            yield run
        if run.is_terminal and not all(child.is_terminal for child in step.after.children.get(run.id, ())):
            yield run


def dependencies_first(step: Step) -> Iterator[object]:
    """A task of a Dag starts only when all tasks that it depends on have ended."""
    for run in step.created:
        place = step.after.place(run)
        if not isinstance(place.parent, Dag) or place.group != MAIN:
            continue
        needs = next(entry.depends_on for entry in place.parent.tasks if entry.task.id == run.task_id)
        siblings = {each.task_id: each for each in step.after.scope(run.parent_id)}
        for need in needs:
            dependency = siblings.get(need)
            if not step.after.places[need].task.disabled and (dependency is None or not dependency.is_terminal):
                yield run, need


def nothing_waits_without_need(step: Step) -> Iterator[object]:
    """While nothing has failed, at-once containers have started all that limits and dependencies let start."""
    if not step.moved or step.after.is_stopping or step.after.execution.held:
        return
    parents = {run.parent_id for run in step.touched if run.parent_id} | {run.id for run in step.touched}
    for parent in filter(None, map(step.after.runs.get, parents)):
        task = step.after.task(parent)
        if parent.state is not State.RUNNING or not isinstance(task, (Parallel, Dag)):
            continue
        mains = step.after.scope(parent.id)
        if any(run.state in (State.FAILED, State.KILLED) for run in mains):
            continue
        begun = {run.task_id: run for run in mains}
        live = sum(not run.is_terminal for run in mains)
        needs = {entry.task.id: entry.depends_on for entry in task.tasks} if isinstance(task, Dag) else {}
        for each in step.flow.tree.enabled(task.id, "tasks"):
            ready = all(
                step.after.places[need].task.disabled or (need in begun and begun[need].is_terminal)
                for need in needs.get(each.id, ())
            )
            if each.id not in begun and ready and (task.concurrent == 0 or live < task.concurrent):
                yield parent, each.id


def limits_hold(step: Step) -> Iterator[object]:
    """No more children than `concurrent`, and no more lanes than `concurrencyLimit`, are open at a time."""
    if step.tampered or not step.created or type(step.event) is RestartRequested:
        return
    for parent_id in {run.parent_id for run in step.created if step.after.place(run).group == MAIN}:
        parent = step.after.runs.get(parent_id) if parent_id is not None else None
        task = step.after.task(parent) if parent is not None else None
        if parent is None:
            continue
        live_children = sum(not run.is_terminal for run in step.after.scope(parent_id))
        if isinstance(task, (Parallel, Dag)) and task.concurrent and live_children > task.concurrent:
            yield parent
        limit = lanes_at_once(task)
        if limit:
            lanes = step.after.lanes.get(parent.id, [])
            live = [lane for lane in lanes if reference.lane_state(step.after, parent, lane) is None]
            if len(live) > limit:
                yield parent, live


def lanes_at_once(task: object) -> int:
    if isinstance(task, (ForEach, Loop)):
        return task.concurrency_limit
    if isinstance(task, EachSequential):
        return 1
    return task.concurrent if isinstance(task, EachParallel) else 0


def lanes_are_the_values(step: Step) -> Iterator[object]:
    """The lanes of a loop are its values, each once, begun in their order; its task runs carry value and number."""
    for run in step.created:
        place = step.after.place(run)
        if not place.laned:
            if run.value is not None or run.iteration is not None:
                yield run
            continue
        loop = step.after.runs[run.parent_id or ""]
        lanes = step.after.lanes[loop.id]
        if lanes != list(range(len(lanes))) or loop.items is None or len(lanes) > len(loop.items):
            yield loop, lanes
        elif isinstance(place.parent, Loop):
            if run.value != str(run.iteration):
                yield run
        elif run.iteration is None or run.value != loop.items[run.iteration] or len(set(loop.items)) < len(loop.items):
            yield run


def nothing_new_after_a_failure(step: Step) -> Iterator[object]:
    """Where a task has failed no other main task starts; where one was killed nothing starts but for a person."""
    if step.reopens:
        return
    for run in step.created:
        key = step.after.scope_of(run)
        mains = step.before.scope(key.parent_id, key.lane)
        states = {each.state for each in mains if each.id in step.after.runs}
        if key.group == MAIN and State.FAILED in states:
            yield run
        if State.KILLED in states and key.group in (MAIN, ERRORS, FINALLY):
            yield run
        loop = step.before.runs.get(key.parent_id) if key.parent_id is not None and key.group == MAIN else None
        if key.lane is not None and loop is not None:
            broken = reference.broken_lanes(step.before, loop)
            # A lane that has a failure of its own goes on to its end; no other does, and none begins.
            if broken and key.lane not in broken:
                yield run, broken


def errors_only_after_a_failure(step: Step) -> Iterator[object]:
    """The tasks of `errors` run only where a main task has failed."""
    for run in step.created:
        if step.after.place(run).group == ERRORS and not _has_failed(step.after, step.after.scope_of(run)):
            yield run


def _has_failed(view: View, key: ScopeOf) -> bool:
    parent = view.runs[key.parent_id] if key.parent_id is not None else None
    if parent is not None and view.lanes.get(parent.id):
        return State.FAILED in reference.lane_states(view, parent).values()
    is_pause = parent is not None and isinstance(view.task(parent), Pause)
    if parent is not None and is_pause and reference.expired(parent) in ("TIMEOUT", "FAIL"):
        return True
    return any(run.state is State.FAILED for run in view.scope(key.parent_id, key.lane))


def finally_is_last(step: Step) -> Iterator[object]:
    """`finally` begins when all else in its scope has ended, and nothing else begins there after it."""
    for run in step.created:
        key = step.after.scope_of(run)
        lanes = [key.lane] if key.lane is not None else [None, *step.after.lanes.get(key.parent_id or "", [])]
        beside = [
            each for lane in lanes for group in (MAIN, ERRORS) for each in step.after.scope(key.parent_id, lane, group)
        ]
        if key.group == FINALLY and not all(each.is_terminal for each in beside):
            yield run
        begun = step.before.scope(key.parent_id, key.lane, FINALLY)
        if key.group in (MAIN, ERRORS) and any(each.id in step.after.runs for each in begun):
            yield run


def a_list_beside_stops_at_a_failure(step: Step) -> Iterator[object]:
    """In `errors`, `finally`, `afterExecution` and listeners a failed task is the last one that runs."""
    for run in step.created:
        key = step.after.scope_of(run)
        ends = {each.state for each in step.after.scopes[key][:-1]}
        if key.group != MAIN and ends & {State.FAILED, State.KILLED}:
            yield run


def only_what_was_chosen(step: Step) -> Iterator[object]:
    """Of an If or a Switch only the chosen list runs."""
    for run in step.created:
        place = step.after.place(run)
        if not isinstance(place.parent, (If, Switch)) or place.group != MAIN:
            continue
        outputs = step.after.runs[run.parent_id or ""].outputs or {}
        if isinstance(place.parent, If):
            chosen = "then" if outputs["evaluationResult"] else "else"
        else:
            chosen = "defaults" if outputs["defaults"] else f"cases.{outputs['value']}"
        if place.branch != chosen:
            yield run, chosen


def nothing_starts_while_held(step: Step) -> Iterator[object]:
    """While a person holds an execution nothing starts, and no time that comes due moves anything."""
    if not (step.before.execution.held and step.after.execution.held):
        return
    yield from step.created
    if isinstance(step.event, EngineStarted):
        return  # what a crash takes away is gone, held or not
    yield from step.removed
    for old, run in step.changed:
        answered = old.state in (State.RUNNING, State.KILLING) and not step.after.is_container(run)
        given_up = run.state is State.KILLED and step.after.is_stopping
        if not (answered or given_up or step.reopens):
            yield run


def nothing_starts_while_stopping(step: Step) -> Iterator[object]:
    """Once it is known how an execution will end, nothing starts any more."""
    if step.before.is_stopping and step.after.is_stopping and not step.reopens:
        yield from step.created
        begun = (State.CREATED, State.PAUSED, State.RETRYING, State.RESTARTED)
        yield from (run for old, run in step.changed if old.state in begun and not run.is_terminal)


def after_the_end(step: Step) -> Iterator[object]:
    """`afterExecution` and listeners start only after the execution has ended, one list after the other."""
    for run in step.created:
        key = step.after.scope_of(run)
        late = key.group == AFTER or key.group.startswith(LISTENERS)
        if late and not step.after.execution.is_terminal:
            yield run
        before = step.after.scope(None, None, AFTER) if key.group.startswith(LISTENERS) else []
        if not all(each.is_terminal for each in before):
            yield run
        if not step.after.place(run).after and step.before.execution.is_terminal and not step.reopens:
            yield run


def on_pause_runs_in_a_pause(step: Step) -> Iterator[object]:
    """What runs `onPause` starts while its pause waits, and `tasks` of a pause only when it goes on."""
    for run in step.created:
        parent = step.after.runs.get(run.parent_id) if run.parent_id is not None else None
        if parent is None:
            continue
        # It may have been so for a moment only: all that follows from an event is one step.
        was = {entry.state for entry in parent.history[-4:]}
        group = step.after.place(run).group
        if (group == ON_PAUSE and State.PAUSED not in was) or (group == MAIN and State.RUNNING not in was):
            yield run


def containers_hold_tasks(step: Step) -> Iterator[object]:
    """Only a container has task runs in it."""
    yield from (
        run for run in step.created if run.parent_id and not isinstance(step.after.place(run).parent, Container)
    )


SENTENCES = (
    one_after_the_other, children_stand_in_live_parents, dependencies_first, nothing_waits_without_need, limits_hold,
    lanes_are_the_values, nothing_new_after_a_failure, errors_only_after_a_failure, finally_is_last,
    a_list_beside_stops_at_a_failure, only_what_was_chosen, nothing_starts_while_held, nothing_starts_while_stopping,
    after_the_end, on_pause_runs_in_a_pause, containers_hold_tasks,
)  # fmt: skip
