"""What persons can do about a task whose engine died under it, and what is left of its processes. (Else: golden.)"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.catalog import Catalog
from engine.core.facts import Facts
from engine.core.refusal import refusal, was_done
from engine.dialect import load
from engine.errors import FlowInvalid
from engine.model.events import (
    AttemptFinished,
    EngineStarted,
    Event,
    KillRequested,
    ProcessStarted,
    RestartRequested,
    ResumeRequested,
    TaskRunChanged,
)
from engine.model.execution import StartedProcess, TaskRun
from engine.model.state import AttemptState, State
from tests.simulation.play import Play, told

PROCESS = StartedProcess(pid=4711, started_at="boot/1", marker="run-0/1/x")


def at_work(**task: object) -> Play:
    """The task `a` is at work, and `b` comes after it."""
    tasks = [{"id": "a", "type": "io.kestra.plugin.core.debug.Return", **task}]
    tasks.append({"id": "b", "type": "io.kestra.plugin.core.debug.Return"})
    play = Play(load(json.dumps({"id": "f", "namespace": "n", "tasks": tasks}), types=Catalog()))
    while not play.started:
        play.step(play.waiting.pop(0))
    return play


def paused() -> Play:
    play = at_work(onLost="PAUSE")
    play.crash(play.execution)
    assert play.run().state is State.PAUSED
    assert play.execution.awaits_decision
    return play


def asked(play: Play, event: Event) -> Play:
    assert refusal(play.flow, play.execution, event, Facts()) is None
    play.waiting.append(event)
    play.run()
    assert was_done(play.execution, event), "who asks again is told that it is done"
    return play


def a(play: Play) -> TaskRun:
    return play.execution.task_runs["run-0"]


def test_a_person_resumes_it_by_name() -> None:
    play = paused()
    wrong = ResumeRequested(at=play.tick(), task_run_id="run-1")
    assert "no pause run-1" in str(refusal(play.flow, play.execution, wrong, Facts()))
    asked(play, ResumeRequested(at=play.tick(), task_run_id="run-0", by="Ada"))
    assert told(play.execution) == ["a SUCCESS", "b SUCCESS"]
    states = " ".join(change.state for change in a(play).history)
    assert states == "CREATED RUNNING PAUSED CREATED RUNNING SUCCESS"
    assert "INFO resumed by Ada" in play.logs


def test_a_person_says_what_it_came_to() -> None:
    play = asked(paused(), TaskRunChanged(at=paused().tick(), task_run_id="run-0", state=State.SUCCESS))
    assert told(play.execution) == ["a SUCCESS", "b SUCCESS"]
    assert len(play.started) == 2, "it did not run again"


def test_a_person_restarts_it() -> None:
    play = paused()
    asked(play, RestartRequested(at=play.tick()))
    assert told(play.execution) == ["a SUCCESS", "b SUCCESS"]
    assert [attempt.epoch for attempt in a(play).attempts] == [1, 3]


def test_a_person_kills_it() -> None:
    play = paused()
    play.waiting.append(KillRequested(at=play.tick()))
    assert play.run().state is State.KILLED
    assert told(play.execution) == ["a KILLED"]


def test_it_waits_through_another_crash() -> None:
    play = paused()
    play.crash(play.execution)
    assert play.run().state is State.PAUSED
    assert len(a(play).attempts) == 1


@pytest.mark.parametrize("on_lost", ["RERUN", "FAIL", "PAUSE"])
def test_nothing_runs_beside_a_process_that_is_left(on_lost: str) -> None:
    play = at_work(onLost=on_lost, retry={"type": "constant", "interval": "PT1S", "maxAttempt": 3})
    play.crash(play.execution)
    play.waiting = [EngineStarted(at=play.tick(), survivors={"run-0": (12, 11)})]
    assert play.run().state is State.FAILED
    assert told(play.execution) == ["a FAILED"]
    assert str(a(play).error).endswith("these processes of the task could not be ended, look at them: 11, 12")


@pytest.mark.parametrize("allow_failure", [True, False])
def test_what_was_being_killed_is_not_killed_while_a_process_is_left(allow_failure: bool) -> None:
    play = at_work(allowFailure=allow_failure)
    play.step(KillRequested(at=play.tick()))
    play.crash(play.execution)
    play.waiting = [EngineStarted(at=play.tick(), survivors={"run-0": (11,)})]
    play.run()
    assert told(play.execution) == ["a FAILED"]


def test_an_attempt_that_leaves_processes_is_not_retried() -> None:
    play = at_work(retry={"type": "constant", "interval": "PT1S", "maxAttempt": 3})
    ended = AttemptFinished(
        at=play.tick(), task_run_id="run-0", epoch=1, state=State.FAILED, error="left", survivors=(11,)
    )
    play.waiting = [ended]
    assert play.run().state is State.FAILED
    assert len(a(play).attempts) == 1


def test_a_process_is_remembered_with_the_attempt_that_runs() -> None:
    play = at_work()
    for epoch, fits in ((1, True), (0, False), (2, False)):
        event = ProcessStarted(at=play.tick(), task_run_id="run-0", epoch=epoch, process=PROCESS)
        assert (refusal(play.flow, play.execution, event, Facts()) is None) is fits
        before = play.execution
        play.step(event)
        assert (play.execution is before) is not fits
    assert a(play).attempts[-1].process == PROCESS
    play.step(KillRequested(at=play.tick()))
    late = ProcessStarted(at=play.tick(), task_run_id="run-0", epoch=1, process=PROCESS)
    assert "has gone on without the attempt 1" in str(refusal(play.flow, play.execution, late, Facts()))


def test_a_wrong_word_is_told_with_the_right_one() -> None:
    text = "id: f\nnamespace: n\ntasks:\n  - {id: a, type: io.kestra.plugin.core.debug.Return, onLost: PAUS}"
    with pytest.raises(FlowInvalid) as error:
        load(text, types=Catalog())
    assert "PAUSE" in str(error.value.diagnostics[0])


def test_the_end_of_an_attempt_says_that_it_was_lost() -> None:
    play = at_work(onLost="FAIL")
    play.crash(play.execution)
    play.run()
    assert a(play).attempts[-1].state is AttemptState.LOST
    assert a(play).attempts[-1].ended_at is not None


def test_plugin_defaults_can_say_it() -> None:
    type_ = "io.kestra.plugin.core.debug.Return"
    defaults = [{"type": "io.kestra.plugin.core", "values": {"onLost": "FAIL"}}]
    tasks = [{"id": "a", "type": type_}, {"id": "b", "type": type_, "onLost": "PAUSE"}]
    text = json.dumps({"id": "f", "namespace": "n", "pluginDefaults": defaults, "tasks": tasks})
    assert [task.on_lost for task in load(text, types=Catalog()).tasks] == ["FAIL", "PAUSE"]


def test_the_page_about_it_is_right() -> None:
    page = (Path(__file__).parents[3] / "docs" / "durability.md").read_text(encoding="utf-8")
    (task,) = load(page.partition("```yaml\n")[2].partition("```")[0], types=Catalog()).tasks
    assert task.on_lost == "PAUSE"
