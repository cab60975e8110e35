"""How things ought to end, worked out the slow way: from the task runs alone, anew each time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engine.model.execution import TaskRun
from engine.model.flow import AllowFailure, Container, EachParallel, Loop, Pause, Task
from engine.model.state import State
from engine.model.tree import ERRORS, FINALLY, MAIN
from tests.simulation.invariants.step import View


def summed(states: Iterable[State]) -> State:
    """KILLED beats FAILED beats WARNING; everything else is a success."""
    seen = set(states)
    return next((state for state in (State.KILLED, State.FAILED, State.WARNING) if state in seen), State.SUCCESS)


def with_aside(state: State, errors: Sequence[TaskRun], last: Sequence[TaskRun]) -> State:
    """`errors` change nothing unless they were killed; of `finally` a failure counts, and a warning after a success."""
    killed = any(run.state is State.KILLED for run in (*errors, *last))
    if killed or state is State.KILLED:
        return State.KILLED
    if any(run.state is State.FAILED for run in last):
        return State.FAILED
    warned = any(run.state is State.WARNING for run in last)
    return State.WARNING if warned and state is State.SUCCESS else state


def softened(task: Task, state: State) -> State:
    """What `allowFailure` and `allowWarning` make of an end."""
    if state is State.FAILED and task.allow_failure:
        state = State.WARNING
    return State.SUCCESS if state is State.WARNING and task.allow_warning else state


def lane_state(view: View, loop: TaskRun, lane: int) -> State | None:
    """How one lane of a loop ended by itself; None while it goes on, or when it was never finished."""
    mains = view.scope(loop.id, lane)
    if any(not run.is_terminal for run in mains):
        return None
    state = summed(run.state for run in mains)
    whole = len(mains) >= len(view.flow.tree.enabled(loop.task_id, "tasks"))
    return state if whole or state in (State.KILLED, State.FAILED) else None


def _complete(view: View, task: Task | None, branch: str, runs: Sequence[TaskRun]) -> bool:
    """Whether a list beside the main tasks has come to its end: all of it, or a failure."""
    if any(run.state in (State.FAILED, State.KILLED) for run in runs):
        return True
    return len(runs) >= len(view.flow.tree.enabled(task.id if task is not None else None, branch))


def lane_states(view: View, loop: TaskRun) -> dict[int, State]:
    """How the rounds of a loop that have ended count for it."""
    forgiven = isinstance(task := view.task(loop), Loop) and not task.transmit_failed
    found = {}
    for lane in view.lanes.get(loop.id, ()):
        state = lane_state(view, loop, lane)
        if state is not None:
            found[lane] = State.SUCCESS if forgiven and state in (State.FAILED, State.KILLED) else state
    return found


def broken_lanes(view: View, loop: TaskRun) -> set[int]:
    """The rounds of a loop that have ended and let nothing more begin in it."""
    return {lane for lane, state in lane_states(view, loop).items() if state in (State.FAILED, State.KILLED)}


def live_lanes(view: View, loop: TaskRun) -> set[int]:
    """The rounds of a loop that go on. Where no round goes on to its end, one between two of its tasks does not."""
    execution, ended = view.execution, lane_states(view, loop)
    stopped = execution.ending is not None and not view.is_late(loop)
    stopped = stopped or loop.state is State.KILLING or loop.is_terminal
    broken = stopped or bool(broken_lanes(view, loop))
    going_on = {
        lane
        for lane in view.lanes.get(loop.id, ())
        if not broken or any(not run.is_terminal for run in view.scope(loop.id, lane))
    }
    return going_on - set(ended)


def scope_end(view: View, run: TaskRun | None) -> State:
    """How a container, or the flow (None), ends that nobody stops and that asks nothing at its end."""
    run_id, task = (run.id, view.task(run)) if run is not None else (None, None)
    if run is not None and isinstance(task, Container) and task.LOOPS:
        state = summed(lane_states(view, run).values())
    else:
        state = summed(each.state for each in view.scope(run_id))
    if isinstance(task, Pause) and run is not None:
        then = expired(run)
        if then in ("TIMEOUT", "FAIL"):
            state = State.FAILED
        elif then == "WARN" and state is State.SUCCESS:
            state = State.WARNING
    state = with_aside(state, view.scope(run_id, None, ERRORS), view.scope(run_id, None, FINALLY))
    return State.WARNING if isinstance(task, AllowFailure) and state is State.FAILED else state


def expired(run: TaskRun) -> object:
    """What it means that a pause went on by itself: its `behavior`, or TIMEOUT; None when a person resumed it."""
    outputs = run.outputs or {}
    return outputs.get("expires") if "resumed" not in outputs else None


def is_complete(view: View, run: TaskRun | None) -> bool:
    """Whether all has run in a container, or the flow, that had to run for such an end."""
    run_id, task = (run.id, view.task(run)) if run is not None else (None, None)
    if run is not None and isinstance(task, Container) and task.LOOPS:
        return _loop_is_complete(view, run, task)
    mains = view.scope(run_id)
    state = summed(each.state for each in mains)
    if isinstance(task, Pause) and run is not None and expired(run) in ("TIMEOUT", "FAIL"):
        state = State.FAILED
    if state is State.KILLED:
        return True
    branch = view.place(mains[0]).branch if mains else "tasks"
    if state is not State.FAILED and mains and len(mains) < len(view.flow.tree.enabled(_id(task), branch)):
        return False
    return _beside_is_complete(view, run_id, task, state)


def _loop_is_complete(view: View, run: TaskRun, task: Container) -> bool:
    states, tasks = lane_states(view, run), view.flow.tree.enabled(task.id, "tasks")
    state = summed(states.values())
    if state is State.KILLED:
        return True
    if state is not State.FAILED and tasks and len(states) < len(run.items or ()):
        return False
    at_once = isinstance(task, EachParallel) and state is not State.FAILED
    if at_once and any(len(view.scope(run.id, lane, MAIN)) < len(tasks) for lane in states):
        return False
    return _beside_is_complete(view, run.id, task, state)


def _beside_is_complete(view: View, run_id: str | None, task: Task | None, state: State) -> bool:
    errors, last = (view.scope(run_id, None, group) for group in (ERRORS, FINALLY))
    if any(each.state is State.KILLED for each in (*errors, *last)):
        return True
    if state is State.FAILED and not _complete(view, task, ERRORS, errors):
        return False
    return _complete(view, task, FINALLY, last)


def _id(task: Task | None) -> str | None:
    return task.id if task is not None else None
