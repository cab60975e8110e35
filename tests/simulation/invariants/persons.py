"""What people ask of an execution: what fits is done."""

from __future__ import annotations

from collections.abc import Iterator

from engine.core.refusal import was_done
from engine.model.commands import WriteLog
from engine.model.events import (
    KillRequested,
    LabelsSet,
    PauseRequested,
    RestartRequested,
    ResumeRequested,
    StartForced,
    StatusChanged,
    TaskRunChanged,
)
from engine.model.flow import WorkingDirectory
from engine.model.state import TERMINAL, State
from tests.simulation.invariants.step import PERSONS, Step

#: What a person may say that something ended in.
ENDS = TERMINAL - {State.RETRIED}


def what_fits_is_done(step: Step) -> Iterator[object]:
    """What a person asks and what fits is not refused, and moves the execution."""
    if fits(step) and (step.refused is not None or not step.moved):
        yield step.event, step.refused


def what_is_not_refused_is_done(step: Step) -> Iterator[object]:
    """What a person asks is refused, or it moves the execution and is known as done; a label may be set twice."""
    event, execution = step.event, step.after.execution
    if type(event) not in (*PERSONS, KillRequested) or isinstance(event, LabelsSet) or step.refused is not None:
        return
    lingers = isinstance(event, KillRequested) and step.before.execution.is_terminal  # what comes after may be KILLING
    if not (step.moved or lingers) or was_done(step.before.execution, event):
        yield event
    if _leaves_a_trace(step) and not was_done(execution, event):
        yield execution.history


def _leaves_a_trace(step: Step) -> bool:
    """Whether what was asked is a change of state, of the execution or of the task run that is named."""
    event, before = step.event, step.before.execution
    match event:
        case KillRequested():
            return not before.is_terminal
        case PauseRequested():
            return before.state is State.RUNNING
        case ResumeRequested(task_run_id=None):
            return before.state is State.PAUSED
        case ResumeRequested() | TaskRunChanged():
            return not before.held and event.task_run_id in step.after.runs
    return True


def who_asked_is_told(step: Step) -> Iterator[object]:
    """The log tells who moved an execution."""
    event = step.event
    if not step.moved or type(event) not in PERSONS or isinstance(event, LabelsSet):
        return
    lines = [each.message for each in step.decision.commands if isinstance(each, WriteLog)]
    held = isinstance(event, ResumeRequested) and step.before.execution.held
    if not held and not any(line.endswith(f" by {getattr(event, 'by', None) or 'somebody'}") for line in lines):
        yield lines


def fits(step: Step) -> bool:
    """Whether what a person asks surely fits; what is doubtful does not count."""
    event, execution = step.event, step.before.execution
    goes_on = execution.state in (State.RUNNING, State.PAUSED) and execution.ending is None
    match event:
        case KillRequested():
            return not execution.is_over and execution.state is not State.KILLING and not execution.is_terminal
        case PauseRequested():
            return goes_on and not execution.held
        case StartForced():
            return execution.state in (State.CREATED, State.QUEUED)
        case LabelsSet():
            return any(execution.labels.get(key) != value for key, value in event.labels.items())
        case StatusChanged():
            return execution.is_over and event.state in ENDS and event.state is not execution.state
        case RestartRequested():
            mains = (run for run in step.before.runs.values() if not step.before.is_aside(run))
            rests = execution.is_over or execution.state is State.PAUSED
            bad = (State.FAILED, State.KILLED, State.PAUSED)
            retried = State.RETRIED in (execution.state, execution.ending)
            return rests and not retried and any(run.state in bad for run in mains)
        case TaskRunChanged():
            run = step.before.runs.get(event.task_run_id)
            if run is None or event.state not in ENDS or run.state is event.state or step.before.is_aside(run):
                return False
            if execution.state is State.RETRIED or step.before.is_stopping:
                return False
            if run.state is State.PAUSED:
                return all(each.is_terminal for each in step.before.children.get(run.id, ()))
            in_a_folder = any(isinstance(step.before.task(up), WorkingDirectory) for up in step.before.up(run))
            return (execution.is_over or execution.state is State.PAUSED) and run.is_terminal and not in_a_folder
    return False


def a_change_is_what_was_said(step: Step) -> Iterator[object]:
    """What a person says that a task run, or an execution, ended in is what it ended in, and that is remembered."""
    event = step.event
    if isinstance(event, StatusChanged) and step.moved and step.after.execution.state is not event.state:
        yield step.after.execution.state
    if isinstance(event, TaskRunChanged) and step.moved:
        before, after = step.before.execution, step.after.execution
        rests = before.is_over or before.state is State.PAUSED
        if after.attempt_number != before.attempt_number + rests:
            yield after.attempt_number
        if step.before.runs[event.task_run_id].is_terminal:
            yield from (
                run for run in step.before.runs.values() if step.before.is_aside(run) and run.id in after.task_runs
            )
        run = step.after.runs.get(event.task_run_id)
        if run is not None and event.state not in [entry.state for entry in run.history[-3:]]:
            yield run


SENTENCES = (what_fits_is_done, what_is_not_refused_is_done, who_asked_is_told, a_change_is_what_was_said)
