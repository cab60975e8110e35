"""After a crash: the engine that ran the attempts is gone, the rows are true, and all commands follow from them."""

from __future__ import annotations

from msgspec.structs import replace

from engine.core.claims import waits_for_worker
from engine.core.draft import Draft
from engine.core.ending import end_run
from engine.core.starting import start
from engine.model.commands import AwaitFlows, QueueTask, SetTimer, StartLater, StopFlows
from engine.model.events import EngineStarted
from engine.model.execution import Attempt, TaskRun
from engine.model.flow import Container
from engine.model.state import AttemptState, State


def engine_started(draft: Draft, event: EngineStarted) -> None:
    """Take the execution over."""
    if draft.state in (State.CREATED, State.RESTARTED):
        due = draft.execution.due
        if due is not None and due > draft.at:
            draft.command(StartLater(due))
            return
        draft.move_execution(State.RUNNING, due=None)
    for run in draft.snapshot().in_order():
        if not run.is_terminal and not isinstance(draft.task(run), Container):
            _lose_attempt(draft, run)
    commands_anew(draft)


def commands_anew(draft: Draft) -> None:
    """Give every command once more that follows from the state of the task runs."""
    for run in draft.snapshot().in_order():
        if run.is_terminal:
            continue
        if run.calls is not None and run.state in (State.RUNNING, State.KILLING):
            _await_anew(draft, run)
        elif run.state is State.CREATED and not run.attempts:
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
    if run.state is State.KILLING:
        end_run(draft, run, State.KILLED, attempts=_lost(draft, run))
    elif run.state is State.RUNNING:
        attempts = _lost(draft, run)
        deaths = sum(attempt.state is AttemptState.LOST for attempt in attempts)
        if deaths >= draft.facts.deaths_allowed:
            end_run(
                draft, run, State.FAILED, error=f"the engine died {deaths} times while this task ran", attempts=attempts
            )
            return
        draft.log("WARN", f"attempt {len(attempts)} was lost with its engine; the task runs again", run)
        draft.move(run, State.CREATED, attempts=attempts)


def _lost(draft: Draft, run: TaskRun) -> tuple[Attempt, ...]:
    if not run.attempts or run.attempts[-1].state is not AttemptState.STARTED:
        return run.attempts
    return (*run.attempts[:-1], replace(run.attempts[-1], state=AttemptState.LOST, ended_at=draft.at))
