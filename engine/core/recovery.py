"""After a crash: the engine that ran the attempts is gone, the rows are true, and all commands follow from them."""

from __future__ import annotations

from msgspec.structs import replace

from engine.core.draft import Draft
from engine.core.ending import end_run
from engine.core.settle import ROOT
from engine.core.starting import start
from engine.model.commands import QueueTask, SetTimer
from engine.model.events import EngineStarted
from engine.model.execution import Attempt, TaskRun
from engine.model.flow import Container
from engine.model.state import AttemptState, State


def engine_started(draft: Draft, event: EngineStarted) -> None:
    if draft.state is State.CREATED:
        draft.move_execution(State.RUNNING)
    for run in draft.snapshot().in_order():
        if run.is_terminal:
            continue
        if isinstance(draft.task(run), Container):
            _recover_container(draft, run)
        else:
            _recover_attempt(draft, run)
    draft.unsettle(ROOT)


def _recover_container(draft: Draft, run: TaskRun) -> None:
    if run.state is State.CREATED:
        start(draft, run)
    else:
        draft.unsettle_children(run)


def _recover_attempt(draft: Draft, run: TaskRun) -> None:
    if run.state is State.CREATED:
        start(draft, run)
    elif run.state is State.RETRYING:
        draft.command(SetTimer(run.id, run.due) if run.due is not None else QueueTask(run.id))
    elif run.state is State.KILLING:
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
        draft.command(QueueTask(run.id))


def _lost(draft: Draft, run: TaskRun) -> tuple[Attempt, ...]:
    if not run.attempts or run.attempts[-1].state is not AttemptState.STARTED:
        return run.attempts
    return (*run.attempts[:-1], replace(run.attempts[-1], state=AttemptState.LOST, ended_at=draft.at))
