"""What containers ask at their beginning and at their end, and what an answer is for."""

from __future__ import annotations

import pytest

from engine.core.flowable import flowable
from engine.core.ledger import counted_lane
from engine.model.events import Evaluated
from engine.model.flow import Container, Flow
from engine.model.state import State
from tests.simulation.play import told
from tests.unit.core.playing import FLOW, playing

LOOP = "  - {id: c, type: Loop, values: [x], transmitFailed: false, tasks: [{id: t, type: Return}]}\n"


def container(flow: Flow) -> Container:
    (task,) = flow.tasks
    assert isinstance(task, Container)
    return task


@pytest.mark.parametrize(
    ("state", "asks"),
    [
        (State.SUCCESS, True),
        (State.WARNING, True),
        (State.FAILED, True),
        (State.KILLED, False),
        (State.CANCELLED, False),
    ],
)
def test_a_loop_that_was_not_stopped_tells_what_its_rounds_gave(state: State, asks: bool) -> None:
    task = container(playing(LOOP).flow)
    assert (flowable(task).question(task, state) is not None) is asks


def test_a_loop_forgives_failures_and_nothing_else() -> None:
    task = container(playing(LOOP).flow)
    ends = (State.SUCCESS, State.WARNING, State.FAILED, State.KILLED)
    assert [counted_lane(task, state) for state in ends] == [State.SUCCESS, State.WARNING, State.SUCCESS, State.SUCCESS]


@pytest.mark.parametrize(
    ("more", "asks"),
    [
        ("", False), ("inputFiles: {a: b},", True), ("cache: {patterns: [x], ttl: PT1H},", True),
        ("namespaceFiles: {enabled: true},", True), ("namespaceFiles: {enabled: false},", False),
    ],
)  # fmt: skip
def test_a_folder_is_filled_by_a_worker_when_there_is_something_to_put_into_it(more: str, asks: bool) -> None:
    task = container(playing(f"  - {{id: c, type: WorkingDirectory, {more} tasks: [{{id: t, type: Return}}]}}\n").flow)
    assert (flowable(task).expression(task) is not None) is asks


@pytest.mark.parametrize(("verdict", "end"), [("false", ["c SKIPPED"]), ("true", ["c SUCCESS", "t SUCCESS"])])
def test_each_question_is_asked_once_and_its_answer_counts(verdict: str, end: list[str]) -> None:
    asks = "runIf: \"{{ kv('a') }}\", condition: \"{{ kv('b') }}\""
    play = playing(f"  - {{id: c, type: {FLOW}.If, {asks}, then: [{{id: t, type: Return}}]}}\n")
    play.run()
    play.step(Evaluated(at=play.tick(), name="runIf", task_run_id="run-0", value=verdict))
    if verdict == "true":
        play.step(Evaluated(at=play.tick(), name="condition", task_run_id="run-0", value="true"))
    play.run()
    assert told(play.execution) == end
    assert [asked.name for asked in play.evaluations] == ["runIf", "condition"][: len(end)]
