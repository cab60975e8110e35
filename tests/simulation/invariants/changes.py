"""What may change at all, and what a decision says of it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from engine.model.commands import AwaitFlows, QueueTask, RunTask, SetTimer, StopTask
from engine.model.events import (
    AttemptFinished,
    AttemptStarted,
    EngineStarted,
    Evaluated,
    ExecutionStarted,
    FlowsStarted,
    KillRequested,
    LabelsSet,
    PlaceRefused,
    StatusChanged,
    TimerFired,
)
from engine.model.execution import History
from engine.model.flow import LoopUntil, WorkingDirectory
from engine.model.state import AttemptState, State, allows
from tests.simulation.invariants.step import PERSONS, Step


def legal_changes(step: Step) -> Iterator[object]:
    """Every change of state is in the table, and a history ends with the state; only a person sets another end."""
    for run in step.touched:
        if run.history[-1].state is not run.state:
            yield run
        yield from (run for one, two in pairwise(run.history) if not allows(one.state, two.state))
    execution = step.after.execution
    if execution.history[-1].state is not execution.state:
        yield execution.history
    known = len(step.before.execution.history)
    if type(step.event) is not StatusChanged:
        new = execution.history[max(known - 1, 0) :]
        yield from (execution.history for one, two in pairwise(new) if not allows(one.state, two.state))


def histories_grow(step: Step) -> Iterator[object]:
    """What has happened stays in the history, and time never runs backwards in it."""
    stories: list[tuple[History, History]] = [(old.history, run.history) for old, run in step.changed]
    for before, after in [*stories, (step.before.execution.history, step.after.execution.history)]:
        if after[: len(before)] != before and len(before) < 100:
            yield after
        yield from (after for one, two in pairwise(after) if one.at > two.at)
    for old, run in step.changed:
        known = len(old.attempts)
        if [each.epoch for each in run.attempts[:known]] != [each.epoch for each in old.attempts]:
            yield run
    yield from (run for run in step.created if run.history[0].state is not State.CREATED)


def ends_are_final(step: Step) -> Iterator[object]:
    """What has ended never changes again, unless a person restarts it or says what it gave."""
    if not step.reopens:
        yield from (run for old, run in step.changed if old.is_terminal)
    before = step.before.execution
    if before.is_over and step.moved and not step.reopens and type(step.event) not in (StatusChanged, LabelsSet):
        yield before.state
    if before.is_over and (step.created or step.changed or step.removed) and not step.reopens:
        yield step.event


def epochs_rise(step: Step) -> Iterator[object]:
    """Epochs only rise; each attempt has its own, and the newest is the task run's unless a person reopened it."""
    yield from (run for old, run in step.changed if run.epoch < old.epoch)
    for run in step.touched:
        epochs = [attempt.epoch for attempt in run.attempts]
        if epochs != sorted(set(epochs)) or (epochs and epochs[-1] > run.epoch):
            yield run
        if run.attempts and run.attempts[-1].state is AttemptState.STARTED and epochs[-1] != run.epoch:
            yield run


def reopened_under_a_new_epoch(step: Step) -> Iterator[object]:
    """A task run leaves its end only as RESTARTED and under a higher epoch, so that no late answer counts for it."""
    for old, run in step.changed:
        if old.is_terminal and old != run:
            restarted = any(entry.state is State.RESTARTED for entry in run.history[len(old.history) :])
            if not restarted or run.epoch <= old.epoch:
                yield run


def attempts_and_states_agree(step: Step) -> Iterator[object]:
    """An attempt is open exactly while its task run is RUNNING or KILLING; a container can only lose one."""
    for run in step.touched:
        if step.after.is_container(run):
            if any(attempt.state is AttemptState.STARTED for attempt in run.attempts):
                yield run
            continue
        works = run.state in (State.RUNNING, State.KILLING)
        is_open = [attempt.state is AttemptState.STARTED for attempt in run.attempts]
        if any(is_open[:-1]) or works is not bool(is_open and is_open[-1]):
            yield run
        yield from (run for each in run.attempts if (each.ended_at is None) is not (each.state is AttemptState.STARTED))


def one_success(step: Step) -> Iterator[object]:
    """A task run has at most one successful attempt, unless a person let it run again."""
    for run in step.touched:
        successes = sum(attempt.state is AttemptState.SUCCEEDED for attempt in run.attempts)
        restarts = sum(entry.state is State.RESTARTED for entry in run.history)
        if successes > 1 + restarts:
            yield run


def stale_moves_nothing(step: Step) -> Iterator[object]:
    """A late, repeated or refused event moves nothing."""
    if step.moved and (_is_stale(step) or step.refused is not None):
        yield step.refused or step.event
    if step.refused is not None and any(step.decision.commands):
        yield step.decision.commands


