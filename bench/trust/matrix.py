"""The rows of the fault matrix: which there are, what each does, and what may come of one.

Always true: once `bench.trust.rows` is imported there is one function for each number from 1 to 46.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from bench.trust.world import World

NUMBERS = range(1, 47)


class Outcome(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    NOT_BUILT = "not built"  #: a part of what the row is about does not exist yet; `detail` says which
    NOT_POSSIBLE = "not possible here"  #: this machine lacks what the harm is done with


class Result(Struct, frozen=True, kw_only=True):
    """What came of one row. `seed` makes the same chances come again."""

    outcome: Outcome
    detail: str
    seed: int = 0


class Broken(Exception):
    """A promise was not kept."""


class Row(Struct, frozen=True, kw_only=True):
    number: int
    fault: str
    expected: str
    play: Callable[[World], Result]
    databases: tuple[str, ...]  #: the kinds that it is played on


ROWS: dict[int, Row] = {}

Play = Callable[["World"], Result]
SQLITE, POSTGRES = ("sqlite",), ("postgresql",)
BOTH = SQLITE + POSTGRES


def row(number: int, fault: str, expected: str, *, on: tuple[str, ...] = SQLITE) -> Callable[[Play], Play]:
    """Make a function the row of this number."""

    def registered(play: Play) -> Play:
        assert number in NUMBERS, number
        assert number not in ROWS, f"row {number} is there already"
        ROWS[number] = Row(number=number, fault=fault, expected=expected, play=play, databases=on)
        return play

    return registered


def passed(detail: str) -> Result:
    return Result(outcome=Outcome.PASSED, detail=detail)


def not_built(detail: str) -> Result:
    return Result(outcome=Outcome.NOT_BUILT, detail=detail)


def not_possible(detail: str) -> Result:
    return Result(outcome=Outcome.NOT_POSSIBLE, detail=detail)


def require(condition: object, words: str) -> None:
    """What must hold. `words` say what is wrong where it does not."""
    if not condition:
        raise Broken(words)
