"""How containers and executions end, wait and go on."""

from __future__ import annotations

from collections.abc import Iterator

from engine.core.rendering import APPLYING
from engine.model.commands import Evaluate, StopFlows, StopTask
from engine.model.conditions import ExecutionStatus
from engine.model.events import (
    AttemptFinished,
    EngineStarted,
    Evaluated,
    KillRequested,
    PlaceRefused,
    RestartRequested,
    StatusChanged,
    TaskRunChanged,
)
from engine.model.execution import TaskRun
from engine.model.flow import Container, ForEach, If, Loop, LoopUntil, Pause, Switch, WorkingDirectory
from engine.model.state import State
from tests.simulation.invariants import reference
from tests.simulation.invariants.step import FAILS, Step

#: Events after which a container may end otherwise than by what is in it.
_SPEAKS_FOR_ITSELF = (RestartRequested, TaskRunChanged)


def containers_sum_up(step: Step) -> Iterator[object]:
    """A container ends as its tasks did: KILLED beats FAILED beats WARNING beats SUCCESS; `finally` counts, too."""
    if step.stops or isinstance(step.event, _SPEAKS_FOR_ITSELF):
        return
    for old, run in step.ended:
        task = step.after.task(run)
        if not isinstance(task, Container) or run.state is State.SKIPPED:
            continue
        state = reference.scope_end(step.after, run)
        allowed = {reference.softened(task, state)}
        failed = reference.softened(task, State.FAILED)
        if old is not None and old.state is State.KILLING:
            allowed = {State.KILLED}
        elif run.error is not None:
            allowed = {failed}  # what it asks at its beginning or its end could not be answered
        elif isinstance(task, LoopUntil) and task.fail_on_max_reached:
            allowed.add(failed)
        elif isinstance(task, Pause) and (run.outputs or {}).get("expires") == "CANCEL":
            allowed.add(State.CANCELLED)
        if run.state not in allowed:
            yield run, allowed
        timed_out = isinstance(task, Pause) and reference.expired(run) in ("TIMEOUT", "FAIL")
        whole = (run.error is None or timed_out) and run.state not in (State.KILLED, State.CANCELLED)
        if whole and not reference.is_complete(step.after, run):
            yield run, "not all of it has run"


def containers_end_as_they_are_stopped(step: Step) -> Iterator[object]:
    """Of what is stopped, a container that was told to stop ends KILLED, another one as the execution will."""
    if not step.before.is_stopping or isinstance(step.event, _SPEAKS_FOR_ITSELF):
        return
    ending = step.after.execution.ending  # of two that end it the later one says how
    for old, run in step.ended:
        task = step.after.task(run)
        if old is None or not isinstance(task, Container) or step.after.place(run).after:
            continue
        told = State.KILLING in [entry.state for entry in run.history[len(old.history) - 1 :]]
        expected = State.FAILED if ending is State.RETRIED else ending or State.KILLED
        if told:
            expected = State.KILLED
        if run.state is not reference.softened(task, expected):
            yield run, expected


def executions_sum_up(step: Step) -> Iterator[object]:
    """An execution ends as its main tasks did; outputs that fail make it FAILED, and then it has none."""
    before, after = step.before.execution, step.after.execution
    if before.is_terminal or not after.is_terminal:
        return
    if isinstance(step.event, PlaceRefused) or (before.state is State.CREATED and before.ending is not None):
        return  # it has never begun
    expected = reference.scope_end(step.after, None)
    killed = any(entry.state is State.KILLING for entry in after.history[len(before.history) - 1 :])
    if killed or after.ending is not None or before.ending is not None:
        expected = after.ending or State.KILLED
    elif not reference.is_complete(step.after, None):
        yield "not all of it has run"
    tells = bool(step.flow.outputs) and expected not in (State.KILLED, State.RETRIED)
    fails = tells and step.flow.outputs[0].value == FAILS
    if tells and isinstance(step.event, Evaluated) and step.event.task_run_id is None:
        fails = fails or step.event.error is not None
    if after.state is not (State.FAILED if fails else expected):
        yield after.state, expected
    if (after.outputs is None) is (tells and not fails):
        yield after.outputs
    yield from (run for run in step.after.runs.values() if not run.is_terminal and not step.after.place(run).after)


