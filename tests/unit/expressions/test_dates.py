"""Java's date patterns, the presets, what can be read, and what is moved."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from engine.expressions import ExpressionError, Functions, render

WHEN = "'2024-05-06T07:08:09.120Z'"


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("yy y yyyy uuuu", "24 2024 2024 2024"),
        ("M MM MMM MMMM MMMMM L", "5 05 May May M 5"),
        ("d dd D DDD", "6 06 127 127"),
        ("E EEEE EEEEE e c", "Mon Monday M 2 2"),
        ("H HH h hh k K a", "7 07 7 07 7 7 AM"),
        ("m:s S SSS SSSSSSSSS n A", "8:9 1 120 120000000 120000000 25689120"),
        ("Q QQ QQQ QQQQ q", "2 02 Q2 2nd quarter 2"),
        ("Y w W", "2024 19 2"),
        ("G z VV O OOOO", "AD UTC UTC GMT GMT"),
        ("X XX XXX x xx xxx Z ZZZZ ZZZZZ", "Z Z Z +00 +0000 +00:00 +0000 GMT Z"),
        ("'it''s' ''", "it's '"),
        ("yyyy[-MM]", "2024-05"),
        ("iso", "2024-05-06T07:08:09.120000Z"),
        ("iso_milli", "2024-05-06T07:08:09.120Z"),
        ("sql_seq", "2024-05-06 07:08:09"),
        ("iso_date", "2024-05-06Z"),
        ("iso_local_date", "2024-05-06"),
        ("iso_time", "07:08:09.12Z"),
        ("iso_local_time", "07:08:09.12"),
        ("iso_offset_date_time", "2024-05-06T07:08:09.12Z"),
        ("iso_date_time", "2024-05-06T07:08:09.12Z[UTC]"),
        ("iso_ordinal_date", "2024-127Z"),
        ("iso_week_date", "2024-W19-1Z"),
        ("rfc_1123_date_time", "Mon, 6 May 2024 07:08:09 GMT"),
        ("full", "Monday, May 6, 2024 at 7:08:09 AM UTC"),
        ("long", "May 6, 2024 at 7:08:09 AM UTC"),
        ("medium", "May 6, 2024, 7:08:09 AM"),
        ("short", "5/6/24, 7:08 AM"),
    ],
)
def test_patterns(pattern: str, expected: str) -> None:
    template = "{{ " + WHEN + ' | date("' + pattern + '", timeZone="UTC") }}'
    assert render(template, {}) == expected


def test_the_week_of_new_year_is_american() -> None:
    days = ["2023-12-30", "2023-12-31", "2024-01-06", "2024-01-07", "2025-12-28"]
    found = [render(f"{{{{ '{day}' | date('Y-w') }}}}", {}) for day in days]
    assert found == ["2023-52", "2024-1", "2024-1", "2024-2", "2026-1"]


@pytest.mark.parametrize(
    ("text", "existing", "expected"),
    [
        ("31/01/2024 23:59", "dd/MM/yyyy HH:mm", "2024-01-31T23:59:00.000000Z"),
        ("20240131T235958", "yyyyMMdd'T'HHmmss", "2024-01-31T23:59:58.000000Z"),
        ("Jan 5, 2024 01:02 PM", "MMM d, yyyy hh:mm a", "2024-01-05T13:02:00.000000Z"),
        ("Monday 5 January 24", "EEEE d MMMM yy", "2024-01-05T00:00:00.000000Z"),
        ("2024-060", "yyyy-DDD", "2024-02-29T00:00:00.000000Z"),
        ("2024-01-31 10:00:00.123 +02:00", "yyyy-MM-dd HH:mm:ss.SSS XXX", "2024-01-31T08:00:00.123000Z"),
        ("2024-01-31 10:00 Europe/Paris", "yyyy-MM-dd HH:mm VV", "2024-01-31T09:00:00.000000Z"),
        ("Tue, 08 Feb 2022 19:38:26 GMT", "rfc_1123_date_time", "2022-02-08T19:38:26.000000Z"),
        ("2024-01-31T10:00:00+02:00[Europe/Helsinki]", "iso_zoned_date_time", "2024-01-31T08:00:00.000000Z"),
    ],
)
def test_reading(text: str, existing: str, expected: str) -> None:
    assert render("{{ t | date(existingFormat=f) }}", {"t": text, "f": existing}) == expected


@pytest.mark.parametrize(
    ("amount", "unit", "expected"),
    [
        (1, "MONTHS", "2024-02-29T10:00"),
        (-11, "months", "2023-02-28T10:00"),
        (60, "DAYS", "2024-03-31T10:00"),  # over the change to summer time, at the same hour
        (60 * 24, "HOURS", "2024-03-31T11:00"),
        (2, "CENTURIES", "2224-01-31T10:00"),
        (-1, "HALF_DAYS", "2024-01-30T22:00"),
        (90_000, "MILLIS", "2024-01-31T10:01"),
    ],
)
def test_moving(amount: int, unit: str, expected: str) -> None:
    context = {"when": datetime(2024, 1, 31, 10, tzinfo=ZoneInfo("Europe/Paris")), "amount": amount, "unit": unit}
    template = "{{ when | dateAdd(amount, unit, \"yyyy-MM-dd'T'HH:mm\", timeZone='Europe/Paris') }}"
    assert render(template, context) == expected


def test_what_counts_as_a_date() -> None:
    tokyo = Functions(zone=ZoneInfo("Asia/Tokyo"))
    pattern = "| date('yyyy-MM-dd HH:mm XXX')"
    assert render(f"{{{{ x {pattern} }}}}", {"x": date(2024, 5, 6)}, tokyo) == "2024-05-06 12:00 +09:00"
    assert render(f"{{{{ '2024-05-06' {pattern} }}}}", {}, tokyo) == "2024-05-06 00:00 +09:00"
    assert render(f"{{{{ '2024-05-06T00:00:00Z' {pattern} }}}}", {}, tokyo) == "2024-05-06 09:00 +09:00"
    assert render(f"{{{{ 0 {pattern} }}}}", {}, tokyo) == "1970-01-01 09:00 +09:00"
    assert render("{{ null | date }}{{ null | dateAdd(1, 'DAYS') }}{{ null | timestamp }}", {}) == ""


def test_the_calendar() -> None:
    context = {"friday": "2024-05-31", "d": datetime(2024, 5, 30, tzinfo=UTC)}
    template = (
        "{{ isLastWorkingDay(friday) }} {{ isLastWorkingDay(d) }} {{ isLastWorkingDay(d, 'MONDAY,THURSDAY') }} "
        "{{ isDayWeekInMonth(friday, 'FRIDAY', 'LAST') }} {{ isDayWeekInMonth(friday, 'FRIDAY', 'FIRST') }}"
    )
    assert render(template, context) == "true false true true false"


@pytest.mark.parametrize(
    "template",
    [
        "{{ 'x' | date }}",
        "{{ '2024-13-01' | date }}",
        "{{ true | date }}",
        "{{ '2024-01-01' | date('b') }}",
        "{{ '2024-01-01' | date('yyyy', timeZone='Mars/Base') }}",
        "{{ '2024-01-01' | date('MMMM', locale='fr') }}",
        "{{ '2024-01-01' | dateAdd(1, 'FORTNIGHTS') }}",
        "{{ '2024-01-01' | dateAdd(100, 'CENTURIES') }}",
        "{{ '31.02.2024' | date(existingFormat='dd.MM.yyyy') }}",
        "{{ '1.2' | date(existingFormat='d.M.yyyy') }}",
        "{{ isDateBetween('2024-01-01', '2023-01-01', '2025-01-01') }}",
        "{{ isDayWeekInMonth('2024-01-01', 'MONDAY', 'FIFTH') }}",
    ],
)
def test_bad_dates_are_expression_errors(template: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        render(template, {})
    assert caught.value.offset is not None
