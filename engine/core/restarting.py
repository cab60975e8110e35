"""What persons do to an execution that has ended, or that waits: restart, change what a task run gave, begin now.

`engine.core.refusal` says beforehand whether a request fits the execution; here a request that does not fit moves
nothing. A task run that leaves its final state gets a new epoch, so that a late answer from before counts for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from engine.core.closing import below
from engine.core.context import ancestors
from engine.core.draft import Draft, continued
from engine.core.recovery import commands_anew
from engine.model.events import LabelsSet, RestartRequested, StartForced, StatusChanged, TaskRunChanged
from engine.model.execution import Attempt, StateChange, TaskRun
from engine.model.flow import Container, WorkingDirectory
from engine.model.state import TERMINAL, AttemptState, State
from engine.model.tree import MAIN

#: A task run that ended so, or that waits, is what a restart begins again.
RESTARTABLE = frozenset({State.FAILED, State.KILLED, State.PAUSED})


def to_restart(draft: Draft) -> list[TaskRun]:
    """The innermost task runs that did not end well: what a restart begins again, in their order."""
    found = []
    for run in draft.snapshot().in_order():
        place = draft.tree.places[run.task_id]
        if run.state not in RESTARTABLE or _aside(draft, run):
            continue
        if isinstance(place.task, WorkingDirectory) or not _has_failed_inside(draft, run):
            found.append(run)
    return [run for run in found if not any(isinstance(draft.task(up), WorkingDirectory) for up in _up(draft, run))]


def _up(draft: Draft, run: TaskRun) -> Iterable[TaskRun]:
    return ancestors(draft.snapshot(), run)


def _aside(draft: Draft, run: TaskRun) -> bool:
    """Whether it, or a container around it, ran beside the main tasks: such a task run is dropped, not restarted."""
    return any(draft.tree.places[each.task_id].group != MAIN for each in (run, *_up(draft, run)))


def _has_failed_inside(draft: Draft, run: TaskRun) -> bool:
    if not isinstance(draft.task(run), Container):
        return False
    return any(each.state in RESTARTABLE and not _aside(draft, each) for each in below(draft, run))


def restart_requested(draft: Draft, event: RestartRequested) -> None:
    """Begin again what did not end well. What ran beside it (`errors`, `finally`, ...) is dropped."""
    if not (draft.execution.is_over or draft.state is State.PAUSED):
        return
    again = to_restart(draft)
    if not again:
        return
    draft.log("INFO", f"restarted by {event.by or 'somebody'}")
    draft.remove([run for run in draft.snapshot().in_order() if _aside(draft, run)])
    for run in again:
        if isinstance(draft.task(run), Container):
            draft.remove(below(draft, run))
    for run in again:
        _begin_again(draft, run)
    _go_on(draft, again)


def _begin_again(draft: Draft, run: TaskRun) -> None:
    """A task run as it was before it started; its attempts are remembered."""
    container = isinstance(draft.task(run), Container)
    fresh = draft.move(run, State.RESTARTED, error=None, due=None, outputs=None, calls=None, epoch=run.epoch + 1)
    if container:
        # It asks its own question anew, as when it was created.
        history = continued(fresh.history, _change(draft, State.CREATED))
        draft.put(replace(fresh, state=State.CREATED, history=history, items=None))


def _change(draft: Draft, state: State) -> StateChange:
    return StateChange(state, draft.at)


def _go_on(draft: Draft, runs: list[TaskRun]) -> None:
    """The containers around these task runs are open again, and so is the execution."""
    for run in runs:
        for up in list(_up(draft, run)):
            current = draft.run(up.id)
            if current.is_terminal:
                reopened = draft.move(current, State.RESTARTED, error=None, due=None, epoch=current.epoch + 1)
                draft.move(reopened, State.RUNNING)
    draft.move_execution(
        State.RESTARTED, outputs=None, error=None, ending=None, held=False, lingering=False,
        attempt_number=draft.execution.attempt_number + 1,
    )  # fmt: skip
    draft.move_execution(State.RUNNING)
    draft.recount()
    commands_anew(draft)


def task_run_changed(draft: Draft, event: TaskRunChanged) -> None:
    """Take a task run's end, or its pause, for another end; what follows from it runs now."""
    run = draft.task_runs.get(event.task_run_id)
    if run is None or not (run.is_terminal or run.state is State.PAUSED) or event.state not in TERMINAL:
        return
    draft.log("WARN", f"set to {event.state} by {event.by or 'somebody'}", run)
    was_over = draft.execution.is_over
    if was_over:
        draft.remove([each for each in draft.snapshot().in_order() if _aside(draft, each)])
    if run.is_terminal:
        run = draft.move(run, State.RESTARTED, epoch=run.epoch + 1)
    draft.move(run, event.state, error=None, due=None, attempts=_last_as(run.attempts, event.state))
    if was_over or draft.state is State.PAUSED:
        _go_on(draft, [run])


_ATTEMPTS = {
    State.FAILED: AttemptState.FAILED,
    State.KILLED: AttemptState.KILLED,
    State.SUCCESS: AttemptState.SUCCEEDED,
    State.WARNING: AttemptState.SUCCEEDED,
}


def _last_as(attempts: tuple[Attempt, ...], state: State) -> tuple[Attempt, ...]:
    if not attempts or state not in _ATTEMPTS:
        return attempts
    return (*attempts[:-1], replace(attempts[-1], state=_ATTEMPTS[state]))


def status_changed(draft: Draft, event: StatusChanged) -> None:
    """Another final state for what has ended; nothing runs because of it."""
    if draft.execution.is_over and event.state in TERMINAL and event.state is not draft.state:
        draft.log("WARN", f"the execution is set to {event.state} by {event.by or 'somebody'}")
        history = continued(draft.execution.history, _change(draft, event.state))
        draft.change_execution(state=event.state, history=history)


def start_forced(draft: Draft, event: StartForced) -> None:
    """Begin now, whatever it waited for."""
    if draft.state in (State.CREATED, State.QUEUED):
        draft.log("INFO", f"begun by {event.by or 'somebody'}")
        draft.move_execution(State.RUNNING, due=None)
        commands_anew(draft)


def labels_set(draft: Draft, event: LabelsSet) -> None:
    """Merge labels into those it has."""
    labels = {**draft.execution.labels, **event.labels}
    if labels != draft.execution.labels:
        draft.change_execution(labels=labels)
