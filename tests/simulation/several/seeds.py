"""One seed, one story: which flows, in what kind of world. `python -m tests.simulation.several.seeds 42` tells it."""

from __future__ import annotations

import random
import sys
import traceback

from tests.simulation.seeds import short
from tests.simulation.several.flows import Maker
from tests.simulation.several.world import Temper, World, told

#: What worlds are like. A calm one breaks sentences that a wild one must excuse.
TEMPERS = (
    Temper(begun=4),
    Temper(crash=0.08),
    Temper(requests=12),
    Temper(crash=0.05, requests=8, slow=0.3),
    Temper(poison=0.04, requests=8),
    Temper(crash=0.03, poison=0.03, requests=4),
    Temper(begun=5, requests=6, slow=0.5),
)


def world(seed: int) -> World:
    return World(Maker(seed).flows(), random.Random(seed), TEMPERS[seed % len(TEMPERS)])


def play(seed: int) -> World:
    """Live one seed to its end. Raises AssertionError that tells all there is to know."""
    made = world(seed)
    try:
        made.live()
    except Exception as error:
        raise AssertionError(story(seed, made, error)) from error
    return made


def story(seed: int, made: World, error: Exception | None) -> str:
    """The flows, what happened, how all stands, and what is wrong."""
    flows = [
        flow.model_dump(mode="json", by_alias=True, exclude_defaults=True, serialize_as_any=True)
        for flow in made.flows.by_id.values()
    ]
    wrong = "".join(traceback.format_exception(error)) if error is not None else "nothing"
    parts = (
        f"seed {seed}; `python -m tests.simulation.several.seeds {seed}` tells it again",
        *(f"flow: {short(flow)}" for flow in flows),
        "what happened:\n  " + "\n  ".join(made.story),
        "how it stands:\n  " + "\n  ".join(told(each) for each in made.stored.values()),
        "wrong: " + wrong,
    )
    return "\n".join(parts)


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
