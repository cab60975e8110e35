"""The conditions of triggers as expressions: what each of them says, in the words of 2.0."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from engine.dialect.migrate.rule import bare, quoted
from engine.model.conditions import CONDITION_TYPES

_OFFSET = re.compile(r".*(?:Z|[+-]\d\d:?\d\d)$")
_CLOCK = re.compile(r"(\d\d):(\d\d)(?::(\d\d))?(?:\.0+)?(Z|[+-]\d\d(?::?\d\d)?)")
_FAR_PAST, _FAR_FUTURE = "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"
_CALL = re.compile(r"\w+\([^()]*\)")
_SIMPLE = re.compile(r"(?:not )?[\w.]+(?:\([^()]*\))?(?: == '[^']*')?")

#: The states in which an execution has ended, and PAUSED: what a Flow trigger looks at.
STATES = ("SUCCESS", "WARNING", "FAILED", "KILLED", "CANCELLED", "RETRIED", "SKIPPED", "PAUSED")


class Refused(Exception):
    """A condition that has no counterpart, and what to do."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class Meaning(NamedTuple):
    """What one condition comes to: an expression for `when`, and fields for an entry of `dependsOn`."""

    when: str | None
    entry: Mapping[str, Any]


def kind_of(condition: Any) -> str:
    """`DayWeek` of any of the names that the condition has had."""
    kind = CONDITION_TYPES.get(str(condition.get("type"))) if isinstance(condition, Mapping) else None
    if kind is None:
        raise Refused("this is no condition that is known here")
    return kind.__name__


def meaning_of(condition: Mapping[str, Any]) -> Meaning:
    """The counterpart of a condition of a Flow trigger. Raises Refused."""
    match kind_of(condition):
        case "ExecutionFlow":
            return Meaning(None, {key: condition[key] for key in ("namespace", "flowId") if key in condition})
        case "ExecutionStatus":
            return Meaning(None, {"states": _states(condition)})
        case "ExecutionLabels":
            return Meaning(None, {"labels": condition.get("labels", {})})
        case "ExecutionNamespace":
            return Meaning(None, _namespace(condition))
    return Meaning(expression(condition), {})


def expression(condition: Mapping[str, Any]) -> str:
    """What a condition tests, as an expression. Raises Refused."""
    kind = kind_of(condition)
    date = _text(condition.get("date", "{{ trigger.date }}"))
    match kind:
        case "Expression":
            return _expression(condition)
        case "DayWeek":
            return f"dayOfWeek({date}) == {_text(condition.get('dayOfWeek'))}"
        case "DayWeekInMonth":
            day, which = _text(condition.get("dayOfWeek")), _text(condition.get("dayInMonth"))
            return f"isDayWeekInMonth({date}, {day}, {which})"
        case "Weekend":
            return f"isWeekend({date})"
        case "PublicHoliday":
            given = [_text(condition[key]) for key in ("country", "subDivision") if key in condition]
            return f"isPublicHoliday({', '.join([date, *given])})"
        case "DateTimeBetween":
            after = _instant(condition.get("after", _FAR_PAST))
            return f"isDateBetween({date}, {after}, {_instant(condition.get('before', _FAR_FUTURE))})"
        case "TimeBetween":
            return _time_between(condition, date)
        case "Not":
            inner = _joined(condition, " or ")
            return f"not {inner}" if _CALL.fullmatch(inner) else f"not ({inner})"
        case "Or":
            return f"({_joined(condition, ' or ')})"
    reason = {
        "HasRetryAttempt": "no release has a counterpart of it",
        "ExecutionOutputs": "outputs of the upstream are read in another way",
    }.get(kind, "it cannot be put into an expression")
    hints = {
        "ExecutionOutputs": "write the `when` of a dependsOn entry with execution.outputs",
    }
    raise Refused(f"{kind}: {reason}", hints.get(kind, "write `when` by hand"))


def conjunction(expressions: list[str]) -> str:
    """All of several expressions."""
    if len(expressions) == 1:
        return expressions[0]
    return " and ".join(one if _is_closed(one) else f"({one})" for one in expressions)


def _joined(condition: Mapping[str, Any], word: str) -> str:
    inner = condition.get("conditions")
    if not isinstance(inner, list) or not inner:
        raise Refused("it holds no conditions")
    found = [expression(one) for one in inner]
    return found[0] if len(found) == 1 else word.join(one if _is_closed(one) else f"({one})" for one in found)


def _is_closed(text: str) -> bool:
    """Whether an expression needs no brackets beside `and`."""
    return _SIMPLE.fullmatch(text) is not None or (text.startswith("(") and text.endswith(")") and text.count("(") == 1)


def _expression(condition: Mapping[str, Any]) -> str:
    written = condition.get("expression")
    if isinstance(written, bool):
        return str(written).lower()
    inner = bare(written)
    if inner is None:
        raise Refused("its expression is more than a single {{ ... }}", "write `when` by hand")
    return inner


def _text(value: Any) -> str:
    """A property of a condition, inside an expression."""
    if not isinstance(value, str) or not value:
        raise Refused("it lacks a property that it needs")
    if "{{" not in value and "{%" not in value:
        return quoted(value)
    inner = bare(value)
    if inner is None:
        raise Refused("it holds more than a single {{ ... }}", "write `when` by hand")
    return inner


def _time_between(condition: Mapping[str, Any], date: str) -> str:
    """A time of day as a number, `83000`, on the clock that the bound names."""
    bounds = []
    for name, sign in (("after", ">"), ("before", "<")):
        if name not in condition:
            continue
        clock = _CLOCK.fullmatch(str(condition[name]))
        if clock is None:
            raise Refused(f"{condition[name]} is no time with an offset", "write it as 08:30:00+02:00")
        hour, minute, second, zone = clock.groups(default="00")
        shown = f"{date} | date('HHmmss', timeZone={quoted('UTC' if zone == 'Z' else zone)}) | number"
        bounds.append(f"({shown}) {sign} {int(hour + minute + second)}")
    if not bounds:
        raise Refused("it lacks a property that it needs")
    return bounds[0] if len(bounds) == 1 else f"({' and '.join(bounds)})"


def _instant(value: Any) -> str:
    written = _text(value)
    if written.startswith("'") and not _OFFSET.fullmatch(written.strip("'")):
        raise Refused(f"{written} has no offset, and isDateBetween() needs one", "add Z, or the offset that is meant")
    return written


def _states(condition: Mapping[str, Any]) -> list[str]:
    named, unwanted = condition.get("in"), condition.get("notIn")
    found = list(named) if isinstance(named, list) else list(STATES)
    return [state for state in found if not (isinstance(unwanted, list) and state in unwanted)]


def _namespace(condition: Mapping[str, Any]) -> dict[str, Any]:
    namespace = condition.get("namespace")
    comparison = condition.get("comparison", "PREFIX" if condition.get("prefix") is True else "EQUALS")
    if comparison == "EQUALS":
        return {"namespace": namespace}
    test = {"PREFIX": "startsWith", "SUFFIX": "endsWith"}.get(comparison)
    if test is None:
        raise Refused(f'the comparison "{comparison}" is not known here')
    return {"when": f"{{{{ flow.namespace | {test}({_text(namespace)}) }}}}"}
