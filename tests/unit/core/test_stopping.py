"""An end before the end: what is stopped, and what is left when nothing of it answers."""

from __future__ import annotations

from msgspec.structs import replace

from engine.core import decide
from engine.model.commands import StopFlows, StopTask
from engine.model.events import AttemptFinished, Effects, FlowsStarted, KillRequested
from engine.model.state import State
from tests.simulation.play import Play, told
from tests.unit.core.playing import FLOW, playing

ASKS = "  - {id: l, type: Loop, values: [x], outputs: [{id: o, type: STRING, value: \"{{ kv('k') }}\"}], "
LOOP = f"{ASKS}tasks: [{{id: t, type: Return}}]}}\n"


def until(play: Play, task_id: str, state: State) -> Play:
    """Play until a task run is in a state."""
    while not any(run.task_id == task_id and run.state is state for run in play.execution.task_runs.values()):
        play.step(play.waiting.pop(0))
    return play


def kill(play: Play) -> None:
    play.step(KillRequested(at=play.tick()))


def test_what_has_not_begun_is_killed_at_once() -> None:
    play = playing("  - {id: a, type: Return}\n")
    kill(play)
    assert (play.execution.state, told(play.execution)) == (State.KILLED, [])


def test_a_container_that_waits_for_an_answer_at_its_end_is_killed_at_once() -> None:
    play = playing(LOOP)
    play.run()
    assert [asked.name for asked in play.evaluations] == ["outputs"]
    kill(play)
    assert play.execution.state is State.KILLED
    assert {run.state for run in play.execution.task_runs.values()} == {State.KILLED, State.SUCCESS}


def test_so_it_is_when_a_task_ends_the_execution() -> None:
    others = "{id: a, type: Return}, {id: b, type: Return}"
    play = playing(f"  - {{id: p, type: {FLOW}.Parallel, tasks: [{others}, {LOOP.strip()[2:]}]}}\n")
    play.step(play.waiting.pop(0))
    a, b = (run.id for run in play.execution.in_order() if run.task_id in ("a", "b"))
    while moving := [event for event in play.waiting if event.task_run_id not in (a, b)]:  # type: ignore[attr-defined]
        play.waiting.remove(moving[0])
        play.step(moving[0])
    assert [asked.name for asked in play.evaluations] == ["outputs"]
    answer = AttemptFinished(at=play.tick(), started_at=play.now, task_run_id=a, epoch=1, state=State.SUCCESS)
    play.step(replace(answer, effects=Effects(ending=State.WARNING)))
    assert play.execution.state is State.WARNING
    assert play.execution.task_runs[b].state is State.KILLED


def test_executions_that_a_task_waits_for_are_stopped_and_its_thread_is_not() -> None:
    play = until(playing("  - {id: a, type: Return}\n"), "a", State.RUNNING)
    play.step(FlowsStarted(at=play.tick(), task_run_id="run-0", epoch=1, calls=("other",)))
    event = KillRequested(at=play.tick())
    commands = decide(play.flow, play.execution, event, play.facts).commands
    stops = [each for each in commands if isinstance(each, (StopFlows, StopTask))]
    assert stops == [StopFlows("run-0", 1, ("other",))]


def test_a_pause_ends_after_the_one_task_that_runs_beside_it() -> None:
    play = until(playing(f"  - {{id: p, type: {FLOW}.Pause, onPause: {{id: a, type: Return}}}}\n"), "a", State.RUNNING)
    kill(play)
    assert told(play.execution) == ["p KILLING", "a KILLING"]
    assert play.run().state is State.KILLED
