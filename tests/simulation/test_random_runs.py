"""Random flows in random worlds: what always holds holds.

TEST_SEEDS says how many seeds are played (default 400). A failing one tells its story, and how to hear it again.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from engine.core import decide
from engine.model.events import ExecutionStarted
from tests.simulation.found import FOUND
from tests.simulation.invariants import OF_EACH_STEP, Broken, judge
from tests.simulation.invariants.standing import AT_EACH_COMMIT, AT_REST
from tests.simulation.invariants.step import Step, View
from tests.simulation.random_flows import FlowMaker
from tests.simulation.seeds import play, world
from tests.simulation.world import START

SEEDS = int(os.environ.get("TEST_SEEDS", "400"))
CHUNKS = 8
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_whatever_happens_what_always_holds_holds(chunk: int) -> None:
    for seed in range(chunk, SEEDS, CHUNKS):
        play(seed)


@pytest.mark.parametrize("seed", FOUND)
def test_what_was_found_once_stays_mended(seed: int) -> None:
    play(seed)


def test_the_same_seed_gives_the_same_story() -> None:
    first, second = play(15), play(15)
    assert first.story == second.story
    assert first.execution == second.execution


def test_a_story_is_the_same_in_every_process() -> None:
    command = [sys.executable, "-m", "tests.simulation.seeds", "1477", "1930"]
    stories = {
        subprocess.run(
            command, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": order}, capture_output=True, check=True, text=True
        ).stdout
        for order in ("1", "2")
    }
    assert len(stories) == 1


def test_every_kind_of_container_is_played() -> None:
    kinds = Counter(type(task).__name__ for seed in range(100) for task in FlowMaker(seed).flow().walk())
    rare = {kind for kind, count in kinds.items() if count < 5}
    assert len(kinds) >= 15
    assert not rare


def test_every_sentence_is_one() -> None:
    for sentence in (*OF_EACH_STEP, *AT_EACH_COMMIT, *AT_REST):
        assert (sentence.__doc__ or "").strip().endswith("."), sentence.__name__


def test_a_broken_sentence_is_told() -> None:
    made = world(0)
    event = ExecutionStarted(at=START - timedelta(seconds=1))  # time runs backwards
    decision = decide(made.flow, made.execution, event, made.facts)
    after = View(made.flow, decision.execution)
    step = Step(made.flow, made.view, event, after, decision, None, False)
    with pytest.raises(Broken, match="time never runs backwards"):
        judge(step)
