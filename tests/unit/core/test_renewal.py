"""How often, and how long, an execution is tried again by new ones."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from engine.catalog import Catalog
from engine.core import Facts, decide
from engine.core.draft import Draft
from engine.core.labels import RETRIED_SINCE
from engine.core.refusal import refusal
from engine.core.renewal import successor
from engine.dialect import load
from engine.model.events import RestartRequested
from engine.model.state import State
from tests.simulation.play import START, Play

FLOW = """\
id: f
namespace: n
tasks: [{id: t, type: io.kestra.plugin.core.debug.Return}]
retry: {type: exponential, interval: PT1S, maxDuration: PT10S, maxAttempt: 4, behavior: CREATE_NEW_EXECUTION}
"""


@pytest.mark.parametrize(
    ("attempt", "since", "wait"),
    [(1, 0, 1), (2, 0, 2), (3, 0, 4), (4, 0, None), (3, 6, 4), (3, 7, None), (1, 60, None)],
)
def test_the_attempts_and_the_time_of_all_executions_count(attempt: int, since: int, wait: int | None) -> None:
    flow = load(FLOW, types=Catalog())
    first = START - timedelta(seconds=since)
    execution = replace(
        Play(flow).execution,
        state=State.RUNNING,
        attempt_number=attempt,
        labels={RETRIED_SINCE: first.isoformat()} if since else {},
    )
    assert flow.retry is not None
    again = successor(Draft(flow, execution, Facts(), START), flow.retry)
    assert (again.due if again is not None else None) == (START + timedelta(seconds=wait) if wait else None)
    if again is not None:
        assert again.labels[RETRIED_SINCE] == first.isoformat()
        assert (again.attempt_number, again.parent_id, again.state) == (attempt + 1, execution.id, State.CREATED)


def test_what_is_being_retried_is_not_restarted() -> None:
    """A person holds it, so it has not ended, but the one that tries again has begun."""
    flow = load(FLOW, types=Catalog())
    held = replace(Play(flow).execution, state=State.PAUSED, held=True, ending=State.RETRIED)
    event = RestartRequested(at=START)
    assert refusal(flow, held, event, Facts()) == "was retried as another execution; restart that one"
    assert decide(flow, held, event, Facts()).execution is held
