"""A restart: what runs again, what is kept, and what is dropped. (A WorkingDirectory: test_working_directory.py.)"""

from __future__ import annotations

import json
from typing import Any

from engine.catalog import Catalog
from engine.core import Facts
from engine.dialect import load
from engine.model.events import KillRequested, RestartRequested
from engine.model.execution import TaskRun
from engine.model.state import State
from tests.simulation.play import Play, succeed, told

RETURN = "io.kestra.plugin.core.debug.Return"


def task(id_: str, **fields: Any) -> dict[str, Any]:
    return {"id": id_, "type": RETURN, **fields}


def failed_once(**parts: Any) -> Play:
    """A play in which the first attempt of `b` has failed."""

    def answer(run: TaskRun) -> Any:
        first = run.task_id == "b" and len(run.attempts) == 1
        return {"state": State.FAILED, "error": "not yet"} if first else succeed(run)

    play = Play(load(json.dumps({"id": "f", "namespace": "n", **parts}), types=Catalog()), answers=answer)
    assert play.run().state is State.FAILED
    return play


def restart(play: Play) -> Play:
    play.waiting.append(RestartRequested(at=play.tick(), by="Ada"))
    play.run()
    return play


def test_what_failed_runs_again_in_the_same_execution() -> None:
    box = {"id": "box", "type": "io.kestra.plugin.core.flow.Sequential", "tasks": [task("a"), task("b")]}
    play = failed_once(tasks=[box, task("c")], errors=[task("e")], afterExecution=[task("z")])
    before = {run.task_id: run for run in play.execution.in_order()}
    assert told(play.execution) == ["box FAILED", "a SUCCESS", "b FAILED", "e SUCCESS", "z SUCCESS"]

    after = restart(play).execution

    assert told(after) == ["box SUCCESS", "a SUCCESS", "b SUCCESS", "c SUCCESS", "z SUCCESS"]
    assert (after.id, after.attempt_number, after.parent_id) == ("run", 2, None)
    kept = {run.task_id: run for run in after.in_order()}
    assert {name: kept[name].id for name in ("box", "a", "b")} == {name: before[name].id for name in ("box", "a", "b")}
    assert kept["a"] == before["a"]
    assert [attempt.state for attempt in kept["b"].attempts] == ["FAILED", "SUCCEEDED"]
    assert kept["z"].id != before["z"].id
    assert [change.state for change in after.history] == [
        "CREATED", "RUNNING", "FAILED", "RESTARTED", "RUNNING", "SUCCESS",
    ]  # fmt: skip


def test_what_was_killed_runs_again() -> None:
    box = {"id": "box", "type": "io.kestra.plugin.core.flow.Sequential", "tasks": [task("a"), task("b")]}
    play = Play(load(json.dumps({"id": "f", "namespace": "n", "tasks": [box, task("c")]}), types=Catalog()))
    while not play.started:
        play.step(play.waiting.pop(0))
    play.waiting.insert(0, KillRequested(at=play.tick()))
    assert play.run().state is State.KILLED
    assert told(play.execution) == ["box KILLED", "a KILLED"]

    after = restart(play).execution

    assert told(after) == ["box SUCCESS", "a SUCCESS", "b SUCCESS", "c SUCCESS"]
    (again,) = (run for run in after.in_order() if run.task_id == "a")
    assert [attempt.epoch for attempt in again.attempts] == [1, 3], "a late answer from before counts for nothing"
    assert "KILLING" in [change.state for change in after.history]


def test_a_restart_counts_the_deaths_of_engines_anew() -> None:
    flow = load(json.dumps({"id": "f", "namespace": "n", "tasks": [task("a")]}), types=Catalog())
    play = Play(flow, facts=Facts(deaths_allowed=2))

    def die() -> None:
        before = len(play.started)
        while len(play.started) == before:
            play.step(play.waiting.pop(0))
        play.crash(play.execution)

    die()
    die()
    assert play.run().state is State.FAILED
    assert play.execution.task_runs["run-0"].error == "the engine died 2 times while this task ran"
    play.waiting.append(RestartRequested(at=play.tick(), by="Ada"))
    die()
    assert play.run().state is State.SUCCESS
    states = [attempt.state for attempt in play.execution.task_runs["run-0"].attempts]
    assert states == ["LOST", "LOST", "LOST", "SUCCEEDED"]
