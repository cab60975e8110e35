"""What becomes of a task that began executions and waits for them."""

from __future__ import annotations

from collections.abc import Iterator

from engine.model.commands import AwaitFlows, SetTimer, StopFlows
from engine.model.events import EngineStarted, FlowsStarted, TimerFired
from engine.model.state import AttemptState, State
from tests.simulation.invariants.step import Step


def a_task_waits_for_what_it_began(step: Step) -> Iterator[object]:
    """A task that began executions stays RUNNING under its epoch and waits for them; one told to stop is KILLED."""
    event = step.event
    old = step.before.runs.get(event.task_run_id) if isinstance(event, FlowsStarted) else None
    if not isinstance(event, FlowsStarted) or old is None or event.epoch != old.epoch or old.is_terminal:
        return
    run = step.after.runs.get(old.id)
    if run is None:
        return  # with it ended the round of the loop that it stood in
    if old.state is State.KILLING:
        if run.state is not State.KILLED:
            yield run
        return
    kept = (run.state, run.epoch, run.calls, run.outputs, run.due, run.attempts)
    if kept != (State.RUNNING, old.epoch, event.calls, event.outputs, event.due, old.attempts):
        yield run
    if event.due is not None and SetTimer(run.id, event.due) not in step.decision.commands:
        yield event.due


def it_waits_no_longer_than_it_may(step: Step) -> Iterator[object]:
    """When its time is over the executions are stopped, and the attempt has failed."""
    event = step.event
    old = step.before.runs.get(event.task_run_id) if isinstance(event, TimerFired) else None
    if old is None or old.calls is None or old.state is not State.RUNNING or old.due != event.due:
        return
    run = step.after.runs.get(old.id)
    if StopFlows(old.id, old.epoch, old.calls) not in step.decision.commands:
        yield old
    if run is not None and (run.state is State.RUNNING or run.attempts[-1].state is not AttemptState.FAILED):
        yield run


def an_engine_takes_over_what_waits(step: Step) -> Iterator[object]:
    """After a crash what waits for executions goes on waiting, and is still told to stop if it was."""
    if not isinstance(step.event, EngineStarted):
        return
    told = step.decision.commands
    for old in step.before.runs.values():
        run = step.after.runs.get(old.id)
        if old.calls is None or old.state not in (State.RUNNING, State.KILLING) or run is None:
            continue
        if run != old or AwaitFlows(run.id, run.epoch) not in told:
            yield run
        if run.state is State.KILLING and StopFlows(run.id, run.epoch, old.calls) not in told:
            yield run
        if run.due is not None and SetTimer(run.id, run.due) not in told:
            yield run


SENTENCES = (a_task_waits_for_what_it_began, it_waits_no_longer_than_it_may, an_engine_takes_over_what_waits)
