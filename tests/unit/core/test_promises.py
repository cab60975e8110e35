"""What a broken promise (`sla`) does to an execution, without a clock. (With one: tests/unit/test_admission.py.)"""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine.core import decide
from engine.model.commands import Evaluate, SetDeadline
from engine.model.events import DeadlinePassed, EngineStarted, Evaluated, KillRequested
from engine.model.state import State
from tests.simulation.play import START, Play
from tests.unit.core.playing import playing

TASKS = "  - {id: a, type: Return}\n"
WHY = "the promise `s` is broken: it takes longer than PT1M"


def at_work(behavior: str, more: str = "") -> Play:
    """A task is at work, and its execution may take a minute."""
    sla = f"sla: [{{id: s, type: MAX_DURATION, duration: PT1M, behavior: {behavior}, labels: {{late: yes}}}}]\n"
    play = playing(TASKS + sla + more)
    while not play.started:
        play.step(play.waiting.pop(0))
    assert play.execution.task_runs["run-0"].state is State.RUNNING
    return play


def too_late(play: Play) -> Play:
    play.now = START + timedelta(minutes=1)
    play.step(DeadlinePassed(at=play.tick(), sla_id="s"))
    return play


@pytest.mark.parametrize(
    ("behavior", "level", "state", "error"),
    [("FAIL", "ERROR", State.FAILED, WHY), ("CANCEL", "WARN", State.CANCELLED, None)],
)
def test_it_is_stopped_and_ends_as_the_promise_says(behavior: str, level: str, state: State, error: str | None) -> None:
    play = too_late(at_work(behavior))
    assert (play.execution.state, play.execution.ending) == (State.KILLING, state)
    assert play.stopped == ["run-0"]
    ended = play.run()
    assert (ended.state, ended.error) == (state, error)
    assert play.logs == [f"{level} {WHY}"]


def test_what_is_being_killed_keeps_no_promise() -> None:
    play = at_work("FAIL")
    play.step(KillRequested(at=play.tick()))
    too_late(play)
    assert play.run().state is State.KILLED
    assert "late" not in play.execution.labels


def test_what_comes_after_the_end_keeps_no_promise() -> None:
    play = at_work("FAIL", "afterExecution:\n  - {id: z, type: Return}\n")
    play.run()
    before = play.execution
    too_late(play)
    assert play.execution is before


@pytest.mark.parametrize("after", [timedelta(0), timedelta(minutes=2)])
def test_a_new_engine_sets_the_deadline_again(after: timedelta) -> None:
    play = at_work("FAIL")
    event = EngineStarted(at=START + after)
    commands = decide(play.flow, play.execution, event, play.facts).commands
    assert [each.due for each in commands if isinstance(each, SetDeadline)] == [START + timedelta(minutes=1)]


def test_an_answer_about_a_promise_answers_nothing_else() -> None:
    """Here the flow's outputs wait for an answer as well."""
    play = playing(
        TASKS + "outputs: [{id: o, type: STRING, value: \"{{ kv('k') }}\"}]\n"
        "sla: [{id: s, type: EXECUTION_ASSERTION, assert: \"{{ kv('k') == 'v' }}\", behavior: FAIL}]\n"
    )
    play.run()
    asked = len(play.evaluations)
    assert Evaluate("outputs", None) in play.evaluations
    play.step(Evaluated(at=play.tick(), name="sla.s", task_run_id=None, value="true"))
    assert (len(play.evaluations), play.execution.state) == (asked, State.RUNNING)


@pytest.mark.parametrize(("value", "state"), [("good", State.SUCCESS), ("bad", State.FAILED)])
def test_what_must_be_so_is_judged_as_soon_as_something_has_moved(value: str, state: State) -> None:
    sla = "sla: [{id: s, type: EXECUTION_ASSERTION, assert: \"{{ outputs.t.value == 'good' }}\", behavior: FAIL}]\n"
    play = playing(f"  - {{id: t, type: Return, format: {value}}}\n{sla}")
    assert play.run().state is state
