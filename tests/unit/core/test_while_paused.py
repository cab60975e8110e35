"""What persons ask of an execution that is paused already."""

from __future__ import annotations

from engine.core.refusal import refusal
from engine.model.events import Event, PauseRequested, RestartRequested, ResumeRequested, TaskRunChanged
from engine.model.state import State
from tests.simulation.play import Play, told
from tests.unit.core.playing import FLOW, playing

TASKS = f"  - {{id: a, type: Return}}\n  - {{id: p, type: {FLOW}.Pause}}\n  - {{id: c, type: Return}}\n"


def paused() -> Play:
    play = playing(TASKS)
    assert play.run().state is State.PAUSED
    return play


def asked(play: Play, event: Event) -> Play:
    assert refusal(play.flow, play.execution, event, play.facts) is None
    play.waiting.append(event)
    play.run()
    return play


def test_a_pause_is_taken_for_an_end() -> None:
    play = paused()
    asked(play, TaskRunChanged(at=play.tick(), task_run_id="run-1", state=State.WARNING))
    assert told(play.execution) == ["a SUCCESS", "p WARNING", "c SUCCESS"]
    assert (play.execution.state, play.execution.attempt_number) == (State.WARNING, 2)


def test_what_has_ended_before_the_pause_is_taken_for_another_end() -> None:
    play = paused()
    asked(play, TaskRunChanged(at=play.tick(), task_run_id="run-0", state=State.WARNING))
    assert told(play.execution) == ["a WARNING", "p PAUSED"]
    assert (play.execution.state, play.execution.attempt_number) == (State.PAUSED, 2)


def test_a_restart_begins_the_pause_again() -> None:
    play = paused()
    asked(play, RestartRequested(at=play.tick()))
    assert told(play.execution) == ["a SUCCESS", "p PAUSED"]
    assert (play.execution.task_runs["run-1"].epoch, play.execution.attempt_number) == (1, 2)


def test_a_person_holds_it_as_well_and_lets_go_one_by_one() -> None:
    play = paused()
    asked(play, PauseRequested(at=play.tick()))
    assert play.execution.held
    asked(play, ResumeRequested(at=play.tick()))
    assert (play.execution.held, play.execution.state) == (False, State.PAUSED)
    asked(play, ResumeRequested(at=play.tick()))
    assert told(play.execution) == ["a SUCCESS", "p SUCCESS", "c SUCCESS"]


def test_a_container_that_failed_by_itself_begins_again_without_what_was_in_it() -> None:
    often = "checkFrequency: {interval: PT1S, maxIterations: 1}, failOnMaxReached: true"
    play = playing(f"  - {{id: l, type: LoopUntil, condition: false, {often}, tasks: [{{id: t, type: Return}}]}}\n")
    assert play.run().state is State.FAILED
    asked(play, RestartRequested(at=play.tick()))
    assert told(play.execution) == ["l FAILED", "t SUCCESS"]
    assert [run.id for run in play.execution.in_order()] == ["run-0", "run-2"]
