"""What a trigger is to start now: what is due, what was missed, and how much of that is made up for."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from engine.core.schedule import Agenda, agenda
from engine.model.conditions import Weekend
from tests.unit.schedule.test_timetable import DAY, FRIDAY, NOON, days, timetable

SATURDAY = FRIDAY + NOON
MINUTE = timedelta(minutes=1)


def ahead(
    now: datetime,
    *,
    since: datetime = FRIDAY,
    most: int = 100,
    otherwise: str = "ALL",
    cron: str = "@daily",
    **fields: Any,
) -> Agenda:
    return agenda(timetable(cron, **fields), SATURDAY, since=since, now=now, most=most, otherwise=otherwise)


def test_nothing_is_due_before_its_time() -> None:
    assert ahead(SATURDAY - timedelta(microseconds=1)) == Agenda(next_at=SATURDAY)


def test_a_date_is_due_at_its_very_instant() -> None:
    found = ahead(SATURDAY)
    assert [due.at for due in found.dates] == [SATURDAY]
    assert found.next_at == SATURDAY + DAY


@pytest.mark.parametrize(
    ("own", "instance", "expected"),
    [
        ("ALL", "NONE", ["01-03", "01-04", "01-05"]),
        ("LAST", "ALL", ["01-05"]),
        ("NONE", "ALL", []),
        (None, "LAST", ["01-05"]),
        (None, "NONE", []),
        (None, "ALL", ["01-03", "01-04", "01-05"]),
    ],
)
def test_dates_that_were_missed(own: str | None, instance: str, expected: list[str]) -> None:
    now = FRIDAY + 3 * DAY
    found = ahead(now, since=now, otherwise=instance, recover_missed_schedules=own)
    assert days(found.dates) == expected
    assert found.next_at == SATURDAY + 3 * DAY
    assert found.let_go is None


@pytest.mark.parametrize(("own", "expected"), [("ALL", "03 04 05 06"), ("LAST", "04 05 06"), ("NONE", "05 06")])
def test_what_came_due_while_it_was_watched_was_not_missed(own: str, expected: str) -> None:
    found = ahead(FRIDAY + 4 * DAY, since=SATURDAY + 2 * DAY, recover_missed_schedules=own)
    assert " ".join(day[-2:] for day in days(found.dates)) == expected


def test_no_more_than_so_many_are_made_up_for_however_long_it_was() -> None:
    now = FRIDAY + 3650 * DAY
    found = ahead(now, since=now, most=3, cron="* * * * *")
    assert [due.at for due in found.dates] == [now - 2 * MINUTE, now - MINUTE, now]
    assert found.let_go == "only the last 3 of the dates that were missed are made up for"


def test_dates_are_looked_for_among_a_bounded_number() -> None:
    now = SATURDAY + 365 * DAY  # a Sunday
    found = ahead(now - 2 * DAY, since=now, cron="* * * * *", conditions=(Weekend(type=Weekend.TYPES[0]),))
    assert len(found.dates) == 100
    assert found.let_go is not None


def test_what_is_too_late_is_let_go() -> None:
    found = ahead(SATURDAY + 2 * DAY + MINUTE, late_maximum_delay="PT10M")
    assert days(found.dates) == ["01-05"]
    assert found.let_go == "2 dates are longer ago than `lateMaximumDelay` allows"


def test_dates_that_do_not_satisfy_are_passed_over() -> None:
    found = ahead(FRIDAY + 5 * DAY, conditions=(Weekend(type=Weekend.TYPES[0]),))
    assert days(found.dates) == ["01-03", "01-04"]
    assert found.next_at == SATURDAY + 7 * DAY
