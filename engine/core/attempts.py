"""Claims, answers and retries: what happens to the task run of a runnable task.

The epoch decides: a claim must be exactly one above the task run's, an answer must carry the current one.
"""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace

from engine.core.claims import claimed, is_at_work, lets_start, may_claim
from engine.core.draft import Draft
from engine.core.effects import perform
from engine.core.ending import end_run
from engine.core.pausing import waited
from engine.core.renewal import hand_over, successor
from engine.core.retry import retry_delay, retry_of, that_count
from engine.model.commands import QueueTask, RunTask, SetTimer, StopFlows
from engine.model.events import AttemptFinished, AttemptStarted, FlowsStarted, ProcessStarted, TimerFired
from engine.model.execution import Attempt, TaskRun
from engine.model.state import AttemptState, State

_ATTEMPT_STATES = {
    State.SUCCESS: AttemptState.SUCCEEDED,
    State.WARNING: AttemptState.SUCCEEDED,
    State.FAILED: AttemptState.FAILED,
    State.KILLED: AttemptState.KILLED,
    State.CANCELLED: AttemptState.KILLED,
}


def attempt_started(draft: Draft, event: AttemptStarted) -> None:
    run = draft.task_runs.get(event.task_run_id)
    if run is None or not may_claim(draft, run, event.epoch):
        return
    draft.put(claimed(run, event.epoch, event.at))
    draft.command(RunTask(run.id, event.epoch))


def attempt_finished(draft: Draft, event: AttemptFinished) -> None:
    run = draft.task_runs.get(event.task_run_id)
    if run is not None and event.started_at is not None and may_claim(draft, run, event.epoch):
        run = claimed(run, event.epoch, event.started_at)
    if run is None or run.epoch != event.epoch or run.state not in (State.RUNNING, State.KILLING):
        return
    ended = replace(run.attempts[-1], state=_ATTEMPT_STATES[event.state], ended_at=event.at, error=event.error)
    if event.log_file is not None:
        ended = replace(ended, log_file=event.log_file)
    attempts = (*run.attempts[:-1], ended)
    if run.state is State.KILLING:
        # Whatever it answered, it had been told to stop; what it produced is kept. FAILED: it could not be stopped.
        state = State.FAILED if event.state is State.FAILED else State.KILLED
        if state is State.FAILED and event.error is not None:
            draft.log("ERROR", event.error, run)
        draft.move(run, state, error=event.error, attempts=attempts, outputs=event.outputs)
        return
    may_retry = not (draft.is_stopping or event.survivors)  # never a second beside what is left of the first
    if event.state is State.FAILED and may_retry and _retry(draft, run, event, attempts):
        return
    state = event.state
    if state is State.SUCCESS and len(that_count(run, attempts)) > 1:
        policy = retry_of(draft, run)
        if policy is not None and policy.warning_on_retry:
            state = State.WARNING
    if event.effects is not None and event.effects.ending is not None:
        state = event.effects.ending
    end_run(draft, run, state, error=event.error, attempts=attempts, outputs=event.outputs)
    if event.effects is not None:
        perform(draft, event.effects)


def process_started(draft: Draft, event: ProcessStarted) -> None:
    """Remember a process of the attempt that is about to begin its work."""
    run = draft.task_runs.get(event.task_run_id)
    if run is not None and is_at_work(run, event.epoch):
        attempts = (*run.attempts[:-1], replace(run.attempts[-1], process=event.process))
        draft.move(run, State.RUNNING, attempts=attempts)


def flows_started(draft: Draft, event: FlowsStarted) -> None:
    """The attempt goes on without a thread, until the executions that it began have ended."""
    run = draft.task_runs.get(event.task_run_id)
    if run is None or run.epoch != event.epoch:
        return
    if run.state is State.KILLING:
        killed = AttemptFinished(at=event.at, task_run_id=run.id, epoch=run.epoch, state=State.KILLED)
        attempt_finished(draft, killed)
    elif run.state is State.RUNNING:
        draft.move(run, State.RUNNING, calls=event.calls, outputs=event.outputs, due=event.due)
        if event.due is not None:
            draft.command(SetTimer(run.id, event.due))


def _retry(draft: Draft, run: TaskRun, event: AttemptFinished, attempts: tuple[Attempt, ...]) -> bool:
    seconds = event.retry_after
    if seconds is None:
        policy = retry_of(draft, run)
        if policy is not None and policy.behavior == "CREATE_NEW_EXECUTION":
            again = successor(draft, policy)
            if again is not None:
                end_run(draft, run, State.FAILED, error=event.error, attempts=attempts, outputs=event.outputs)
                hand_over(draft, again)
            return again is not None
        if policy is not None:
            made = that_count(run, attempts)
            seconds = retry_delay(policy, run.id, len(made), made[0].started_at, event.at)
    if seconds is None:
        return False
    due = event.at + timedelta(seconds=seconds)
    draft.log("WARN", f"attempt {len(attempts)} failed, the next one is due at {due.isoformat()}: {event.error}", run)
    draft.move(run, State.RETRYING, due=due, attempts=attempts, outputs=event.outputs)
    draft.command(SetTimer(run.id, due))
    return True


def timer_fired(draft: Draft, event: TimerFired) -> None:
    run = draft.task_runs.get(event.task_run_id)
    if run is None or run.due != event.due:
        return
    if run.state is State.RUNNING and run.calls is not None:
        _called_for_too_long(draft, run, run.calls)
        return
    if not lets_start(draft.flow, draft.execution, run):
        return
    if run.state is State.RETRYING:
        draft.move(run, State.RETRYING, due=None)
        draft.command(QueueTask(run.id))
    elif run.state is State.PAUSED:
        waited(draft, run)


def _called_for_too_long(draft: Draft, run: TaskRun, calls: tuple[str, ...]) -> None:
    draft.command(StopFlows(run.id, run.epoch, calls))
    error = f"Timeout after {draft.task(run).timeout}"
    ended = AttemptFinished(
        at=draft.at, task_run_id=run.id, epoch=run.epoch, state=State.FAILED, error=error, outputs=run.outputs
    )
    attempt_finished(draft, ended)
