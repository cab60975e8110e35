"""A WorkingDirectory that is interrupted: all of it runs again, by recovery as by a restart."""

from __future__ import annotations

from engine.core import Facts
from engine.model.events import RestartRequested, ResumeRequested
from engine.model.state import AttemptState, State
from tests.simulation.play import Play, told
from tests.unit.core.playing import playing

TASKS = (
    "  - {id: before, type: Return}\n"
    "  - {id: wd, type: WorkingDirectory, tasks: [{id: one, type: Return}, {id: two, type: Return}]}\n"
)


def crashed_in_the_middle(play: Play) -> Play:
    play.step(play.waiting.pop(0))
    while "one SUCCESS" not in told(play.execution):
        play.step(play.waiting.pop(0))
    play.crash(play.execution)
    return play


def test_after_a_crash_in_the_middle_all_of_it_runs_again() -> None:
    play = crashed_in_the_middle(playing(TASKS))
    play.step(play.waiting.pop(0))
    wd = next(run for run in play.execution.in_order() if run.task_id == "wd")
    assert [attempt.state for attempt in wd.attempts] == [AttemptState.LOST]
    assert wd.epoch == 1
    assert play.run().state is State.SUCCESS
    assert told(play.execution) == ["before SUCCESS", "wd SUCCESS", "one SUCCESS", "two SUCCESS"]
    assert len(play.started) == 4, "before, one, and both again"


def test_one_that_takes_its_engine_down_again_and_again_fails() -> None:
    play = crashed_in_the_middle(playing(TASKS, facts=Facts(deaths_allowed=2)))
    crashed_in_the_middle(play)
    assert play.run().state is State.FAILED
    wd = next(run for run in play.execution.in_order() if run.task_id == "wd")
    assert wd.error == "the engine died 2 times while this task ran"


def test_a_restart_runs_all_of_it_again() -> None:
    play = playing(TASKS.replace("two", "bad"))
    assert play.run().state is State.FAILED
    play.answers = lambda run: {"state": State.SUCCESS}
    play.waiting = [RestartRequested(at=play.tick())]
    assert play.run().state is State.SUCCESS
    assert len(play.started) == 3 + 2


def test_what_must_not_run_twice_counts_only_once_it_has_begun() -> None:
    play = crashed_in_the_middle(playing(TASKS.replace("id: two,", "id: two, onLost: FAIL,")))
    assert play.run().state is State.SUCCESS, "`two` had not begun"
    play = crashed_in_the_middle(playing(TASKS.replace("id: one,", "id: one, onLost: FAIL,")))
    assert play.run().state is State.FAILED
    assert told(play.execution) == ["before SUCCESS", "wd FAILED"]


def test_a_person_lets_all_of_it_run_again() -> None:
    play = crashed_in_the_middle(playing(TASKS.replace("id: one,", "id: one, onLost: PAUSE,")))
    assert play.run().state is State.PAUSED
    assert play.execution.awaits_decision
    play.waiting = [ResumeRequested(at=play.tick())]
    assert play.run().state is State.SUCCESS
    assert told(play.execution) == ["before SUCCESS", "wd SUCCESS", "one SUCCESS", "two SUCCESS"]
