"""A restart: what runs again, what is kept, and what is dropped. (A WorkingDirectory: test_working_directory.py.)"""

from __future__ import annotations

import json
from typing import Any

from engine.catalog import Catalog
from engine.dialect import load
from engine.model.events import RestartRequested
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
