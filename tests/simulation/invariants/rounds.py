"""Where a Loop is cut off, and how a folder is opened: what a worker's answer, or an expression, says about a scope."""

from __future__ import annotations

from collections.abc import Iterator

from engine.model.events import EngineStarted, Evaluated
from engine.model.execution import TaskRun
from engine.model.flow import Round, WorkingDirectory
from engine.model.state import State
from tests.simulation.invariants import reference
from tests.simulation.invariants.step import Step


def a_loop_is_cut_off_where_it_breaks(step: Step) -> Iterator[object]:
    """Once `breakWhen` holds of a round, its Loop has the rounds that have begun, and else all its values."""
    if step.stops or step.reopens:
        return
    breaks = {run.parent_id for _, run in step.ended if _is_last(step, run)}
    for loop_id in breaks:
        loop = step.after.runs[loop_id or ""]
        if len(loop.items or ()) != len(step.after.lanes[loop.id]):
            yield loop, step.after.lanes[loop.id]
    for old, loop in step.changed:
        cut = old.items is not None and loop.items != old.items
        if cut and (loop.id not in breaks or loop.items != (old.items or ())[: len(loop.items or ())]):
            yield loop, old.items


def _is_last(step: Step, run: TaskRun) -> bool:
    """Whether `breakWhen` holds of a round that ended just now."""
    task, event = step.after.task(run), step.event
    if not isinstance(task, Round) or run.error is not None or run.state is State.KILLED:
        return False
    if isinstance(event, Evaluated) and event.task_run_id == run.id:
        return bool(event.value["isLast"])
    return task.break_when == "true" or (task.break_when == "{{ item.index >= 1 }}" and run.iteration != 0)


def a_folder_is_filled_first(step: Step) -> Iterator[object]:
    """A folder that files are put into is opened when a worker has filled it, also after a crash, and never else."""
    for run in step.touched:
        task, old = step.after.task(run), step.before.runs.get(run.id)
        if not isinstance(task, WorkingDirectory) or not task.input_files or step.stops:
            continue
        was = old.state if old is not None else State.CREATED
        event = step.event
        answer = (
            event if isinstance(event, Evaluated) and (event.task_run_id, event.name) == (run.id, "folder") else None
        )
        opened = run.state is State.RUNNING and (was is not State.RUNNING or isinstance(event, EngineStarted))
        if opened and (answer is None or answer.error is not None):
            yield run
        fails = was is State.CREATED and answer is not None and answer.error is not None
        if fails and run.state is not reference.softened(task, State.FAILED):
            yield run


def a_folder_is_looked_through_last(step: Step) -> Iterator[object]:
    """A folder that gives files ends with a worker's answer, unless it was never opened, was killed, or is lost."""
    event = step.event
    if step.stops or step.reopens or isinstance(event, EngineStarted):
        return
    for _, run in step.ended:
        task = step.after.task(run)
        if not isinstance(task, WorkingDirectory) or not task.output_files:
            continue
        answered = isinstance(event, Evaluated) and (event.task_run_id, event.name) == (run.id, "folder")
        opened = State.RUNNING in [entry.state for entry in run.history[-2:]]
        if opened and run.state is not State.KILLED and not answered:
            yield run


SENTENCES = (a_loop_is_cut_off_where_it_breaks, a_folder_is_filled_first, a_folder_is_looked_through_last)
