"""The simulator is tested, too: it must find every planted bug within a bounded number of seeds."""

from __future__ import annotations

import pytest

from engine.core import ledger
from tests.simulation.planted import BUGS, Bug
from tests.simulation.planting import edited, planted
from tests.simulation.seeds import world

#: So many seeds are played at most. Most bugs are found within twenty.
SEEDS = 300


def found_by(bug: Bug) -> int | None:
    """The first seed whose story goes wrong while the bug is there."""
    with planted(bug.where, edited(bug.where, bug.old, bug.new)):
        for seed in (bug.seed, *range(SEEDS)):
            try:
                world(seed).live()
            except Exception:  # noqa: BLE001  # a broken sentence, or whatever the bug makes of the core
                return seed
    return None


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.story)
def test_it_is_found(bug: Bug) -> None:
    assert found_by(bug) is not None


def test_without_a_bug_nothing_is_found() -> None:
    assert found_by(Bug("the same in other words", ledger.main_state, "if tally.live:", "if tally.live > 0:")) is None


def test_what_is_planted_is_taken_out_again() -> None:
    codes = {bug.where: bug.where.__code__ for bug in BUGS}
    found_by(BUGS[0])
    assert {bug.where: bug.where.__code__ for bug in BUGS} == codes
