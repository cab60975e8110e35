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
#: What a person may say a task run ended in.
ENDS = TERMINAL - {State.RETRIED}


def to_restart(draft: Draft) -> list[TaskRun]:
    """The innermost task runs that did not end well, in their order: what a restart begins again.

    What failed in a WorkingDirectory begins again with all of it, even if the failure was allowed there.
    """
    found: dict[str, TaskRun] = {}
    for run in draft.snapshot().in_order():
        if run.state not in RESTARTABLE or _aside(draft, run):
            continue
        folders = [up for up in (run, *_up(draft, run)) if isinstance(draft.task(up), WorkingDirectory)]
        if folders:
            found[folders[-1].id] = folders[-1]
        elif not _has_failed_inside(draft, run):
            found[run.id] = run
    return sorted(found.values(), key=lambda run: run.seq)


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
    if State.RETRIED in (draft.state, draft.execution.ending):
        return
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
    fresh = draft.move(run, State.RESTARTED, error=None, due=None, outputs=None, calls=None, epoch=run.epoch + 1)
    if isinstance(draft.task(run), Container):
        draft.move(fresh, State.CREATED, items=None)  # it asks its own question anew, as when it was created


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
    if unchangeable(draft, event) is not None:
        return
    run = draft.run(event.task_run_id)
    draft.log("WARN", f"set to {event.state} by {event.by or 'somebody'}", run)
    if run.is_terminal:
        draft.remove([each for each in draft.snapshot().in_order() if _aside(draft, each)])
        run = draft.move(run, State.RESTARTED, epoch=run.epoch + 1)
    draft.move(run, event.state, error=None, due=None, attempts=_last_as(run.attempts, event.state))
    if draft.execution.is_over or draft.state is State.PAUSED:
        _go_on(draft, [run])


def unchangeable(draft: Draft, event: TaskRunChanged) -> str | None:
    """Why a task run cannot be taken for one that ended so, as the end of a sentence; None when it can."""
    run, execution = draft.task_runs.get(event.task_run_id), draft.execution
    if run is None:
        return f"has no task run {event.task_run_id}"
    if event.state not in ENDS:
        return f"cannot have a task run set to {event.state}, which is no end"
    if draft.state is State.RETRIED:
        return "was retried as another execution; change that one"
    if draft.is_stopping:
        return f"is {draft.state} and about to end; change its task runs when it has"
    if run.state is event.state:
        return f"has the task run {run.id} in that state already"
    if run.is_terminal and not (execution.is_over or draft.state is State.PAUSED):
        return f"is {draft.state}; a task run that has ended can be changed when the execution is paused or has ended"
    if run.is_terminal and _aside(draft, run):
        return f"has the task run {run.id} beside its main tasks (`errors`, `finally`, ...); change one of those"
    if not (run.is_terminal or run.state is State.PAUSED):
        return f"has the task run {run.id} still {run.state}; only one that has ended, or is paused, can be changed"
    if run.is_terminal and any(isinstance(draft.task(up), WorkingDirectory) for up in _up(draft, run)):
        return f"has the task run {run.id} in a WorkingDirectory, whose folder is gone; change that one, or restart"
    if any(not each.is_terminal for each in below(draft, run)):
        return f"has tasks at work inside the task run {run.id}; it can be changed when they have ended"
    return None


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
    if draft.execution.is_over and event.state in ENDS and event.state is not draft.state:
        draft.log("WARN", f"the execution is set to {event.state} by {event.by or 'somebody'}")
        history = continued(draft.execution.history, StateChange(event.state, draft.at))
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
