"""The key of a task run: the same for what is the same piece of work, another one for anything else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from engine.model.events import RestartRequested
from engine.model.execution import TaskRun
from engine.model.state import State
from tests.simulation.play import Play, succeed
from tests.unit.core.playing import FLOW, playing, values

TASK = '{id: t, type: Return, format: "{{ taskrun.idempotencyKey }}"}'
FOLDER = f"{{id: w, type: WorkingDirectory, tasks: [{TASK}]}}"
ROUNDS = (
    f"{{id: l, type: {FLOW}.LoopUntil, condition: '{{{{ outputs.l.iterationCount >= 3 }}}}',"
    f" checkFrequency: {{interval: PT1S, maxIterations: 9}}, tasks: [{TASK}]}}"
)


def keys(play: Play, task_id: str = "t") -> list[str]:
    found = values(play, task_id)
    assert all(len(key) == 64 for key in found)
    return found


def lost(play: Play, how: State | None = None) -> list[str]:
    """The keys of the attempts of `t`, of which the first is lost, or ends so; then a person restarts."""
    answer, seen = play.answers, []

    def note(run: TaskRun) -> Mapping[str, Any]:
        answered = answer(run)
        seen.append(answered["outputs"]["value"])
        if len(seen) > 1:
            return answered
        return {"state": how, "error": "no"} if how is not None else {"lost": True}

    play.answers = note
    play.run()
    if how is not None:
        play.waiting.append(RestartRequested(at=play.tick()))
        play.run()
    assert play.execution.state is State.SUCCESS
    return seen


def test_each_value_of_a_loop_has_its_own() -> None:
    each = "{id: %s, type: %s, values: [x, y], tasks: [%s]}"
    for text, count in (
        (each % ("o", "ForEach", each % ("e", "ForEach", TASK)), 4),
        (each % ("l", "Loop", TASK), 2),
    ):
        play = playing(f"  - {text}\n")
        play.run()
        assert len(set(keys(play))) == count


def test_each_task_has_its_own() -> None:
    play = playing(f"  - {TASK}\n  - {TASK.replace('id: t', 'id: u')}\n")
    play.run()
    assert keys(play, "t") != keys(play, "u")


def test_each_round_has_its_own() -> None:
    play = playing(f"  - {ROUNDS}\n")
    answer, seen = play.answers, []

    def note(run: TaskRun) -> Mapping[str, Any]:
        seen.append(answer(run)["outputs"]["value"])
        return succeed(run)

    play.answers = note
    assert play.run().state is State.SUCCESS
    assert len(seen) == len(set(seen)) == 3


@pytest.mark.parametrize("task", [TASK, FOLDER])
def test_it_lasts_when_the_engine_dies(task: str) -> None:
    first, second = lost(playing(f"  - {task}\n"))
    assert first == second


@pytest.mark.parametrize("task", [TASK, FOLDER])
def test_a_person_who_restarts_wants_it_done_again(task: str) -> None:
    first, second = lost(playing(f"  - {task}\n"), State.FAILED)
    assert first != second
