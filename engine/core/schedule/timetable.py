"""The timetable of a trigger: when it is due, by its cron or its dates, and by its conditions.

Conditions are asked about each date by itself, so what is due between two instants does not depend on who asked when.
A condition that cannot be answered lets its date through, with the reason: what comes of it is seen, and not missed.
Always true: every instant is in UTC and aware; only what is shown to a flow is on the clocks of its zone.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cached_property
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from engine.core.conditions import Subject, holds
from engine.core.context import UNAVAILABLE
from engine.core.facts import Facts
from engine.core.rendering import answer, deep
from engine.core.schedule.fires import fires_after, fires_before
from engine.core.schedule.zones import YEARS
from engine.errors import ExpressionError
from engine.expressions import Functions, language, truthy
from engine.expressions.dates import moment_of, zone_of
from engine.model.cron import Cron
from engine.model.duration import parse_duration
from engine.model.flow import Flow
from engine.model.listeners import Condition
from engine.model.triggers import Schedule, ScheduleOnDates, TimedTrigger

#: How far the next and the previous date that satisfies the conditions are looked for, and among how many.
_FAR = timedelta(days=3653)
_MOST = 100_000
_INSTANT = timedelta(microseconds=1)


class Due(Struct, frozen=True, kw_only=True):
    """A date of a timetable. `problem` is why its conditions cannot be told; then the execution is one that failed.

    One that does not hold is where a long search was given up: the trigger is not due at it, nor before.
    """

    at: datetime
    problem: str | None = None
    holds: bool = True


class Timetable:
    """When one trigger of a flow is due. Conditions that call out need `functions` that can."""

    def __init__(
        self,
        flow: Flow,
        trigger: TimedTrigger,
        *,
        zone: tzinfo = UTC,
        facts: Facts | None = None,
        functions: Functions | None = None,
    ) -> None:
        """`zone` is that of a trigger which names none. Raises ExpressionError for dates that cannot be read."""
        self.flow = flow
        self.trigger = trigger
        self.zone = zone_of(trigger.timezone, zone)
        self._facts = facts or Facts()
        self.functions = replace(functions, zone=self.zone) if functions else Functions(zone=self.zone)
        self._cron = (
            Cron.parse(trigger.cron, with_seconds=trigger.with_seconds) if isinstance(trigger, Schedule) else None
        )
        self._listed = self._read_dates(trigger) if isinstance(trigger, ScheduleOnDates) else []

    # -- when it is due

    def next(self, after: datetime) -> Due | None:
        """The first date later than `after`. None: there is none, or within ten years none that satisfies all."""
        return self._first(self._dates_after(after), after)

    def previous(self, before: datetime) -> Due | None:
        """The last date earlier than `before`. None: there is none, or none within ten years that satisfied them."""
        return self._first(self._dates_before(before), before)

    def due_between(self, after: datetime, until: datetime) -> Iterator[Due]:
        """The dates later than `after` and not later than `until`, the first one first; found as they are asked for."""
        for date in self._dates_after(after):
            if date > until:
                return
            due = self.judged(date)
            if due.holds:
                yield due

    def latest(self, start: datetime, until: datetime, most: int, looked_at: int) -> tuple[list[Due], bool]:
        """The last dates from `start` to `until`, both included, the oldest first; and whether these are all.

        At most `most`, found among the last `looked_at` of the cron or the list.
        """
        found: list[Due] = []
        for count, date in enumerate(self._dates_before(until + _INSTANT)):
            if date < start:
                return found[::-1], True
            if len(found) == most or count == looked_at:
                return found[::-1], False
            due = self.judged(date)
            if due.holds:
                found.append(due)
        return found[::-1], True

    def is_late(self, at: datetime, now: datetime) -> bool:
        """Whether a date is longer ago than the trigger puts up with."""
        delay = self.trigger.late_maximum_delay if isinstance(self.trigger, Schedule) else None
        return delay is not None and now - at > parse_duration(delay)

    def judged(self, date: datetime) -> Due:
        """A date of the cron or the list, with the answer of the conditions. Asks nothing that needs another date."""
        try:
            return Due(at=date, holds=self._holds(date))
        except ExpressionError as error:
            if error.code == UNAVAILABLE:
                raise
            return Due(at=date, problem=error.message)

    def neighbour(self, date: datetime, *, later: bool) -> datetime | None:
        """The next or the previous date of the cron or the list, whatever its conditions."""
        return next(self._dates_after(date) if later else self._dates_before(date), None)

    # -- what the flow sees of it

    def variables(self, date: datetime) -> dict[str, str]:
        """`trigger.*` of the execution for a date: when it is due, and the dates before and after that satisfy all."""
        near = {"next": self.next(date), "previous": self.previous(date)}
        shown = {name: self.shown(due.at) for name, due in near.items() if due is not None and due.holds}
        return {"date": self.shown(date), **shown}

    def context(self, trigger: Mapping[str, Any]) -> dict[str, Any]:
        """What the expressions of the trigger see, given its variables."""
        flow = self.flow
        return {
            "flow": {"id": flow.id, "namespace": flow.namespace, "revision": flow.revision},
            "trigger": trigger,
            "schedule": trigger,
            "vars": flow.variables,
            "labels": flow.labels,
            "envs": self._facts.envs,
            "globals": self._facts.globals,
        }

    def shown(self, date: datetime) -> str:
        """A date on the clocks of the zone, with its offset from UTC."""
        return date.astimezone(self.zone).isoformat()

    # -- how it is found

    def _read_dates(self, trigger: ScheduleOnDates) -> list[datetime]:
        written_in = language(self.flow.expressions)
        told = deep(
            trigger.dates if isinstance(trigger.dates, str) else list(trigger.dates),
            self.context({"id": trigger.id, "type": trigger.type}),
            self.functions,
            written_in,
        )
        if not isinstance(told, list):
            raise ExpressionError("`dates` gives no list", code="invalid-date", hint="Write a list of ISO-8601 dates.")
        return sorted({self._instant(date) for date in told})

    def _instant(self, date: Any) -> datetime:
        moment = moment_of(date, self.zone)
        if moment.year not in YEARS:
            raise ExpressionError(f"`{date}` is a date of no calendar that has schedules", code="invalid-date")
        return moment.astimezone(UTC)

    def _dates_after(self, after: datetime) -> Iterator[datetime]:
        if self._cron is not None:
            return fires_after(self._cron, after, self.zone)
        return iter(self._listed[bisect_right(self._listed, after) :])

    def _dates_before(self, before: datetime) -> Iterator[datetime]:
        if self._cron is not None:
            return fires_before(self._cron, before, self.zone)
        return reversed(self._listed[: bisect_left(self._listed, before)])

    def _first(self, dates: Iterator[datetime], origin: datetime) -> Due | None:
        """The first date that satisfies the conditions; where there are none, however far it is."""
        for count, date in enumerate(dates, 1):
            if self._is_conditional and abs(date - origin) > _FAR:
                return None
            due = self.judged(date)
            if due.holds or count == _MOST:
                return due
        return None

    @cached_property
    def _is_conditional(self) -> bool:
        return bool(self._conditions) or self.trigger.when is not None

    @cached_property
    def _conditions(self) -> tuple[Condition, ...]:
        trigger = self.trigger
        return trigger.all_conditions if isinstance(trigger, Schedule) else trigger.conditions

    def _holds(self, date: datetime) -> bool:
        if not self._is_conditional:
            return True
        context = self.context(_Candidate(self, date))
        subject = Subject(flow=self.flow, context=context, functions=self.functions)
        if not all(holds(condition, subject) for condition in self._conditions):
            return False
        when = self.trigger.when
        return when is None or truthy(answer("when", when, context, self.functions, language(self.flow.expressions)))


class _Candidate(Mapping[str, str]):
    """`trigger.*` while a date is judged: its neighbours are those of the cron, whatever they satisfy."""

    def __init__(self, timetable: Timetable, date: datetime) -> None:
        self._timetable = timetable
        self._date = date

    def __getitem__(self, name: str) -> str:
        timetable, trigger = self._timetable, self._timetable.trigger
        match name:
            case "id" | "type":
                return str(getattr(trigger, name))
            case "date":
                return timetable.shown(self._date)
            case "next" | "previous":
                near = timetable.neighbour(self._date, later=name == "next")
                if near is not None:
                    return timetable.shown(near)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        yield from (name for name in ("id", "type", "date", "next", "previous") if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)