def ended_means_ended(step: Step) -> Iterator[object]:
    """An execution that has its end keeps it: what comes after changes it no more."""
    before, after = step.before.execution, step.after.execution
    if before.is_terminal and not step.reopens and type(step.event) is not StatusChanged and after != before:
        same = ("state", "outputs", "error", "history")
        yield from (name for name in same if getattr(before, name) != getattr(after, name))
    if before.is_over and after.lingering and not step.reopens:
        yield after
    if after.lingering and not after.is_terminal:
        yield after
    if after.is_over:
        yield from (run for run in step.touched if not run.is_terminal)


def all_that_comes_after_has_run(step: Step) -> Iterator[object]:
    """An execution is over only when `afterExecution` has run, whole or to its first failure."""
    before, after = step.before.execution, step.after.execution
    if before.is_over or not after.is_over:
        return
    if after.state is State.RETRIED:
        return  # the next one sees to it
    late = step.after.scope(None, None, "afterExecution")
    expected = len(step.flow.tree.enabled(None, "afterExecution"))
    stopped = any(run.state in (State.FAILED, State.KILLED) for run in late) or isinstance(step.event, KillRequested)
    if len(late) < expected and not stopped and not any(run.state is State.KILLED for run in step.after.runs.values()):
        yield late


def listeners_run_if_they_apply(step: Step) -> Iterator[object]:
    """A listener runs if, and only if, its conditions hold of the execution that has ended."""
    before, after = step.before.execution, step.after.execution
    conditions = [each for listener in step.flow.listeners for each in listener.conditions]
    if not all(isinstance(each, ExecutionStatus) for each in conditions):
        return  # a worker tells
    for index, listener in enumerate(step.flow.listeners):
        states = [each for each in listener.conditions if isinstance(each, ExecutionStatus)]
        applies = all(each.in_ is None or after.state in each.in_ for each in states)
        runs = step.after.scope(None, None, f"listeners.{index}")
        if not applies and any(run in step.created for run in runs):
            yield index, after.state
        ended = after.is_over and not before.is_over and not step.stops
        undisturbed = all(
            run.state is not State.KILLED for run in step.after.runs.values() if step.after.place(run).after
        )
        due = step.flow.tree.enabled(None, f"listeners.{index}")
        failed = any(run.state is State.FAILED for run in runs)
        if ended and applies and undisturbed and not failed and len(runs) < len(due):
            yield index, "did not run"


def a_kill_is_final(step: Step) -> Iterator[object]:
    """A kill stops everything: what waits is KILLED at once, what runs is told to stop, and it ends KILLED."""
    if isinstance(step.event, KillRequested) and step.moved:
        after = step.after.execution
        if after.ending not in (None, State.RETRIED) and not step.before.execution.is_terminal:
            yield after.ending
        if not (after.state is State.KILLING or after.is_terminal):
            yield after.state
        waiting = (State.CREATED, State.PAUSED, State.RETRYING, State.RESTARTED)
        yield from (run for old, run in step.ended if old and old.state in waiting and run.state is not State.KILLED)
        for run in step.after.runs.values():
            late = step.after.place(run).after and run.id not in step.before.runs
            if not run.is_terminal and run.state is not State.KILLING and not late:
                yield run
    before, after = step.before.execution, step.after.execution
    if before.state is State.KILLING and after.is_terminal and after.state is not (before.ending or State.KILLED):
        outputs_failed = before.ending is not None and step.flow.outputs and after.outputs is None
        if not outputs_failed:
            yield after.state


def whoever_is_stopped_is_told(step: Step) -> Iterator[object]:
    """Whatever is at work when everything is stopped is told to stop."""
    told = {command.task_run_id for command in step.decision.commands if isinstance(command, (StopTask, StopFlows))}
    for old, run in step.changed:
        stopped = run.state is State.KILLING and old.state is not State.KILLING
        if stopped and not isinstance(step.after.task(run), Container) and run.id not in told:
            yield run


def what_waits_at_an_exit_is_killed(step: Step) -> Iterator[object]:
    """What has not begun when a task ends the execution is KILLED."""
    event = step.event
    exits = isinstance(event, AttemptFinished) and event.effects is not None and event.effects.ending is not None
    for old, run in step.ended if exits and step.after.is_stopping else ():
        waited = old is not None and old.state in (State.CREATED, State.RETRYING, State.RESTARTED)
        answered = isinstance(event, AttemptFinished) and run.id == event.task_run_id
        if waited and not answered and run.state is not State.KILLED:
            yield run


