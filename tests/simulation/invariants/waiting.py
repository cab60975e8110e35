"""How containers and executions wait, and go on."""

from __future__ import annotations

from collections.abc import Iterator

from engine.model.duration import parse_duration
from engine.model.events import (
    KillRequested,
    PauseRequested,
    RestartRequested,
    ResumeRequested,
    TaskRunChanged,
    TimerFired,
)
from engine.model.execution import TaskRun
from engine.model.flow import Container, LoopUntil, Pause
from engine.model.state import AttemptState, State
from engine.model.tree import ON_PAUSE
from tests.simulation.invariants import reference
from tests.simulation.invariants.step import OUTSIDE, REOPENING, Step, View


def a_pause_waits_as_long_as_it_says(step: Step) -> Iterator[object]:
    """A pause waits for the first of its times, and does what is said of it; without a time it waits for a person."""
    for run in step.touched:
        task, old = step.after.task(run), step.before.runs.get(run.id)
        if not isinstance(task, Pause) or (old is not None and old.state is State.PAUSED) or task.behavior == OUTSIDE:
            continue
        length = task.pause_duration or task.delay
        wrong = length == "soon" or task.behavior == "UNKNOWN"
        if run.state is State.PAUSED:
            times = [(length, task.behavior), (task.timeout, "TIMEOUT")]
            moments = sorted((step.event.at + parse_duration(text), then) for text, then in times if text and not wrong)
            due, then = moments[0] if moments else (None, None)
            if wrong or run.due != due or (run.outputs or {}).get("expires") != then:
                yield run, moments
        began = run.state not in (State.CREATED, State.SKIPPED, State.KILLED) and not step.reopens
        if wrong and began and run.error is None:
            yield run


def a_resume_is_seen(step: Step) -> Iterator[object]:
    """An execution that a person lets go on has been RESTARTED before it runs again."""
    if isinstance(step.event, ResumeRequested) and step.moved and step.before.execution.state is State.PAUSED:
        new = step.after.execution.history[len(step.before.execution.history) :]
        if [entry.state for entry in new[:2]] != [State.RESTARTED, State.RUNNING]:
            yield new


def what_is_said_on_pause_runs(step: Step) -> Iterator[object]:
    """While a pause waits, what it says for `onPause` runs."""
    if step.after.execution.held or step.stops:
        return
    for run in step.touched:
        task = step.after.task(run)
        waits = isinstance(task, Pause) and run.state is State.PAUSED
        if waits and step.flow.tree.enabled(task.id, ON_PAUSE) and not step.after.scope(run.id, None, ON_PAUSE):
            yield run


def paused_means_waiting(step: Step) -> Iterator[object]:
    """An execution is PAUSED if, and only if, a person holds it or all that is left in it waits."""
    execution = step.after.execution
    begun = execution.state not in (State.CREATED, State.QUEUED)
    if not step.moved or execution.is_terminal or step.after.is_stopping or not begun:
        return
    waits = any(run.state is State.PAUSED for run in step.after.runs.values())
    works = any(_works(step.after, run) for run in step.after.runs.values())
    paused = execution.held or (waits and not works)
    if execution.state is not (State.PAUSED if paused else State.RUNNING):
        yield execution.state


def _works(view: View, run: TaskRun) -> bool:
    if isinstance(view.task(run), Container):
        return run.state is State.CREATED
    return not run.is_terminal and run.state is not State.PAUSED


def a_hold_lasts(step: Step) -> Iterator[object]:
    """What a person holds goes on only when a person says so."""
    before, after = step.before.execution, step.after.execution
    persons = (ResumeRequested, RestartRequested, TaskRunChanged, KillRequested)
    if before.held and not after.held and not isinstance(step.event, persons) and not step.stops:
        yield step.event
    if isinstance(step.event, PauseRequested) and step.refused is None and not after.held:
        yield after.state
    if after.held and after.state is not State.PAUSED:
        yield after.state


