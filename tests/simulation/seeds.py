"""One seed, one story: which flow, in what kind of world. `python -m tests.simulation.seeds 42` tells one in full."""

from __future__ import annotations

import json
import random
import re
import sys
import traceback

from tests.simulation.answers import Temper
from tests.simulation.random_flows import FlowMaker
from tests.simulation.world import World

#: What worlds are like. A calm one breaks sentences that a wild one must excuse.
TEMPERS = (
    Temper(repeat=0.1),
    Temper(crash=0.1, kill=0.02, repeat=0.1, failures=0.1),
    Temper(kill=0.03, repeat=0.1),
    Temper(requests=8, repeat=0.05),
    Temper(crash=0.15, kill=0.08, requests=4, repeat=0.05, failures=0.35, effects=0.2),
    Temper(failures=0.02),
    Temper(crash=0.1, kill=0.03, requests=8, failures=0.1, effects=0.3),
    Temper(repeat=0.1, kill=0.05, failures=0.35, effects=0.2),
)


def world(seed: int) -> World:
    return World(FlowMaker(seed).flow(), random.Random(seed), TEMPERS[seed % len(TEMPERS)])


def play(seed: int) -> World:
    """Live one seed to its end. Raises AssertionError that tells all there is to know."""
    made = world(seed)
    try:
        made.live()
    except Exception as error:
        raise AssertionError(story(seed, made, error)) from error
    return made


def story(seed: int, made: World, error: Exception | None) -> str:
    """The flow, the script of events, how it stands, and what is wrong."""
    flow = made.flow.model_dump(mode="json", by_alias=True, exclude_defaults=True, serialize_as_any=True)
    runs = []
    for run in made.execution.in_order():
        name = run.task_id + (f"[{run.value}]" if run.value is not None else "")
        states = " ".join(entry.state for entry in run.history)
        runs.append(f"  {run.id} {name} in {run.parent_id or 'the flow'}: {states}")
    wrong = "".join(traceback.format_exception_only(error)) if error is not None else "nothing"
    states = " ".join(entry.state for entry in made.execution.history)
    parts = (
        f"seed {seed}; `python -m tests.simulation.seeds {seed}` tells it again",
        "flow: " + short(flow),
        "events:\n  " + "\n  ".join(made.story),
        f"task runs before the last event (the execution: {states}):\n" + "\n".join(runs),
        "wrong: " + wrong,
    )
    return "\n".join(parts)


def short(flow: object) -> str:
    """A flow on few lines: lists of plain values on one."""
    text = json.dumps(flow, indent=1)
    return re.sub(r"\{\s*(\"id\"[^{}]*?)\s*\}", lambda found: "{" + re.sub(r"\s*\n\s*", " ", found[1]) + "}", text)


def tell(seed: int) -> str:
    """The story of a seed, whether it ends well or not."""
    made = world(seed)
    try:
        made.live()
    except Exception as error:  # noqa: BLE001  # a story with a bug is what is asked for
        return story(seed, made, error)
    return story(seed, made, None)


if __name__ == "__main__":
    sys.stdout.writelines(f"{tell(int(seed))}\n" for seed in sys.argv[1:])
