"""What must hold of each trigger beyond its shape: dates that come, windows that are one window, lengths of time."""

from __future__ import annotations

from datetime import UTC, time
from typing import TYPE_CHECKING

from engine.dialect.build import Builder, has_template
from engine.dialect.document import Path
from engine.dialect.timing import check_duration
from engine.errors import ExpressionError
from engine.model.cron import Cron
from engine.model.diagnostic import Severity

if TYPE_CHECKING:
    from engine.model.conditions import TimeWindow
    from engine.model.triggers import Filter, FlowTrigger, HttpTrigger, Preconditions, Schedule, ScheduleOnDates, Window

#: Of the two windows, which properties belong together. Each is one kind of window.
_KINDS = (("deadline",), ("from", "to"), ("lookback",), ("every", "offset"))
#: What a `timeWindow` of a type needs, and what it may have.
_OF_TYPE = {
    "DURATION_WINDOW": ((), ("window", "windowAdvance")),
    "SLIDING_WINDOW": (("window",), ("window",)),
    "DAILY_TIME_DEADLINE": (("deadline",), ("deadline",)),
    "DAILY_TIME_WINDOW": (("startTime", "endTime"), ("startTime", "endTime")),
}
_NO_VALUE = ("IS_TRUE", "IS_FALSE", "IS_NULL", "IS_NOT_NULL")
_SEVERAL = ("IN", "NOT_IN")
_ON_EXPRESSION = "`value` is the expression that is looked at, and `values` what it is compared with"


def check_triggers(builder: Builder) -> None:
    """The rules between the properties of each trigger."""
    if not builder.triggers:
        return
    from engine.model.triggers import FlowTrigger, HttpTrigger, Schedule, ScheduleOnDates

    for path, trigger in builder.triggers:
        if isinstance(trigger, Schedule):
            _check_schedule(builder, trigger, path)
        elif isinstance(trigger, ScheduleOnDates):
            _check_dates(builder, trigger, path)
        elif isinstance(trigger, FlowTrigger):
            _check_flow(builder, trigger, path)
        elif isinstance(trigger, HttpTrigger):
            _check_http(builder, trigger, path)


def _check_schedule(builder: Builder, trigger: Schedule, path: Path) -> None:
    _check_zone(builder, trigger.timezone, (*path, "timezone"))
    if trigger.late_maximum_delay is not None:
        check_duration(builder, trigger.late_maximum_delay, (*path, "lateMaximumDelay"))
    try:
        Cron.parse(trigger.cron, with_seconds=trigger.with_seconds)
    except ValueError as error:
        builder.add("invalid-cron", f'"cron": {error}', (*path, "cron"))
    if trigger.backfill:
        message = '"backfill" has no effect in a flow: it is asked for when it is wanted'
        builder.add("not-supported", message, (*path, "backfill"), key=True, severity=Severity.WARNING)


def _check_dates(builder: Builder, trigger: ScheduleOnDates, path: Path) -> None:
    from engine.expressions.dates import moment_of

    _check_zone(builder, trigger.timezone, (*path, "timezone"))
    if isinstance(trigger.dates, str):
        if not has_template(trigger.dates):
            builder.add("wrong-type", '"dates" must be a list, or an expression that gives one', (*path, "dates"))
        return
    for index, text in enumerate(trigger.dates):
        try:
            if not has_template(text):
                moment_of(text, UTC)
        except ExpressionError:
            message = f"`{text}` is not a date such as 2026-05-06T07:08:09+02:00"
            builder.add("invalid-value", message, (*path, "dates", index))


def _check_zone(builder: Builder, name: str | None, path: Path) -> None:
    from engine.expressions.dates import zone_of

    if name is None:
        return
    try:
        zone_of(name, UTC)
    except ExpressionError as error:
        builder.add("unknown-time-zone", f'"timezone": there is no time zone `{name}`', path, hint=_zone(name, error))


def _zone(name: str, error: ExpressionError) -> str | None:
    from zoneinfo import available_timezones

    from engine.dialect.suggest import did_you_mean, nearest

    cities = {zone.rpartition("/")[2]: zone for zone in sorted(available_timezones())}
    near = nearest(name, available_timezones()) or cities.get(nearest(name, cities) or "")
    return did_you_mean(near) or error.hint