def _is_stale(step: Step) -> bool:
    event, before = step.event, step.before.execution
    run = before.task_runs.get(event.task_run_id or "") if hasattr(event, "task_run_id") else None
    match event:
        case ExecutionStarted():
            waits = before.state in (State.CREATED, State.QUEUED)
            return not waits or (before.due is not None and before.due > event.at)
        case PlaceRefused():
            return before.state is not State.CREATED
        case AttemptStarted():
            waits = (
                run is not None and run.state in (State.CREATED, State.RESTARTED, State.RETRYING) and run.due is None
            )
            return run is None or event.epoch != run.epoch + 1 or not waits
        case AttemptFinished():
            if run is None or run.is_terminal:
                return True
            works = run.state in (State.RUNNING, State.KILLING)
            claims = event.started_at is not None and event.epoch == run.epoch + 1 and not works
            return not claims and (event.epoch != run.epoch or not works)
        case FlowsStarted():
            return run is None or event.epoch != run.epoch or run.state not in (State.RUNNING, State.KILLING)
        case TimerFired():
            return run is None or run.due != event.due or run.is_terminal
        case Evaluated():
            if event.task_run_id is None:
                return before.is_over or before.state is State.CREATED
            return run is None or run.is_terminal or run.state not in (State.CREATED, State.RUNNING)
        case KillRequested():
            return before.is_over or before.state is State.KILLING
        case _:
            return before.is_over and type(event) not in PERSONS


def told_is_what_changed(step: Step) -> Iterator[object]:
    """A decision names exactly the task runs that changed, those that are new, and those that are gone."""
    decision = step.decision
    changed = {run.id for run in step.touched}
    named = {run.id for run in decision.task_runs}
    # A run that was touched and came out as it was may be named; one that changed must be.
    yield from changed - named
    yield from (id_ for id_ in named if id_ not in step.after.runs)
    yield from (run for run in decision.task_runs if step.after.runs.get(run.id) != run)
    yield from {run.id for run in step.created} ^ decision.created
    yield from {run.id for run in step.removed} ^ decision.removed


def commands_fit(step: Step) -> Iterator[object]:
    """A command is about a task run that is there and waits for just that."""
    for command in step.decision.commands:
        match command:
            case QueueTask():
                run = step.after.runs.get(command.task_run_id)
                if run is None or run.state not in (State.CREATED, State.RESTARTED, State.RETRYING) or run.due:
                    yield command
            case RunTask():
                run = step.after.runs.get(command.task_run_id)
                if run is None or run.state is not State.RUNNING or run.epoch != command.epoch:
                    yield command
            case StopTask():
                run = step.after.runs.get(command.task_run_id)
                if run is None or run.state is not State.KILLING or run.epoch != command.epoch:
                    yield command
            case AwaitFlows():
                run = step.after.runs.get(command.task_run_id)
                waits = run is not None and run.calls is not None and run.state in (State.RUNNING, State.KILLING)
                if run is None or not waits or run.epoch != command.epoch:
                    yield command
            case SetTimer():
                run = step.after.runs.get(command.task_run_id)
                if run is None or run.due != command.due:
                    yield command


def only_rounds_and_restarts_remove(step: Step) -> Iterator[object]:
    """Task runs vanish only for the next round of a LoopUntil, with a lost folder, or because a person restarts."""
    if step.reopens:
        return
    for run in step.removed:
        lost = isinstance(step.event, EngineStarted)
        if lost and any(isinstance(step.before.task(up), WorkingDirectory) for up in step.before.up(run)):
            continue
        rounds = [up for up in step.before.up(run) if isinstance(step.before.task(up), LoopUntil)]
        after = [step.after.runs.get(up.id) for up in rounds]
        if not any(up is not None and up.state is State.PAUSED for up in after):
            yield run


def a_due_time_is_waited_for(step: Step) -> Iterator[object]:
    """Only what is RETRYING or PAUSED has a due time, and what waits for executions that it began."""
    for run in step.touched:
        calls = run.state is State.RUNNING and run.calls is not None
        if run.due and run.state not in (State.RETRYING, State.PAUSED) and not calls:
            yield run


def what_a_task_run_is_stays(step: Step) -> Iterator[object]:
    """Where a task run stands never changes, and no two are created with the same number."""
    fixed = ("id", "task_id", "seq", "parent_id", "value", "iteration")
    for old, run in step.changed:
        yield from (run for name in fixed if getattr(old, name) != getattr(run, name))
    highest = max((run.seq for run in step.before.runs.values()), default=-1)
    yield from (run for run in step.created if run.seq <= highest or run.seq < step.before.execution.seq_floor)
    seqs = [run.seq for run in step.created]
    yield from () if len(set(seqs)) == len(seqs) else seqs


def a_disabled_task_has_no_run(step: Step) -> Iterator[object]:
    """A disabled task has no task run."""
    yield from (run for run in step.created if step.after.task(run).disabled)


SENTENCES = (
    legal_changes, histories_grow, ends_are_final, epochs_rise, reopened_under_a_new_epoch,
    attempts_and_states_agree, one_success, stale_moves_nothing, told_is_what_changed, commands_fit,
    only_rounds_and_restarts_remove, a_due_time_is_waited_for, what_a_task_run_is_stays, a_disabled_task_has_no_run,
)  # fmt: skip
