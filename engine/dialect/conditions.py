"""Conditions: what must hold of each beyond its shape."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Any

from engine.dialect.build import Builder, has_template
from engine.dialect.document import Path
from engine.dialect.timing import check_duration
from engine.errors import ExpressionError
from engine.model.diagnostic import Severity

if TYPE_CHECKING:
    from engine.model.conditions import DateTimeBetween, MultipleCondition, TimeBetween


def check_conditions(builder: Builder) -> None:
    """The rules between the properties of each condition."""
    if not builder.conditions:
        return
    from engine.model.conditions import DateTimeBetween, MultipleCondition, TimeBetween

    for path, condition in builder.conditions:
        if isinstance(condition, DateTimeBetween | TimeBetween):
            _check_bounds(builder, condition, path)
        elif isinstance(condition, MultipleCondition):
            _check_multiple(builder, condition, path)


def _check_bounds(builder: Builder, condition: DateTimeBetween | TimeBetween, path: Path) -> None:
    if condition.after is None and condition.before is None:
        builder.add("missing-property", f'{condition.TYPES[0]} needs "after" or "before"', path)
    times = condition.TYPES[0].endswith(".TimeBetween")
    read = _clock_time if times else _moment
    found = {}
    for name in ("after", "before"):
        text = getattr(condition, name)
        if text is None or has_template(text):
            continue
        try:
            found[name] = read(text)
        except ValueError as error:
            builder.add("invalid-value", f'"{name}": {error}', (*path, name))
    if len(found) == 2 and _is_empty(found["after"], found["before"]):
        message = f"nothing is after {condition.after} and before {condition.before}: this never holds"
        hint = "write an Or of two conditions" if times else None
        builder.add("out-of-range", message, (*path, "after"), hint=hint, severity=Severity.WARNING)


def _moment(text: str) -> datetime:
    from engine.expressions.dates import moment_of

    try:
        return moment_of(text, UTC)
    except ExpressionError:
        raise ValueError(f"`{text}` is not a date such as 2024-05-06T07:08:09Z") from None


def _clock_time(text: str) -> time:
    try:
        return time.fromisoformat(text)
    except ValueError:
        raise ValueError(f"`{text}` is not a time of day such as 08:30:00+02:00") from None


def _is_empty(after: Any, before: Any) -> bool:
    """Whether nothing lies between two bounds. What is on different clocks cannot be told here."""
    return after.tzinfo == before.tzinfo and bool(after >= before)


def _check_multiple(builder: Builder, condition: MultipleCondition, path: Path) -> None:
    if path[0] == "listeners":
        message = "a MultipleCondition waits for several executions, and a listener sees one"
        builder.add("invalid-value", message, path, hint="it belongs to a Flow trigger")
    window = condition.time_window
    for place, text in (
        (("window",), condition.window),
        (("windowAdvance",), condition.window_advance),
        (("timeWindow", "window"), window.window if window else None),
        (("timeWindow", "windowAdvance"), window.window_advance if window else None),
    ):
        if text is not None:
            check_duration(builder, text, (*path, *place))
