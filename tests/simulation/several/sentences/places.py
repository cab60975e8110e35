"""Of the places that a flow's `concurrency` gives."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from engine.model.execution import Execution
from engine.model.state import State
from tests.simulation.several.standing import Commit, Rest, holds_place

_ENDS = {"FAIL": State.FAILED, "CANCEL": State.CANCELLED}


def no_more_begin_than_there_are_places(commit: Commit) -> Iterator[object]:
    """An execution begins only while fewer than `limit` of its flow have a place."""
    begun = list(commit.begun())
    for flow_id in {each.flow_id for each in begun}:
        limits = commit.flows[flow_id].concurrency
        if limits is None:
            continue
        held = [each.id for each in commit.of_flow(flow_id) if holds_place(each)]
        new = [each.id for each in begun if each.flow_id == flow_id]
        if len(held) + len(new) > limits.limit:
            yield flow_id, held, new


def who_has_waited_longer_begins_first(commit: Commit) -> Iterator[object]:
    """Those that are QUEUED begin in the order of their creation, and before any that comes later."""
    for execution in commit.begun():
        if commit.flows[execution.flow_id].concurrency is None:
            continue
        for other in commit.of_flow(execution.flow_id):
            waits_on = State.QUEUED is other.state is commit.after[other.id].state
            overtaken = waits_on and _key(other) < _key(execution)
            if overtaken and commit.runs(other.id) and other.id not in commit.memory.late:
                yield execution.id, other.id


def _key(execution: Execution) -> tuple[datetime, str]:
    return execution.started_at, execution.id


def nobody_waits_for_a_free_place(rest: Rest) -> Iterator[object]:
    """An execution is QUEUED only while others have all the places of its flow."""
    for execution in rest.unfinished():
        if execution.state is State.QUEUED:
            limits = rest.flows[execution.flow_id].concurrency
            held = [each for each in rest.unfinished() if each.flow_id == execution.flow_id and holds_place(each)]
            if limits is None or len(held) < limits.limit:
                yield execution.id, [each.id for each in held]


def a_refusal_ends_as_the_flow_says(commit: Commit) -> Iterator[object]:
    """Without a place an execution waits, fails or is cancelled as `behavior` says, and does nothing before."""
    for before, execution in commit.changed():
        lines = [message.removeprefix("waits for a place: ") for message in commit.told(execution.id)]
        told = [line for line in lines if line.startswith("the flow runs at most")]
        if not told:
            continue
        limits = commit.flows[execution.flow_id].concurrency
        expected = State.QUEUED if limits is None or limits.behavior == "QUEUE" else _ENDS[limits.behavior]
        if expected not in [entry.state for entry in execution.history[1:]]:
            yield execution.id, expected
        if (before is None or before.state is State.CREATED) and len(told) > 1:
            yield execution.id, told
        refused = before is None and expected is not State.QUEUED and execution.id not in commit.memory.tampered
        if refused and State.RUNNING in (entry.state for entry in execution.history):
            yield execution.id, execution.history


AT_EACH_COMMIT = (
    no_more_begin_than_there_are_places,
    who_has_waited_longer_begins_first,
    a_refusal_ends_as_the_flow_says,
)
AT_REST = (nobody_waits_for_a_free_place,)
