"""Random flows that run each other, in random worlds: what always holds between executions holds.

TEST_SEEDS says how many seeds are played (default 140). A failing one tells its story, and how to hear it again.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from msgspec.structs import replace
from rpds import HashTrieMap

from engine.model.state import State
from tests.simulation.invariants import Broken
from tests.simulation.several.found import FOUND
from tests.simulation.several.seeds import play, world
from tests.simulation.several.sentences import AT_EACH_COMMIT, AT_HALT, AT_REST, judge_rest
from tests.simulation.several.standing import Memory, Rest

SEEDS = int(os.environ.get("TEST_SEEDS", "140"))
CHUNKS = 7
ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_whatever_happens_what_always_holds_holds(chunk: int) -> None:
    for seed in range(chunk, SEEDS, CHUNKS):
        play(seed)


@pytest.mark.parametrize("seed", FOUND)
def test_what_was_found_once_stays_mended(seed: int) -> None:
    play(seed)


def test_a_story_is_the_same_in_every_process() -> None:
    command = [sys.executable, "-m", "tests.simulation.several.seeds", "3", "5"]
    stories = {
        subprocess.run(
            command, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": order}, capture_output=True, check=True, text=True
        ).stdout
        for order in ("1", "2")
    }
    assert len(stories) == 1


def test_everything_that_is_judged_is_met() -> None:
    met: Counter[str] = Counter()
    for seed in range(42):
        made = play(seed)
        stored = made.stored.values()
        met["calls"] += sum(each.caller is not None for each in stored)
        met["waits"] += sum(run.calls is not None for each in stored for run in each.task_runs.values())
        met["abandoned"] += len(made.memory.abandoned)
        met["broken promises"] += sum(made.memory.promises.values())
        for state in (State.QUEUED, State.RETRIED, State.CANCELLED, State.KILLED, State.RESTARTED):
            met[state] += sum(state in (entry.state for entry in each.history) for each in stored)
    assert min(met.values()) >= 3, met


def test_every_sentence_is_one() -> None:
    for sentence in (*AT_EACH_COMMIT, *AT_HALT, *AT_REST):
        assert (sentence.__doc__ or "").strip().endswith("."), sentence.__name__


def test_a_broken_sentence_is_told() -> None:
    made = world(0)
    made.left = 1
    made.live()
    (execution,) = (each for each in made.stored.values() if each.caller is None)
    lost = {execution.id: replace(execution, state=State.RUNNING, ending=None, task_runs=HashTrieMap())}
    rest = Rest(made.flows.by_id, lost, Memory(), made.clock.now(), [], made.loop.runs)
    with pytest.raises(Broken, match="What has not ended waits for a person"):
        judge_rest(rest)
