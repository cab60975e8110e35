"""How executions begin: at their time, when there is a place, by a person's word; and as the next that tries again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from engine.model.commands import StartLater
from engine.model.events import (
    AttemptFinished,
    EngineStarted,
    ExecutionStarted,
    KillRequested,
    PlaceRefused,
    StartForced,
    TimerFired,
)
from engine.model.state import State
from tests.simulation.invariants.step import Step
from tests.simulation.invariants.tasks import interval_of, policy_of

WAITING = (State.CREATED, State.QUEUED)


def it_begins_when_it_may(step: Step) -> Iterator[object]:
    """An execution begins at its time, once there is a place for it, or because a person says so."""
    before, after, event = step.before.execution, step.after.execution, step.event
    if before.state not in WAITING or after.state in WAITING:
        return
    due = before.due is None or before.due <= event.at
    match event:
        case ExecutionStarted():
            may = due
        case EngineStarted():  # whether there is a place, and how it ends that was never to run, is asked anew
            may = due and before.ending is None and step.flow.concurrency is None
        case _:
            may = isinstance(event, (StartForced, KillRequested, PlaceRefused))
    if not may:
        yield event
    if not after.is_terminal and (
        after.due is not None or State.RUNNING not in [entry.state for entry in after.history]
    ):
        yield after.state, after.due


def what_waits_to_begin_is_begun(step: Step) -> Iterator[object]:
    """What is to begin later is told so, also after a crash."""
    before, event = step.before.execution, step.event
    if before.state not in WAITING or not isinstance(event, (ExecutionStarted, EngineStarted)):
        return
    if (
        step.after.execution.state in WAITING
        and StartLater(max(before.due or event.at, event.at)) not in step.decision.commands
    ):
        yield before.due


def without_a_place_it_waits_or_ends(step: Step) -> Iterator[object]:
    """An execution that finds no place waits for one, is CANCELLED or has FAILED, as its flow says."""
    before, after, event = step.before.execution, step.after.execution, step.event
    if not isinstance(event, PlaceRefused) or before.state is not State.CREATED or step.flow.concurrency is None:
        return
    behavior = step.flow.concurrency.behavior
    if after.state is not {"QUEUE": State.QUEUED, "CANCEL": State.CANCELLED, "FAIL": State.FAILED}[behavior]:
        yield after.state
    if (after.error is None) is (behavior == "FAIL"):
        yield after.error
    yield from (run for run in step.created if not step.after.place(run).after)


def some_are_created_to_end(step: Step) -> Iterator[object]:
    """An execution that was created to end in a state ends in it, and nothing runs before that."""
    before, after = step.before.execution, step.after.execution
    if (
        before.state in WAITING
        and before.ending is not None
        and isinstance(step.event, (ExecutionStarted, StartForced))
    ):
        if after.state is not before.ending:
            yield after.state
        yield from (run for run in step.created if not step.after.place(run).after)


def another_one_tries_again(step: Step) -> Iterator[object]:
    """After a failure the whole is tried again if the nearest policy says so; then this one ends RETRIED."""
    event, before = step.event, step.before.execution
    begun, policy = step.decision.begun, None
    if isinstance(event, (AttemptFinished, TimerFired)) and step.moved and _has_failed(event, step):
        old = step.before.runs[event.task_run_id]
        stops = step.before.is_stopping or before.is_terminal or old.state is State.KILLING
        stops = stops or (isinstance(event, AttemptFinished) and bool(event.survivors))
        policy = policy_of(step.before, old) if not stops else None
    if policy is None or policy.behavior != "CREATE_NEW_EXECUTION":
        yield from begun
        return
    most = policy.max_attempt
    if most is not None and before.attempt_number >= most:
        yield from begun
    elif not begun and policy.max_duration is None:
        yield "nothing tries again"
    after = step.after.execution
    if begun and State.RETRIED not in (after.state, after.ending):
        yield after.state
    least, most_seconds = (timedelta(seconds=each) for each in interval_of(policy, before.attempt_number))
    for each in begun:
        waits = each.due is not None and event.at + least <= each.due <= event.at + most_seconds
        if len(begun) > 1 or not waits or each.attempt_number != before.attempt_number + 1:
            yield each


def _has_failed(event: AttemptFinished | TimerFired, step: Step) -> bool:
    """Whether an attempt has failed that does not say itself when it is to be repeated."""
    old = step.before.runs[event.task_run_id]
    if isinstance(event, TimerFired):
        return old.calls is not None and old.state is State.RUNNING
    return event.state is State.FAILED and event.retry_after is None


SENTENCES = (
    it_begins_when_it_may, what_waits_to_begin_is_begun, without_a_place_it_waits_or_ends, some_are_created_to_end,
    another_one_tries_again,
)  # fmt: skip
