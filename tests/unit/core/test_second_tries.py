"""An execution that another one tries again, while something of it is still at work; and a retry that is held."""

from __future__ import annotations

import pytest

from engine.model.events import AttemptFinished, AttemptStarted, KillRequested, PauseRequested
from engine.model.state import State
from tests.simulation.play import Play, told
from tests.unit.core.playing import FLOW, playing

RETRY = "retry: {type: constant, interval: PT1S, maxAttempt: 3"


def handed_over() -> Play:
    """`a` has failed, and `b` is at work beside it."""
    tasks = "tasks: [{id: a, type: Return}, {id: b, type: Return}]"
    play = playing(f"  - {{id: p, type: {FLOW}.Parallel, {tasks}}}\n{RETRY}, behavior: CREATE_NEW_EXECUTION}}\n")
    play.step(play.waiting.pop(0))
    for run_id in ("run-1", "run-2"):
        play.step(AttemptStarted(at=play.tick(), task_run_id=run_id, epoch=1))
    play.waiting = []
    play.step(AttemptFinished(at=play.tick(), task_run_id="run-1", epoch=1, state=State.FAILED, error="scripted"))
    assert (play.execution.state, play.execution.ending) == (State.RUNNING, State.RETRIED)
    return play


@pytest.mark.parametrize(("killed", "ends"), [(False, ["p FAILED", "b SUCCESS"]), (True, ["p KILLED", "b KILLED"])])
def test_it_ends_retried_even_if_it_is_killed(killed: bool, ends: list[str]) -> None:
    play = handed_over()
    if killed:
        play.step(KillRequested(at=play.tick()))
    play.step(AttemptFinished(at=play.tick(), task_run_id="run-2", epoch=1, state=State.SUCCESS))
    assert play.execution.state is State.RETRIED
    assert [each for each in told(play.execution) if each[0] in "pb"] == ends


def test_a_retry_that_comes_due_while_a_person_holds_the_execution_waits() -> None:
    play = playing(f"  - {{id: bad, type: Return, {RETRY}}}}}\n")
    while not play.timers:
        play.step(play.waiting.pop(0))
    play.step(PauseRequested(at=play.tick()))
    before = play.execution
    play.now = play.timers[0].due
    play.step(play.timers.pop(0))
    assert play.execution is before
