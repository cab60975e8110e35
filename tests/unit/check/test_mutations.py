"""Slips of the pen in the flows of this project are found; the bench tells it of all of them."""

from __future__ import annotations

from bench.mutations import sources, survey


def test_every_slip_in_the_examples_and_golden_cases_is_reported_where_it_is() -> None:
    told = survey(sources())
    assert told.errors == {}
    assert told.missed == []
    assert told.reported.total() > 150
    assert told.edits > 0.8 * told.reported.total()
    assert told.unknown < 0.05 * told.reported.total()
