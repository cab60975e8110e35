"""Windows of time: at their edges, where clocks are set, and as a whole."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.core.triggering import Span, span_at
from engine.model.conditions import TimeWindow
from engine.model.triggers import Window

INSTANT = timedelta(microseconds=1)
DAY = timedelta(days=1)
PARIS, NEW_YORK, TOKYO = ZoneInfo("Europe/Paris"), ZoneInfo("America/New_York"), ZoneInfo("Asia/Tokyo")


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def older(**written: str) -> TimeWindow:
    return TimeWindow.model_validate(written)


def newer(**written: str) -> Window:
    return Window.model_validate({name.rstrip("_"): value for name, value in written.items()})


#: (the window, an instant, where it begins and ends)
SPANS = [
    (None, "2026-05-06T07:08:09+00:00", "2026-05-06T00:00Z", "2026-05-07T00:00Z"),
    (older(), "2026-05-06T23:59:59.999999+00:00", "2026-05-06T00:00Z", "2026-05-07T00:00Z"),
    (older(window="PT6H"), "2026-05-06T05:59:59+00:00", "2026-05-06T00:00Z", "2026-05-06T06:00Z"),
    (older(window="PT6H"), "2026-05-06T06:00:00+00:00", "2026-05-06T06:00Z", "2026-05-06T12:00Z"),
    (older(window="PT12H", windowAdvance="PT6H"), "2026-05-06T05:00Z", "2026-05-05T18:00Z", "2026-05-06T06:00Z"),
    (older(window="P7D"), "2026-05-06T05:00Z", "2026-05-04T00:00Z", "2026-05-11T00:00Z"),
    (older(window="P1D", windowAdvance="PT0S"), "2026-05-06T05:00Z", "2026-05-06T00:00Z", "2026-05-07T00:00Z"),
    (
        older(type="SLIDING_WINDOW", window="PT1H"),
        "2026-05-06T05:00Z",
        "2026-05-06T04:00Z",
        "2026-05-06T05:00:00.000001Z",
    ),
    (
        older(type="DAILY_TIME_DEADLINE", deadline="09:00"),
        "2026-05-06T00:00Z",
        "2026-05-06T00:00Z",
        "2026-05-06T09:00Z",
    ),
    (older(type="DAILY_TIME_DEADLINE", deadline="09:00"), "2026-05-06T09:00Z", None, None),
    (
        older(type="DAILY_TIME_DEADLINE", deadline="09:00:00+02:00"),
        "2026-05-05T22:00Z",
        "2026-05-05T22:00Z",
        "2026-05-06T07:00Z",
    ),
    (
        older(type="DAILY_TIME_DEADLINE", deadline="00:00"),
        "2026-05-06T23:00Z",
        "2026-05-06T00:00Z",
        "2026-05-07T00:00Z",
    ),
    (
        older(type="DAILY_TIME_WINDOW", startTime="08:00", endTime="10:00"),
        "2026-05-06T08:00Z",
        "2026-05-06T08:00Z",
        "2026-05-06T10:00Z",
    ),
    (older(type="DAILY_TIME_WINDOW", startTime="08:00", endTime="10:00"), "2026-05-06T07:59:59.999999Z", None, None),
    (older(type="DAILY_TIME_WINDOW", startTime="08:00", endTime="10:00"), "2026-05-06T10:00Z", None, None),
    (
        older(type="DAILY_TIME_WINDOW", startTime="22:00", endTime="02:00"),
        "2026-05-06T01:59:59Z",
        "2026-05-05T22:00Z",
        "2026-05-06T02:00Z",
    ),
    (
        older(type="DAILY_TIME_WINDOW", startTime="08:00:00+02:00", endTime="08:00:00Z"),
        "2026-05-06T07:00Z",
        "2026-05-06T06:00Z",
        "2026-05-06T08:00Z",
    ),
    (newer(), "2026-05-06T05:00Z", "2026-05-06T00:00Z", "2026-05-07T00:00Z"),
    (newer(timezone="Asia/Tokyo"), "2026-05-06T15:00Z", "2026-05-06T15:00Z", "2026-05-07T15:00Z"),
    (newer(every="P1D", offset="PT6H"), "2026-05-06T05:59Z", "2026-05-05T06:00Z", "2026-05-06T06:00Z"),
    (newer(offset="PT6H"), "2026-05-06T06:00Z", "2026-05-06T06:00Z", "2026-05-07T06:00Z"),
    (
        newer(lookback="PT30M", timezone="Asia/Tokyo"),
        "2026-05-06T05:00Z",
        "2026-05-06T04:30Z",
        "2026-05-06T05:00:00.000001Z",
    ),
    (
        newer(deadline="09:00:00", timezone="Europe/Paris"),
        "2026-05-06T06:59:59Z",
        "2026-05-05T22:00Z",
        "2026-05-06T07:00Z",
    ),
    (newer(deadline="09:00:00", timezone="Europe/Paris"), "2026-05-06T07:00Z", None, None),
    (
        newer(from_="08:00", to="10:00", timezone="Asia/Tokyo"),
        "2026-05-05T23:00Z",
        "2026-05-05T23:00Z",
        "2026-05-06T01:00Z",
    ),
    (older(window="PT0S"), "2026-05-06T05:00Z", None, None),
]


@pytest.mark.parametrize(("window", "at", "start", "end"), SPANS)
def test_the_window_of_an_instant(
    window: TimeWindow | Window | None, at: str, start: str | None, end: str | None
) -> None:
    found = span_at(window, moment(at), UTC)
    assert found == (None if start is None or end is None else Span(moment(start), moment(end)))


def test_a_window_without_a_zone_is_on_the_clocks_of_whoever_asks() -> None:
    at = moment("2026-05-06T16:00Z")
    assert span_at(older(), at, TOKYO) == Span(moment("2026-05-06T15:00Z"), moment("2026-05-07T15:00Z"))
    assert span_at(newer(timezone="UTC"), at, TOKYO) == Span(moment("2026-05-06T00:00Z"), moment("2026-05-07T00:00Z"))


def test_a_day_is_as_long_as_clocks_make_it() -> None:
    short = span_at(newer(timezone="America/New_York"), moment("2026-03-08T12:00Z"), UTC)
    long = span_at(newer(timezone="America/New_York"), moment("2026-11-01T12:00Z"), UTC)
    assert short is not None
    assert long is not None
    assert (short.end - short.start, long.end - long.start) == (timedelta(hours=23), timedelta(hours=25))


#: (the window, what clocks of New York show, where the window begins and ends): on 8 March 2026 they are set from 2:00
#: to 3:00, on 1 November from 2:00 back to 1:00.
CHANGES = [
    (newer(deadline="02:30"), "2026-03-08T01:59:59-05:00", "2026-03-08T00:00-05:00", "2026-03-08T03:00-04:00"),
    (newer(deadline="02:30"), "2026-03-08T03:00:00-04:00", None, None),
    (newer(from_="02:30", to="04:00"), "2026-03-08T03:00-04:00", "2026-03-08T03:00-04:00", "2026-03-08T04:00-04:00"),
    (newer(from_="02:10", to="02:50"), "2026-03-08T03:00-04:00", None, None),
    (newer(every="PT30M"), "2026-03-08T03:00-04:00", "2026-03-08T03:00-04:00", "2026-03-08T03:30-04:00"),
    (newer(deadline="01:30"), "2026-11-01T01:29:59-04:00", "2026-11-01T00:00-04:00", "2026-11-01T01:30-04:00"),
    (newer(deadline="01:30"), "2026-11-01T01:10-05:00", None, None),
    (newer(from_="01:00", to="02:00"), "2026-11-01T01:59-05:00", "2026-11-01T01:00-04:00", "2026-11-01T02:00-05:00"),
    (newer(every="PT1H"), "2026-11-01T01:30-05:00", "2026-11-01T01:00-04:00", "2026-11-01T02:00-05:00"),
    (newer(every="PT15M"), "2026-11-01T01:20-04:00", "2026-11-01T01:15-04:00", "2026-11-01T01:30-04:00"),
    (newer(every="PT15M"), "2026-11-01T01:20-05:00", "2026-11-01T01:45-04:00", "2026-11-01T02:00-05:00"),
    (newer(lookback="PT1H"), "2026-11-01T01:20-05:00", "2026-11-01T01:20-04:00", "2026-11-01T01:20:00.000001-05:00"),
]


@pytest.mark.parametrize(("window", "at", "start", "end"), CHANGES)
def test_where_clocks_are_set(window: Window, at: str, start: str | None, end: str | None) -> None:
    found = span_at(window, moment(at), NEW_YORK)
    assert found == (None if start is None or end is None else Span(moment(start), moment(end)))


def test_a_day_that_a_zone_leaves_out_has_no_window() -> None:
    apia = ZoneInfo("Pacific/Apia")  # where 30 December 2011 was left out
    window = newer(from_="09:00", to="10:00")
    assert span_at(window, moment("2011-12-31T00:00+14:00"), apia) is None
    assert span_at(window, moment("2011-12-31T09:00+14:00"), apia) is not None


ZONES = [
    UTC,
    PARIS,
    NEW_YORK,
    TOKYO,
    ZoneInfo("Australia/Lord_Howe"),
    ZoneInfo("America/St_Johns"),
    ZoneInfo("Pacific/Apia"),
]
INSTANTS = st.datetimes(datetime(1990, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))
TURNS = ["PT1M", "PT15M", "PT7H", "PT12H", "P1D", "P2D", "P7D", "PT36H"]


@given(
    at=INSTANTS,
    every=st.sampled_from(TURNS),
    offset=st.sampled_from(["PT0S", "PT6H", "P3D"]),
    zone=st.sampled_from(ZONES),
)
@example(at=datetime(2006, 10, 29, 2, 45, tzinfo=UTC), every="PT15M", offset="PT0S", zone=ZoneInfo("America/St_Johns"))
@example(at=datetime(2011, 12, 30, 10, tzinfo=UTC), every="P1D", offset="PT6H", zone=ZoneInfo("Pacific/Apia"))
def test_windows_in_turns_lie_end_to_end(at: datetime, every: str, offset: str, zone: ZoneInfo) -> None:
    window = newer(every=every, offset=offset)
    found = span_at(window, at, zone)
    assert found is not None
    assert at in found
    assert span_at(window, found.start, zone) == span_at(window, found.end - INSTANT, zone) == found
    after = span_at(window, found.end, zone)
    assert after is not None
    assert after.start == found.end


@given(at=INSTANTS, start=st.times(), end=st.times(), zone=st.sampled_from(ZONES))
def test_a_window_of_the_day_is_the_same_for_all_that_is_in_it(
    at: datetime, start: object, end: object, zone: ZoneInfo
) -> None:
    window = newer(from_=str(start), to=str(end))
    found = span_at(window, at, zone)
    if found is not None:
        assert at in found
        assert timedelta(0) < found.end - found.start <= timedelta(hours=25)
        assert span_at(window, found.start, zone) == span_at(window, found.end - INSTANT, zone) == found


@given(at=INSTANTS, later=st.timedeltas(timedelta(0), timedelta(days=3)))
def test_what_is_in_the_window_of_a_later_instant_is_not_longer_ago(at: datetime, later: timedelta) -> None:
    found = span_at(newer(lookback="P1D"), at + later, UTC)
    assert found is not None
    assert (at in found) == (later <= DAY)