def listeners_are_asked_about_once(step: Step) -> Iterator[object]:
    """Whether listeners apply is asked when `afterExecution` has ended and while not all of them have begun."""
    if any(isinstance(each, Evaluate) and each.name == APPLYING for each in step.decision.commands):
        groups = [f"listeners.{index}" for index, _ in enumerate(step.flow.listeners)]
        late = step.after.scope(None, None, "afterExecution")
        due = len(step.flow.tree.enabled(None, "afterExecution"))
        if len(late) < due and not any(run.state is State.FAILED for run in late):
            yield late
        if all(step.after.scope(None, None, group) for group in groups):
            yield groups


def choices_are_kept(step: Step) -> Iterator[object]:
    """An If without `else` whose condition is false is a success; a Switch without match and `defaults` has failed."""
    for _, run in step.ended:
        task = step.after.task(run)
        if run.state is State.SKIPPED or step.stops or isinstance(step.event, _SPEAKS_FOR_ITSELF):
            continue
        began = any(entry.state is State.RUNNING for entry in run.history)
        if isinstance(task, Switch) and task.value == "c" and not task.defaults and run.error is None and began:
            yield run
        if isinstance(task, If) and task.condition == "false" and run.outputs and run.outputs["evaluationResult"]:
            yield run
        empty = isinstance(task, ForEach) and task.values == () and not task.finally_
        if empty and not run.error and run.state is not State.SUCCESS:
            yield run


def loops_need_values(step: Step) -> Iterator[object]:
    """A loop over what is no list has failed; so has one over a null, but for a Loop."""
    for _, run in step.ended:
        task = step.after.task(run)
        values = task.values if isinstance(task, (ForEach, Loop)) else getattr(task, "value", ())
        is_loop = isinstance(task, Container) and task.LOOPS and run.state is not State.KILLED and not step.reopens
        null = isinstance(values, tuple) and None in values and not isinstance(task, Loop)
        if is_loop and (null or values in ("no list", FAILS)) and run.error is None and run.state is not State.SKIPPED:
            yield run, values


def restart_keeps_what_is_good(step: Step) -> Iterator[object]:
    """A restart keeps all ids, drops what ran beside, and runs again only what did not end well."""
    if not isinstance(step.event, RestartRequested) or not step.moved:
        return
    before, after = step.before.execution, step.after.execution
    if after.id != before.id or after.attempt_number != before.attempt_number + 1:
        yield after.attempt_number
    if after.held or after.ending is not None or (after.error is not None and not after.is_terminal):
        yield after
    bad = (State.FAILED, State.KILLED, State.PAUSED)
    for old in step.before.runs.values():
        run = step.after.runs.get(old.id)
        if step.before.is_aside(old):
            if run is not None:
                yield run
            continue
        whole = any(isinstance(step.before.task(up), WorkingDirectory) for up in step.before.up(old))
        anew = any(_begun_anew(step, up) for up in step.before.up(old))
        if run is None:
            if not anew and not whole:
                yield old
        elif old.is_terminal and old.state not in bad and run is not old and not step.before.is_container(old):
            yield old, run
        elif old.state in bad and run is old and not whole:
            yield old


def _begun_anew(step: Step, old: TaskRun) -> bool:
    """Whether a restart has put this container back to its beginning."""
    run = step.after.runs.get(old.id)
    if run is None:
        return True
    return any(entry.state is State.CREATED for entry in run.history[len(old.history) :])


def a_takeover_is_no_news(step: Step) -> Iterator[object]:
    """Taking over after a crash ends nothing but what was at work, and starts only what was about to start."""
    if isinstance(step.event, EngineStarted):
        for old, run in step.changed:
            if old.state is State.PAUSED and run.state is not State.PAUSED and not step.after.is_stopping:
                yield run
            if old.state is State.RETRYING and run is not old and not run.is_terminal:
                yield run


SENTENCES = (
    containers_sum_up, containers_end_as_they_are_stopped, executions_sum_up, ended_means_ended,
    all_that_comes_after_has_run, listeners_run_if_they_apply, a_kill_is_final, whoever_is_stopped_is_told,
    what_waits_at_an_exit_is_killed, listeners_are_asked_about_once, choices_are_kept, loops_need_values,
    restart_keeps_what_is_good, a_takeover_is_no_news,
)  # fmt: skip
