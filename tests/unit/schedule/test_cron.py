"""Cron expressions: what they mean on a clock, and what is said about those that mean nothing."""

from __future__ import annotations

from datetime import datetime
from itertools import islice

import pytest

from engine.model.cron import Cron

START = datetime(2026, 1, 1, 12, 30, 15)


def following(text: str, count: int = 3, *, with_seconds: bool = False) -> list[str]:
    cron = Cron.parse(text, with_seconds=with_seconds)
    return [f"{clock:%Y-%m-%d %H:%M:%S}" for clock in islice(cron.after(START), count)]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("*/20 * * * *", ["2026-01-01 12:40:00", "2026-01-01 13:00:00", "2026-01-01 13:20:00"]),
        ("5-7 0 * * *", ["2026-01-02 00:05:00", "2026-01-02 00:06:00", "2026-01-02 00:07:00"]),
        ("0 9 * * MON-FRI", ["2026-01-02 09:00:00", "2026-01-05 09:00:00", "2026-01-06 09:00:00"]),
        ("0 9 * * 0", ["2026-01-04 09:00:00", "2026-01-11 09:00:00", "2026-01-18 09:00:00"]),
        ("0 9 * * 7", ["2026-01-04 09:00:00", "2026-01-11 09:00:00", "2026-01-18 09:00:00"]),
        ("0 9 ? * sat-sun", ["2026-01-03 09:00:00", "2026-01-04 09:00:00", "2026-01-10 09:00:00"]),
        ("0 9 * * 5-0", ["2026-01-02 09:00:00", "2026-01-03 09:00:00", "2026-01-04 09:00:00"]),
        ("0 9 * * FRI#2", ["2026-01-09 09:00:00", "2026-02-13 09:00:00", "2026-03-13 09:00:00"]),
        ("0 9 * * 5L", ["2026-01-30 09:00:00", "2026-02-27 09:00:00", "2026-03-27 09:00:00"]),
        ("0 9 L * *", ["2026-01-31 09:00:00", "2026-02-28 09:00:00", "2026-03-31 09:00:00"]),
        ("0 0 29 FEB *", ["2028-02-29 00:00:00", "2032-02-29 00:00:00", "2036-02-29 00:00:00"]),
        ("0 0 13 * FRI", ["2026-01-02 00:00:00", "2026-01-09 00:00:00", "2026-01-13 00:00:00"]),
        ("@hourly", ["2026-01-01 13:00:00", "2026-01-01 14:00:00", "2026-01-01 15:00:00"]),
        ("@Daily", ["2026-01-02 00:00:00", "2026-01-03 00:00:00", "2026-01-04 00:00:00"]),
        ("@midnight", ["2026-01-02 00:00:00", "2026-01-03 00:00:00", "2026-01-04 00:00:00"]),
        ("@weekly", ["2026-01-04 00:00:00", "2026-01-11 00:00:00", "2026-01-18 00:00:00"]),
        ("@monthly", ["2026-02-01 00:00:00", "2026-03-01 00:00:00", "2026-04-01 00:00:00"]),
        ("@yearly", ["2027-01-01 00:00:00", "2028-01-01 00:00:00", "2029-01-01 00:00:00"]),
        ("@annually", ["2027-01-01 00:00:00", "2028-01-01 00:00:00", "2029-01-01 00:00:00"]),
    ],
)
def test_what_a_cron_means(text: str, first: list[str]) -> None:
    assert following(text) == first
    assert [
        f"{clock:%Y-%m-%d %H:%M:%S}" for clock in islice(Cron.parse(text).before(datetime.fromisoformat(first[2])), 2)
    ] == first[1::-1]


def test_seconds_come_first() -> None:
    assert following("*/20 * * * * *", with_seconds=True) == [
        "2026-01-01 12:30:20", "2026-01-01 12:30:40", "2026-01-01 12:31:00",
    ]  # fmt: skip
    assert following("@hourly", 1, with_seconds=True) == ["2026-01-01 13:00:00"]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("61 * * * *", ["`61` is no minute: 0 to 59"]),
        ("* 24 * * *", ["`24` is no hour: 0 to 23"]),
        ("* * 0 * *", ["`0` is no day of the month"]),
        ("* * * 13 *", ["`13` is no month"]),
        ("* * * * 8", ["`8` is no day of the week"]),
        ("* * * * MO", ["`MO` is no day of the week"]),
        ("*/0 * * * *", ["`*/0` is no minute"]),
        ("5-1 * * * *", ["`5-1` is no minute"]),
        ("60 25 * JANUARY *", ["`60` is no minute", "`25` is no hour", "`JANUARY` is no month"]),
        ("0 0 15W * *", ["`15W` is no day of the month"]),
        ("0 0 30 2 *", ["never comes: month 2 has no day 30"]),
        ("* * * *", ["has 4 fields; write 5: minute, hour, day of the month, month, day of the week"]),
        ("* * * * * *", ["has 6 fields", "set `withSeconds: true`"]),
        ("* * * * * * *", ["has 7 fields"]),
        ("", ["has 0 fields"]),
        ("@reboot", ["`@reboot` is no cron expression: the names are @yearly, "]),
    ],
)
def test_a_mistake_is_told_with_its_field(text: str, parts: list[str]) -> None:
    with pytest.raises(ValueError) as caught:
        Cron.parse(text)
    for part in parts:
        assert part in str(caught.value)


def test_with_seconds_needs_six_fields() -> None:
    with pytest.raises(ValueError, match="has 5 fields; write 6: second, minute"):
        Cron.parse("0 0 * * *", with_seconds=True)


@pytest.mark.parametrize(
    ("text", "ticks"),
    [("*/15 * * * *", True), ("0 */2 * * *", True), ("5 0-23 * * *", True), ("*/15 2 * * *", False), ("@daily", False)],
)
def test_hours_tell_a_rhythm_from_times_of_the_day(text: str, ticks: bool) -> None:
    assert Cron.parse(text).ticks is ticks


def test_it_ends_where_the_calendar_ends() -> None:
    assert list(Cron.parse("@yearly").after(datetime(9999, 6, 1))) == []
    assert list(Cron.parse("@yearly").before(datetime(1, 1, 1))) == []
