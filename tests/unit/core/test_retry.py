"""Which attempts a retry policy counts."""

from __future__ import annotations

from datetime import timedelta

from engine.core.retry import that_count
from engine.model.execution import Attempt, StateChange, TaskRun
from engine.model.state import AttemptState, State
from tests.simulation.play import START

LATER = START + timedelta(seconds=1)


def test_a_restart_begins_anew_and_what_began_with_it_counts() -> None:
    attempts = tuple(
        Attempt(epoch=number, state=AttemptState.FAILED, started_at=at)
        for number, at in enumerate((START, LATER, LATER))
    )
    history = (StateChange(State.CREATED, START), StateChange(State.FAILED, START))
    run = TaskRun(id="r", execution_id="e", task_id="t", seq=0, state=State.FAILED, history=history, attempts=attempts)
    assert that_count(run, attempts) == attempts
    again = TaskRun(
        id="r", execution_id="e", task_id="t", seq=0, state=State.RESTARTED, attempts=attempts,
        history=(*history, StateChange(State.RESTARTED, LATER)),
    )  # fmt: skip
    assert that_count(again, attempts) == attempts[1:]
