"""What people ask of an execution: what fits is done."""

from __future__ import annotations

from collections.abc import Iterator

from engine.model.events import (
    KillRequested,
    LabelsSet,
    PauseRequested,
    RestartRequested,
    StartForced,
    StatusChanged,
    TaskRunChanged,
)
from engine.model.flow import WorkingDirectory
from engine.model.state import TERMINAL, State
from tests.simulation.invariants.step import Step

#: What a person may say that something ended in.
ENDS = TERMINAL - {State.RETRIED}


def what_fits_is_done(step: Step) -> Iterator[object]:
    """What a person asks and what fits is not refused, and moves the execution."""
    if fits(step) and (step.refused is not None or not step.moved):
        yield step.event, step.refused


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
            return execution.state is State.CREATED
        case LabelsSet():
            return any(execution.labels.get(key) != value for key, value in event.labels.items())
        case StatusChanged():
            return execution.is_over and event.state in ENDS and event.state is not execution.state
        case RestartRequested():
            bad = (run.state in (State.FAILED, State.KILLED) for run in step.before.runs.values())
            mains = (not step.before.is_aside(run) for run in step.before.runs.values())
            asked = execution.is_over and execution.state is not State.RETRIED
            return asked and any(each and main for each, main in zip(bad, mains, strict=True))
        case TaskRunChanged():
            run = step.before.runs.get(event.task_run_id)
            if run is None or event.state not in ENDS or run.state is event.state or step.before.is_aside(run):
                return False
            in_a_folder = any(isinstance(step.before.task(up), WorkingDirectory) for up in step.before.up(run))
            return execution.is_over and execution.state is not State.RETRIED and run.is_terminal and not in_a_folder
    return False


def a_change_is_what_was_said(step: Step) -> Iterator[object]:
    """What a person says that a task run, or an execution, ended in is what it ended in, and that is remembered."""
    event = step.event
    if isinstance(event, StatusChanged) and step.moved and step.after.execution.state is not event.state:
        yield step.after.execution.state
    if isinstance(event, TaskRunChanged) and step.moved:
        run = step.after.runs.get(event.task_run_id)
        if run is not None and event.state not in [entry.state for entry in run.history[-3:]]:
            yield run


SENTENCES = (what_fits_is_done, a_change_is_what_was_said)
