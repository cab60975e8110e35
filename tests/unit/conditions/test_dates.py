"""Conditions about dates: at, before and after their bounds, in every zone and every month."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from engine.core.conditions import holds
from engine.errors import ExpressionError, UsageError
from engine.expressions import Functions
from tests.unit.conditions.asking import at, condition, subject

PARIS = ZoneInfo("Europe/Paris")
MAY, JUNE = "2024-05-01T00:00:00Z", "2024-06-01T00:00:00Z"


@pytest.mark.parametrize(
    ("bounds", "moment", "answer"),
    [
        ({"after": MAY, "before": JUNE}, "2024-05-15T12:00:00Z", True),
        ({"after": MAY, "before": JUNE}, MAY, False),
        ({"after": MAY, "before": JUNE}, "2024-05-01T00:00:00.000001Z", True),
        ({"after": MAY, "before": JUNE}, JUNE, False),
        ({"after": MAY, "before": JUNE}, "2024-05-31T23:59:59.999999Z", True),
        ({"after": MAY}, "2024-06-15T12:00:00Z", True),
        ({"after": MAY}, "2024-04-15T12:00:00Z", False),
        ({"before": JUNE}, "2024-04-15T12:00:00Z", True),
        ({"before": JUNE}, "2024-06-15T12:00:00Z", False),
        ({"after": MAY}, "2024-05-01T01:00:00+02:00", False),
        ({"after": "2024-05-01T00:00:00+02:00"}, "2024-04-30T22:00:01Z", True),
        ({"after": "2024-05-01T00:00:00+02:00[Europe/Paris]"}, "2024-04-30T22:00:00Z", False),
        ({"after": "{{ trigger.date | dateAdd(-1, 'DAYS') }}"}, MAY, True),
        ({"after": MAY, "date": "2030-01-01T00:00:00Z"}, "2024-04-01T00:00:00Z", True),
    ],
)
def test_bounds_of_a_moment_are_exclusive(bounds: dict[str, str], moment: str, answer: bool) -> None:
    assert at(moment, condition("DateTimeBetween", **bounds)) is answer


def test_a_bound_without_an_offset_is_in_the_zone_of_whoever_asks() -> None:
    asked = condition("DateTimeBetween", after="2024-05-01T00:00:00")
    assert at("2024-04-30T22:30:00Z", asked, PARIS) is True
    assert at("2024-04-30T22:30:00Z", asked, UTC) is False


def test_the_hour_that_comes_twice_in_autumn_is_two_hours() -> None:
    first = datetime(2024, 10, 27, 2, 30, tzinfo=PARIS)
    second = first.replace(fold=1)
    after_first = condition("DateTimeBetween", after="{{ trigger.first }}")
    context = {"trigger": {"date": second, "first": first}}
    assert holds(after_first, subject(context)) is True
    assert holds(after_first, subject({"trigger": {"date": first, "first": second}})) is False


@pytest.mark.parametrize(
    ("bounds", "moment", "answer"),
    [
        ({"after": "08:00:00Z", "before": "17:00:00Z"}, "2024-05-06T12:00:00Z", True),
        ({"after": "08:00:00Z", "before": "17:00:00Z"}, "2024-05-06T08:00:00Z", False),
        ({"after": "08:00:00Z", "before": "17:00:00Z"}, "2024-05-06T17:00:00Z", False),
        ({"after": "08:00:00Z", "before": "17:00:00Z"}, "2024-05-06T16:59:59.999999Z", True),
        ({"after": "08:00:00Z"}, "2024-05-06T23:59:59Z", True),
        ({"before": "08:00:00Z"}, "2024-05-06T00:00:00Z", True),
        ({"after": "16:00:00+02:00"}, "2024-05-06T14:00:01Z", True),
        ({"after": "16:00:00+02:00"}, "2024-05-06T14:00:00Z", False),
        ({"after": "22:00:00Z"}, "2024-05-07T01:00:00+02:00", True),  # 23:00 on the clock of the bound
        ({"before": "06:00:00+02:00"}, "2024-05-06T23:00:00Z", True),  # 01:00 on the clock of the bound
        ({"after": "08:00"}, "2024-05-06T08:30:00Z", True),
        ({"after": "{{ '08:00:00Z' }}"}, "2024-05-06T07:30:00Z", False),
    ],
)
def test_bounds_of_a_time_of_day_are_exclusive_and_on_their_own_clock(
    bounds: dict[str, str], moment: str, answer: bool
) -> None:
    assert at(moment, condition("TimeBetween", **bounds)) is answer


def test_a_time_of_day_without_an_offset_follows_the_summer_time_of_the_zone() -> None:
    asked = condition("TimeBetween", after="08:00:00")
    assert at("2024-01-15T07:30:00Z", asked, PARIS) is True
    assert at("2024-01-15T06:30:00Z", asked, PARIS) is False
    assert at("2024-07-15T06:30:00Z", asked, PARIS) is True


@pytest.mark.parametrize(
    ("moment", "day", "answer"),
    [
        ("2024-05-06", "MONDAY", True),
        ("2024-05-06", "TUESDAY", False),
        ("2024-05-05T23:59:59Z", "SUNDAY", True),
        ("2024-05-06T23:30:00-04:00", "MONDAY", True),  # it is Tuesday in UTC
        ("2024-02-29T12:00:00Z", "THURSDAY", True),
        ("2024-05-06T07:08:09Z", "{{ 'monday' }}", True),
    ],
)
def test_the_day_of_the_week_is_the_one_where_the_date_is(moment: str, day: str, answer: bool) -> None:
    assert at(moment, condition("DayWeek", dayOfWeek=day)) is answer


def test_a_date_that_is_a_date_already_keeps_its_zone() -> None:
    monday = datetime(2024, 5, 6, 0, 30, tzinfo=PARIS)
    assert at(monday, condition("DayWeek", dayOfWeek="MONDAY")) is True
    assert at(monday.astimezone(UTC), condition("DayWeek", dayOfWeek="MONDAY")) is False


def in_month(day: str, place: str) -> list[int]:
    """The days of February 2024, a leap year that starts on a Thursday, for which the condition holds."""
    asked = condition("DayWeekInMonth", dayOfWeek=day, dayInMonth=place)
    return [number for number in range(1, 30) if at(f"2024-02-{number:02}", asked)]


@pytest.mark.parametrize(
    ("day", "place", "days"),
    [
        ("THURSDAY", "FIRST", [1]),
        ("THURSDAY", "SECOND", [8]),
        ("THURSDAY", "THIRD", [15]),
        ("THURSDAY", "FOURTH", [22]),
        ("THURSDAY", "LAST", [29]),  # there are five
        ("WEDNESDAY", "FIRST", [7]),
        ("WEDNESDAY", "FOURTH", [28]),
        ("WEDNESDAY", "LAST", [28]),
        ("{{ 'FRIDAY' }}", "{{ 'LAST' }}", [23]),
    ],
)
def test_the_place_of_a_weekday_in_its_month(day: str, place: str, days: list[int]) -> None:
    assert in_month(day, place) == days


@pytest.mark.parametrize(
    ("moment", "answer"),
    [
        ("2024-05-03T23:59:59Z", False),
        ("2024-05-04T00:00:00Z", True),
        ("2024-05-05T23:59:59Z", True),
        ("2024-05-06T00:00:00Z", False),
        ("2024-05-04T00:30:00+02:00", True),  # it is still Friday in UTC
    ],
)
def test_the_weekend_is_saturday_and_sunday(moment: str, answer: bool) -> None:
    assert at(moment, condition("Weekend")) is answer


def test_public_holidays_are_asked_for_with_what_is_rendered() -> None:
    asked: list[tuple[Any, ...]] = []

    def is_public_holiday(*arguments: Any) -> bool:
        asked.append(arguments)
        return arguments[0] == date(2024, 7, 14)

    context = {"trigger": {"date": "2024-07-14T00:30:00+02:00"}, "vars": {"land": "FR"}}
    world = subject(context, functions=Functions(is_public_holiday=is_public_holiday))
    assert holds(condition("PublicHoliday", country="{{ vars.land }}"), world) is True
    assert holds(condition("PublicHoliday", date="2024-07-15", country="DE", subDivision="BY"), world) is False
    assert asked == [(date(2024, 7, 14), "FR", None), (date(2024, 7, 15), "DE", "BY")]


def test_a_calendar_that_is_missing_or_refuses_is_an_error_of_the_expression() -> None:
    context = {"trigger": {"date": "2024-07-14"}}
    with pytest.raises(ExpressionError, match="not available here") as missing:
        holds(condition("PublicHoliday", country="FR"), subject(context))
    assert missing.value.code == "function-unavailable"

    def refuse(*_: Any) -> bool:
        raise UsageError("there is no country XX", hint="use FR")

    with pytest.raises(ExpressionError, match="no country XX") as refused:
        holds(condition("PublicHoliday", country="XX"), subject(context, functions=Functions(is_public_holiday=refuse)))
    assert refused.value.hint == "use FR"


@pytest.mark.parametrize(
    ("name", "properties", "moment", "reason"),
    [
        ("DateTimeBetween", {}, MAY, "DateTimeBetween has neither `after` nor `before`"),
        ("TimeBetween", {}, MAY, "TimeBetween has neither `after` nor `before`"),
        ("DateTimeBetween", {"after": "soon"}, MAY, "Unable to read `soon` as a date"),
        ("TimeBetween", {"after": "25:00"}, MAY, "Unable to read `25:00` as a time of day"),
        ("Weekend", {}, "whenever", "Unable to read `whenever` as a date"),
        ("Weekend", {"date": "{{ trigger.day }}"}, MAY, "Unable to find `trigger.day`"),
        ("DayWeek", {"dayOfWeek": "{{ 'SOMEDAY' }}"}, MAY, "`SOMEDAY`"),
        ("TimeBetween", {"after": "08:00:00-23:00"}, "0001-01-01T00:00:00Z", "outside the years 1 to 9999"),
        ("DateTimeBetween", {"after": MAY}, "9999-12-31T23:00:00-10:00", "outside the years 1 to 9999"),
    ],
)
def test_what_cannot_be_judged_is_an_error_with_its_reason(
    name: str, properties: dict[str, str], moment: str, reason: str
) -> None:
    with pytest.raises(ExpressionError) as caught:
        at(moment, condition(name, **properties))
    assert reason in caught.value.message


def test_the_last_day_that_there_is_can_be_judged() -> None:
    day = datetime(9999, 12, 31, tzinfo=UTC)
    assert at(day, condition("DayWeekInMonth", dayOfWeek="FRIDAY", dayInMonth="LAST")) is True
    assert at(day - timedelta(days=7), condition("DayWeekInMonth", dayOfWeek="FRIDAY", dayInMonth="LAST")) is False