def pauses_end_as_told(step: Step) -> Iterator[object]:
    """A pause goes on when a person says so or when its time has come, and then as its `behavior` says."""
    for old, run in step.changed:
        task = step.after.task(run)
        if not isinstance(task, Pause) or old.state is not State.PAUSED or run.state is State.PAUSED:
            continue
        expires = (old.outputs or {}).get("expires")
        match step.event:
            case TimerFired():
                fails = expires in ("TIMEOUT", "FAIL")
                if run.id != step.event.task_run_id or old.due != step.event.due:
                    if not step.after.is_stopping and not step.after.execution.is_terminal:
                        yield run
                elif fails:
                    if run.is_terminal and run.state is not reference.softened(task, State.FAILED):
                        yield run, expires
                elif expires == "CANCEL" and not step.before.execution.is_terminal:
                    if State.CANCELLED not in (step.after.execution.ending, step.after.execution.state):
                        yield run, step.after.execution.ending
                elif expires == "CANCEL":
                    beside = any(not each.is_terminal for each in step.after.scope(run.id, None, ON_PAUSE))
                    if not step.stops and run.state is not (State.RUNNING if beside else State.CANCELLED):
                        yield run, expires
                elif run.state in (State.FAILED, State.CANCELLED) and not step.after.children.get(run.id):
                    yield run, expires
            case ResumeRequested():
                if "resumed" not in (run.outputs or {}) or (step.event.task_run_id or run.id) != run.id:
                    yield run
            case RestartRequested() | TaskRunChanged() | KillRequested():
                pass
            case _:
                if not step.after.is_stopping and not step.after.execution.is_terminal:
                    yield run


def a_resume_resumes(step: Step) -> Iterator[object]:
    """A resume that fits lets go what is held, or ends the first pause, or the one that is named."""
    event = step.event
    if not isinstance(event, ResumeRequested) or step.refused is not None:
        return
    if step.before.execution.held:
        if step.after.execution.held:
            yield step.after.execution
        new = (run for old, run in step.changed if run.outputs != old.outputs)
        yield from (run for run in new if "resumed" in (run.outputs or {}))
        return
    pauses = [run for run in step.before.runs.values() if run.state is State.PAUSED and _asks(step.before, run)]
    meant = [run for run in pauses if event.task_run_id in (None, run.id)]
    if not meant:
        yield event
        return
    # None: with it ended the round of the loop that it stood in.
    resumed = step.after.runs.get(min(meant, key=lambda run: run.seq).id)
    if resumed is not None and resumed.state is State.PAUSED:
        yield resumed
    if resumed is not None and not isinstance(step.after.task(resumed), Pause):
        return  # it was lost, and begins again
    outputs = resumed.outputs or {} if resumed is not None else {}
    who = {"by": event.by} if event.by is not None else {}
    if resumed is not None and {**outputs.get("resumed", {}), "on": ...} != {**who, "on": ...}:
        yield resumed, who
    if resumed is not None and outputs.get("onResume") != event.inputs:
        yield resumed


def _asks(view: View, run: TaskRun) -> bool:
    """Whether it waits for a person: a pause, or what was lost with its engine."""
    lost = bool(run.attempts) and run.attempts[-1].state is AttemptState.LOST
    return lost or isinstance(view.task(run), Pause)


def loops_until_the_condition_holds(step: Step) -> Iterator[object]:
    """A LoopUntil makes another round until its condition holds or a limit is reached; each replaces the one before."""
    for old, run in step.changed:
        task = step.after.task(run)
        if not isinstance(task, LoopUntil) or type(step.event) in REOPENING:
            continue
        was, made = ((each.outputs or {}).get("iterationCount", 0) for each in (old, run))
        limits = task.check_frequency
        if was and (made != was or (run.state is State.PAUSED and old.state is not State.PAUSED)):
            begun = max(entry.at for entry in run.history if entry.state in (State.CREATED, State.RESTARTED))
            late = limits.max_duration is not None and step.event.at > begun + parse_duration(limits.max_duration)
            full = limits.max_iterations is not None and was >= limits.max_iterations
            due = step.event.at + parse_duration(limits.interval)
            if made != was + 1 or late or full or task.condition == "true" or run.due != due:
                yield run
            if run.state is not State.PAUSED or step.after.children.get(run.id):
                yield run, step.after.children.get(run.id)
        gave_up = (
            run.state in (State.SUCCESS, State.WARNING)
            and task.condition == "false"
            and run.error is None
            and not step.stops
        )
        if gave_up and reference.scope_end(step.after, run) is not State.FAILED:
            begun = max(entry.at for entry in run.history if entry.state in (State.CREATED, State.RESTARTED))
            full = limits.max_iterations is not None and made >= limits.max_iterations
            late = limits.max_duration is not None and step.event.at > begun + parse_duration(limits.max_duration)
            if not (full or late):
                yield run
            if task.fail_on_max_reached and run.state is not reference.softened(task, State.FAILED):
                yield run


SENTENCES = (
    a_pause_waits_as_long_as_it_says, a_resume_is_seen, what_is_said_on_pause_runs, paused_means_waiting, a_hold_lasts,
    pauses_end_as_told, a_resume_resumes, loops_until_the_condition_holds,
)  # fmt: skip