def _check_flow(builder: Builder, trigger: FlowTrigger, path: Path) -> None:
    for old in ("preconditions", "multiple_conditions"):
        if getattr(trigger, old) is not None and trigger.depends_on:
            name = "preconditions" if old == "preconditions" else "multipleConditions"
            message = f'"dependsOn" and "{name}" are two ways to say what a trigger waits for; keep one of them'
            builder.add("conflict", message, (*path, "dependsOn"), key=True)
    if trigger.preconditions is not None:
        _check_preconditions(builder, trigger.preconditions, (*path, "preconditions"))
    if trigger.multiple_conditions is not None and trigger.multiple_conditions.time_window is not None:
        _check_time_window(
            builder, trigger.multiple_conditions.time_window, (*path, "multipleConditions", "timeWindow")
        )
    if trigger.window is not None:
        _check_window(builder, trigger.window, (*path, "window"))
    _check_least(builder, trigger, path)


def _check_least(builder: Builder, trigger: FlowTrigger, path: Path) -> None:
    least, entries = trigger.min_satisfied, len(trigger.depends_on)
    if trigger.mode == "AT_LEAST" and least is None:
        builder.add("missing-property", 'the mode AT_LEAST needs the property "minSatisfied"', (*path, "mode"))
    elif trigger.mode != "AT_LEAST" and least is not None:
        message = f'"minSatisfied" belongs to the mode AT_LEAST, and the mode is {trigger.mode}'
        builder.add("conflict", message, (*path, "minSatisfied"), key=True)
    elif least is not None and least > entries:
        message = f'"minSatisfied" is {least}, and "dependsOn" has {entries}: this never holds'
        builder.add("out-of-range", message, (*path, "minSatisfied"))


def _check_window(builder: Builder, window: Window, path: Path) -> None:
    given = window.model_dump(by_alias=True, exclude_none=True)
    kinds = [kind for kind in _KINDS if given.keys() & set(kind)]
    if len(kinds) > 1:
        first, second = (next(name for name in kind if name in given) for kind in kinds[:2])
        message = f'"{first}" and "{second}" are two kinds of window; keep one of them'
        builder.add("conflict", message, (*path, second), key=True)
    if ("from" in given) != ("to" in given):
        builder.add("missing-property", 'a window between two times of the day needs "from" and "to"', path)
    _check_zone(builder, window.timezone, (*path, "timezone"))
    _check_lengths(builder, given, ("lookback", "every", "offset"), ("deadline", "from", "to"), path)


def _check_time_window(builder: Builder, window: TimeWindow, path: Path) -> None:
    needed, allowed = _OF_TYPE[window.type]
    given = window.model_dump(by_alias=True, exclude_none=True)
    for name in needed:
        if name not in given:
            builder.add("missing-property", f'a window of type {window.type} needs the property "{name}"', path)
    for name in given.keys() - {"type", *allowed}:
        message = f'a window of type {window.type} has no property "{name}"'
        builder.add("unknown-property", message, (*path, name), key=True, hint=f"it has {', '.join(allowed)}")
    _check_lengths(builder, given, ("window", "windowAdvance"), ("deadline", "startTime", "endTime"), path)


def _check_lengths(
    builder: Builder, given: dict[str, str], lengths: tuple[str, ...], times: tuple[str, ...], path: Path
) -> None:
    for name in lengths:
        if name in given and given[name] not in ("PT0S", "P0D"):
            check_duration(builder, given[name], (*path, name))
    for name in times:
        try:
            time.fromisoformat(given.get(name, "00:00"))
        except ValueError:
            message = f'"{name}": `{given[name]}` is not a time of day such as 09:00:00'
            builder.add("invalid-value", message, (*path, name))


def _check_preconditions(builder: Builder, preconditions: Preconditions, path: Path) -> None:
    if not preconditions.flows and not preconditions.where:
        builder.add("missing-property", '"preconditions" needs "flows" or "where"', path)
    if preconditions.time_window is not None:
        _check_time_window(builder, preconditions.time_window, (*path, "timeWindow"))
    for place, where in enumerate(preconditions.where):
        for index, entry in enumerate(where.filters):
            for due in _due_of(entry):
                if not getattr(entry, due):
                    message = f'a filter of type {entry.type} on {entry.field} needs the property "{due}"'
                    asks = entry.field == "EXPRESSION"
                    severity = Severity.WARNING if asks and due == "values" else Severity.ERROR
                    hint = _ON_EXPRESSION if asks else None
                    at = (*path, "where", place, "filters", index)
                    builder.add("missing-property", message, at, hint=hint, severity=severity)


def _due_of(entry: Filter) -> tuple[str, ...]:
    """The properties that a filter needs."""
    if entry.field == "EXPRESSION":
        return ("value",) if entry.type in _NO_VALUE else ("value", "values")
    return () if entry.type in _NO_VALUE else ("values",) if entry.type in _SEVERAL else ("value",)


def _check_http(builder: Builder, trigger: HttpTrigger, path: Path) -> None:
    check_duration(builder, trigger.interval, (*path, "interval"))
