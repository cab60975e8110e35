"""What a person is told of a request that does not fit."""

from __future__ import annotations

import pytest

from engine.core.refusal import refusal
from engine.model.events import Event, KillRequested, PauseRequested, RestartRequested, ResumeRequested, StartForced
from engine.model.state import State
from tests.simulation.play import START, Play
from tests.unit.core.playing import playing

TASKS = "  - {id: a, type: Return}\n"
NOTHING_TO_RESTART = "is SUCCESS and has no task that failed, was killed or is paused: nothing to restart"


def created() -> Play:
    return playing(TASKS)


def running() -> Play:
    play = created()
    play.step(play.waiting.pop(0))
    return play


def held() -> Play:
    play = running()
    play.step(PauseRequested(at=play.tick()))
    return play


def being_killed() -> Play:
    play = running()
    while not play.started:
        play.step(play.waiting.pop(0))
    play.step(KillRequested(at=play.tick()))
    return play


def ended() -> Play:
    play = created()
    assert play.run().state is State.SUCCESS
    return play


@pytest.mark.parametrize(
    ("play", "event", "why"),
    [
        (ended(), KillRequested(at=START), "has ended already, as SUCCESS"),
        (being_killed(), KillRequested(at=START), "is being stopped already"),
        (held(), PauseRequested(at=START), "is paused already"),
        (ended(), PauseRequested(at=START), "is SUCCESS; only one that is RUNNING can be paused"),
        (ended(), ResumeRequested(at=START), "has ended, as SUCCESS; only a paused one can be resumed"),
        (running(), ResumeRequested(at=START), "is RUNNING and has nothing that is paused"),
        (running(), ResumeRequested(at=START, task_run_id="run-0"), "is RUNNING and has no pause run-0"),
        (running(), RestartRequested(at=START), "is RUNNING; one that still runs cannot be restarted"),
        (ended(), RestartRequested(at=START), NOTHING_TO_RESTART),
        (running(), StartForced(at=START), "is RUNNING; only one that waits to begin can be made to"),
        (created(), StartForced(at=START), None),
        (held(), ResumeRequested(at=START), None),
        (running(), KillRequested(at=START), None),
    ],
)  # fmt: skip
def test_why_a_request_does_not_fit(play: Play, event: Event, why: str | None) -> None:
    assert refusal(play.flow, play.execution, event, play.facts) == why
