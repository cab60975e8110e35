"""What is between executions is tested by bugs, too: every planted one is found within a bounded number of seeds."""

from __future__ import annotations

import pytest

from engine.runtime.places import Places
from tests.simulation.planted import Bug
from tests.simulation.planting import edited, planted
from tests.simulation.several.planted import BUGS
from tests.simulation.several.seeds import world

#: So many seeds are played at most.
SEEDS = 150


def found_by(bug: Bug, seeds: int = SEEDS) -> int | None:
    """The first seed whose story goes wrong while the bug is there."""
    with planted(bug.where, edited(bug.where, bug.old, bug.new)):
        for seed in (bug.seed, *range(seeds)):
            try:
                world(seed).live()
            except Exception:  # noqa: BLE001  # a broken sentence, or whatever the bug makes of the engine
                return seed
    return None


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.story)
def test_it_is_found(bug: Bug) -> None:
    assert found_by(bug) is not None


def test_without_a_bug_nothing_is_found() -> None:
    same = Bug("the same in other words", Places.admit, "limits is None or", "limits is None or False or")
    assert found_by(same, seeds=40) is None
