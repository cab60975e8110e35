"""Rows 23 and 24: the clock of the wall jumps; clocks are set twice a year."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import available_timezones

from bench.schedule_oracle import CRONS, compare
from bench.trust.matrix import Result, passed, require, row
from bench.trust.world import World


@row(
    23,
    "The clock of the wall jumps: -1 h, +1 h, +10 years, 1970, 2200",
    "no double fire; catching up is capped",
)
def row_23(world: World) -> Result:
    """The clock of the machine belongs to others, so the scheduler is given clocks that tests move."""
    proven = world.tests(
        "tests/unit/runtime/test_watched.py",
        "tests/unit/schedule/test_timetable.py",
        "tests/unit/runtime/test_scheduler.py",
        select="clock or missed or let_go or bounded or later or year or back",
    )
    return passed(f"with clocks that tests move, not with the machine's own: {proven}")


@row(
    24,
    "Clocks are set: all zones, 40 crons, both changes of a year",
    "as the written policy says; strictly rising; it ends",
)
def row_24(world: World) -> Result:
    zones, year = sorted(available_timezones()), datetime.now(UTC).year
    number, wrong = compare(zones, CRONS, year)
    require(not wrong, f"{len(wrong)} differences, the first: {wrong[:3]}")
    return passed(f"{len(zones)} zones, {len(CRONS)} crons, {number:,} comparisons each way in {year}, no difference")
