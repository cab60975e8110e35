"""What the working copy of an execution remembers, and what it refuses."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine.core import Facts
from engine.core.draft import LONG_HISTORY, Draft, continued
from engine.errors import InvariantBroken
from engine.model.execution import History, StateChange
from engine.model.state import State
from tests.simulation.play import START
from tests.unit.core.playing import playing


def to_and_fro(times: int) -> History:
    """A history of a pause that goes on so often."""
    history: History = (StateChange(State.CREATED, START),)
    for number in range(times):
        state = State.PAUSED if number % 2 else State.RUNNING
        history = continued(history, StateChange(state, START + timedelta(seconds=number)))
    return history


def test_a_long_history_forgets_its_middle() -> None:
    short, long = to_and_fro(LONG_HISTORY - 1), to_and_fro(10 * LONG_HISTORY)
    assert [(change.at - START).seconds for change in short] == [0, *range(LONG_HISTORY - 1)]
    assert len(long) in (LONG_HISTORY - 1, LONG_HISTORY)
    assert long[: LONG_HISTORY - 2] == short[: LONG_HISTORY - 2]
    last = 10 * LONG_HISTORY - 1
    assert (long[-1].state, (long[-1].at - START).seconds) == (State.PAUSED, last)


def test_of_a_change_to_and_fro_the_last_is_remembered() -> None:
    before = to_and_fro(LONG_HISTORY - 1)
    again = StateChange(before[-2].state, START + timedelta(days=1))
    assert continued(before, again) == (*before[:-2], again)
    assert continued(before[1:], again) == (*before[1:], again), "one that is not long forgets nothing"


def test_any_other_change_is_remembered_whatever_the_length() -> None:
    before = to_and_fro(LONG_HISTORY - 1)
    ended = StateChange(State.SUCCESS, START)
    assert continued(before, ended) == (*before, ended)


def test_what_has_ended_does_not_go_on_without_a_restart() -> None:
    play = playing("  - {id: a, type: Return}\n")
    play.run()
    draft = Draft(play.flow, play.execution, Facts(), START)
    with pytest.raises(InvariantBroken, match=r"run-0 \(a\) cannot go from SUCCESS to RUNNING; its story: CREATED@"):
        draft.move(draft.run("run-0"), State.RUNNING)
    with pytest.raises(InvariantBroken, match="execution run cannot go from SUCCESS to RUNNING"):
        draft.move_execution(State.RUNNING)
