"""Durations as flows write them: ISO-8601 with days, hours, minutes and seconds (`PT1M30S`, `P1DT2H`).

Months and years have no fixed length and are refused, as in Kestra.
"""

from __future__ import annotations

import re
from datetime import timedelta

_NUMBER = r"([-+]?\d+)"
_DURATION = re.compile(
    rf"([-+]?)P(?:{_NUMBER}W)?(?:{_NUMBER}D)?(?:T(?=[-+\d.])(?:{_NUMBER}H)?(?:{_NUMBER}M)?(?:([-+]?\d*[.,]?\d+)S)?)?",
    re.IGNORECASE,
)


def parse_duration(text: str) -> timedelta:
    """The length of an ISO-8601 duration. Raises ValueError with a message for people."""
    match = _DURATION.fullmatch(text.strip())
    if match is None or not any(match.groups()[1:]):
        raise ValueError(f"`{text}` is not an ISO-8601 duration such as PT30S, PT5M or P1DT12H")
    sign, weeks, days, hours, minutes, seconds = match.groups()
    try:
        length = timedelta(
            weeks=int(weeks or 0),
            days=int(days or 0),
            hours=int(hours or 0),
            minutes=int(minutes or 0),
            seconds=float((seconds or "0").replace(",", ".")),
        )
    except OverflowError:
        raise ValueError(f"`{text}` is longer than a duration can be") from None
    return -length if sign == "-" else length


def format_duration(length: timedelta) -> str:
    """A duration in ISO-8601: `PT1H2M3.5S`, `PT0S`."""
    seconds = length.total_seconds()
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    text = f"{rest:.6f}".rstrip("0").rstrip(".")
    parts = [f"{hours:.0f}H" if hours else "", f"{minutes:.0f}M" if minutes else "", f"{text}S" if text != "0" else ""]
    return f"{sign}PT{''.join(parts) or '0S'}"
