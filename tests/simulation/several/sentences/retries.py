"""Of executions that try again what others did, and of answers to whoever asks."""

from __future__ import annotations

from collections.abc import Iterator

from engine.core.calling import successor_id
from engine.core.labels import RETRIED_SINCE
from engine.model.state import State
from tests.simulation.several.standing import Commit, Rest


def who_is_retried_has_a_successor(commit: Commit) -> Iterator[object]:
    """An execution that ends RETRIED is stored together with the one that tries again, and for nothing else is one."""
    for before, execution in commit.changed():
        retried = State.RETRIED in (execution.ending, execution.state)
        again = commit.after.get(successor_id(execution.id))
        if retried is not (again is not None):
            yield execution.id, again
        if before is None and again is None and RETRIED_SINCE in execution.labels:
            first = commit.after.get(execution.parent_id or "")
            if first is None or State.RETRIED not in (first.ending, first.state) or first.caller != execution.caller:
                yield execution.id, first


def a_chain_is_as_long_as_the_policy_says(commit: Commit) -> Iterator[object]:
    """Of the executions that retry each other there are at most `maxAttempt`."""
    for before, execution in commit.changed():
        if before is not None:
            continue
        length, each = 1, execution
        while RETRIED_SINCE in each.labels and each.parent_id is not None:
            length, each = length + 1, commit.after[each.parent_id]
        flow = commit.flows[execution.flow_id]
        if length > 1 and (flow.retry is None or length > (flow.retry.max_attempt or 0)):
            yield execution.id, length


def whoever_asks_is_answered(rest: Rest) -> Iterator[object]:
    """Every request is answered, and what was acknowledged is stored."""
    for answer in rest.asked:
        if not answer.done():
            yield "no answer"
        elif answer.exception() is None and answer.result().id not in rest.stored:
            yield answer.result().id


AT_EACH_COMMIT = (who_is_retried_has_a_successor, a_chain_is_as_long_as_the_policy_says)
AT_REST = (whoever_asks_is_answered,)
