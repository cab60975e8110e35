"""After a crash: the engine that ran the attempts is gone, the rows are true, and all commands follow from them."""

from __future__ import annotations

from msgspec.structs import replace

from engine.core.claims import waits_for_worker
from engine.core.closing import below
from engine.core.draft import Draft
from engine.core.ending import end_run
from engine.core.retry import that_count
from engine.core.sla import watch
from engine.core.starting import start
from engine.model.commands import AwaitFlows, QueueTask, SetTimer, StartLater, StopFlows
from engine.model.events import EngineStarted
from engine.model.execution import Attempt, TaskRun
from engine.model.flow import Container, WorkingDirectory
from engine.model.state import AttemptState, State


def engine_started(draft: Draft, event: EngineStarted) -> None:
    """Take the execution over."""
    if draft.state in (State.CREATED, State.RESTARTED, State.QUEUED):
        due = draft.execution.due or draft.at
        if due > draft.at or draft.flow.concurrency is not None or draft.execution.ending is not None:
            draft.command(StartLater(max(draft.at, due)))  # whether it may begin is asked as if it was new
            return
        draft.move_execution(State.RUNNING, due=None)
    if not draft.is_stopping:
        _lose_folders(draft)
    for run in draft.snapshot().in_order():
        if not run.is_terminal and not isinstance(draft.task(run), Container):
            _lose_attempt(draft, run)
    commands_anew(draft)


def _lose_folders(draft: Draft) -> None:
    """The folder of a WorkingDirectory is gone with its engine: all of it runs again."""
    for run in draft.snapshot().in_order():
        if run.state is not State.RUNNING or not isinstance(draft.task(run), WorkingDirectory):
            continue
        if run.id not in draft.task_runs:
            continue  # it went with the folder around it
        draft.remove(below(draft, run))
        begun = Attempt(epoch=run.epoch, state=AttemptState.STARTED, started_at=run.history[-1].at)
        attempts = _lost(draft, replace(run, attempts=(*run.attempts, begun)))
        if not _died_too_often(draft, run, attempts):
            draft.log("WARN", "the folder was lost with its engine; all tasks in it run again", run)
            draft.move(run, State.CREATED, attempts=attempts, outputs=None, epoch=run.epoch + 1)


def _died_too_often(draft: Draft, run: TaskRun, attempts: tuple[Attempt, ...]) -> bool:
    """Whether a task run has had its last try; then it has failed."""
    deaths = sum(attempt.state is AttemptState.LOST for attempt in that_count(run, attempts))
    if deaths < draft.facts.deaths_allowed:
        return False
    end_run(draft, run, State.FAILED, error=f"the engine died {deaths} times while this task ran", attempts=attempts)
    return True


def commands_anew(draft: Draft) -> None:
    """Give every command once more that follows from the state of the execution and its task runs."""
    watch(draft)
    for run in draft.snapshot().in_order():
        if run.is_terminal:
            continue
        if run.calls is not None and run.state in (State.RUNNING, State.KILLING):
            _await_anew(draft, run)
        elif run.state is State.CREATED and (not run.attempts or isinstance(draft.task(run), Container)):
            start(draft, run)
        elif run.due is not None:
            draft.command(SetTimer(run.id, run.due))
        elif waits_for_worker(run) and not isinstance(draft.task(run), Container):
            draft.command(QueueTask(run.id))
    draft.unsettle_all()


def _await_anew(draft: Draft, run: TaskRun) -> None:
    """No thread was lost with what waits for other executions."""
    assert run.calls is not None
    draft.command(AwaitFlows(run.id, run.epoch))
    if run.state is State.KILLING:
        draft.command(StopFlows(run.id, run.epoch, run.calls))
    elif run.due is not None:
        draft.command(SetTimer(run.id, run.due))


def _lose_attempt(draft: Draft, run: TaskRun) -> None:
    if run.calls is not None:
        return
    if run.state is State.KILLING or (run.state is State.RUNNING and draft.is_stopping):
        end_run(draft, run, State.KILLED, attempts=_lost(draft, run))
    elif run.state is State.RUNNING:
        attempts = _lost(draft, run)
        if _died_too_often(draft, run, attempts):
            return
        draft.log("WARN", f"attempt {len(attempts)} was lost with its engine; the task runs again", run)
        draft.move(run, State.CREATED, attempts=attempts)


def _lost(draft: Draft, run: TaskRun) -> tuple[Attempt, ...]:
    if not run.attempts or run.attempts[-1].state is not AttemptState.STARTED:
        return run.attempts
    return (*run.attempts[:-1], replace(run.attempts[-1], state=AttemptState.LOST, ended_at=draft.at))
