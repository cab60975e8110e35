"""Cron expressions as flows write them: five fields, or six with seconds first, and names such as `@daily`.

A cron speaks of what clocks show; which instants those are in a time zone is `engine.core.schedule`'s business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import Self

from msgspec import Struct

_NAMED = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
#: The name of each field, and what may stand in it.
_FIELDS = (
    ("second", "0 to 59"),
    ("minute", "0 to 59"),
    ("hour", "0 to 23"),
    ("day of the month", "1 to 31, or L for the last one"),
    ("month", "1 to 12, or JAN to DEC"),
    ("day of the week", "0 to 7 or SUN to SAT (0 and 7 are Sunday), with #2 the second one, with L the last one"),
)
_SECOND, _MINUTE, _HOUR, _DAY, _MONTH, _WEEKDAY = range(6)
_TO_SUNDAY = re.compile(r"-(?:SUN|0)(?=$|[,/])")


class Cron(Struct, frozen=True):
    """A cron expression that is right."""

    text: str  #: as it is written
    fields: tuple[str, ...]  #: six of them, the seconds first

    @classmethod
    def parse(cls, text: str, *, with_seconds: bool = False) -> Self:
        """Read a cron expression. Raises ValueError that says which fields are wrong, and what may stand there."""
        named = text.strip().lower()
        if named.startswith("@"):
            if named not in _NAMED:
                raise ValueError(f"`{text}` is no cron expression: the names are {', '.join(_NAMED)}")
            return cls(text, ("0", *_fields(_NAMED[named])))
        written = _fields(text)
        due = 6 if with_seconds else 5
        if len(written) != due:
            hint = ", or set `withSeconds: true`" if len(written) == 6 else ""
            names = "second, minute, hour, " if with_seconds else "minute, hour, "
            message = f"write {due}: {names}day of the month, month, day of the week{hint}"
            raise ValueError(f"`{text}` has {len(written)} field{'s' * (len(written) != 1)}; {message}")
        fields = written if with_seconds else ("0", *written)
        wrong = [problem for index, field in enumerate(fields) if (problem := _problem(index, field)) is not None]
        if wrong:
            raise ValueError("; ".join(wrong))
        cron = cls(text, fields)
        if not _is_possible(fields):
            raise ValueError(f"`{text}` never comes: month {fields[_MONTH]} has no day {fields[_DAY]}")
        return cron

    @property
    def ticks(self) -> bool:
        """Whether it says how often, rather than at which times of the day: its hours start with a star, or are all."""
        return self.fields[_HOUR].startswith("*") or self.fields[_HOUR] == "0-23"

    def after(self, clock: datetime) -> Iterator[datetime]:
        """What a clock shows whenever it matches, later than now. It ends when nothing matches for fifty years."""
        return self._walk(clock, reverse=False)

    def before(self, clock: datetime) -> Iterator[datetime]:
        """What a clock showed whenever it matched, earlier than now, the last time first."""
        return self._walk(clock, reverse=True)

    def _walk(self, clock: datetime, *, reverse: bool) -> Iterator[datetime]:
        from cronsim import CronSim

        with suppress(OverflowError, ValueError):  # before the year 1, or after 9999
            yield from CronSim(" ".join(self.fields), clock, reverse=reverse)


def _fields(text: str) -> tuple[str, ...]:
    """The fields in one spelling: capitals, `*` for `?`, and weeks that may end with a Sunday."""
    found = text.upper().split()
    if len(found) >= 5:
        found[-1] = _TO_SUNDAY.sub("-7", found[-1])
        found[-3], found[-1] = ("*" if field == "?" else field for field in (found[-3], found[-1]))
    return tuple(found)


def _problem(index: int, field: str) -> str | None:
    alone = ["*"] * 6
    alone[index] = field
    if _is_known(alone):
        return None
    name, allowed = _FIELDS[index]
    return f"`{field}` is no {name}: {allowed}, and `*`, `1-3`, `1,3`, `*/5` of those"


def _is_possible(fields: tuple[str, ...]) -> bool:
    """Whether some month has such a day."""
    return _is_known(["0", "0", "0", *fields[_DAY:]])


def _is_known(fields: list[str]) -> bool:
    from cronsim import CronSim, CronSimError

    try:
        CronSim(" ".join(fields), datetime(2000, 1, 1))
    except (CronSimError, ValueError):
        return False
    return True
