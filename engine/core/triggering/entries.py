"""Whether an execution is one of those that an entry of a Flow trigger waits for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from engine.core.conditions import Subject, holds
from engine.core.rendering import answer
from engine.core.triggering.verdict import every, some
from engine.errors import ExpressionError
from engine.expressions import truthy
from engine.expressions.faults import Undefined
from engine.expressions.regex import compiled
from engine.expressions.values import printed
from engine.model.conditions import ExecutionFlow
from engine.model.execution import Execution
from engine.model.listeners import Condition
from engine.model.triggers import Dependency, Filter, UpstreamFlow, Where

#: An entry of `dependsOn` or of preconditions, or a named condition.
Entry = UpstreamFlow | Where | Condition

_COMPARE: Mapping[str, Callable[[str, str], bool]] = {
    "EQUAL_TO": str.__eq__,
    "STARTS_WITH": str.startswith,
    "ENDS_WITH": str.endswith,
    "CONTAINS": str.__contains__,
    "REGEX": lambda text, pattern: compiled(pattern).fullmatch(text) is not None,
}
#: Those that are the opposite of another, and that one.
_OPPOSITE = {"NOT_EQUAL_TO": "EQUAL_TO", "NOT_IN": "IN", "IS_FALSE": "IS_TRUE", "IS_NOT_NULL": "IS_NULL"}


def matches(entry: Entry, subject: Subject) -> bool:
    """Whether the execution satisfies an entry. Raises ExpressionError when that cannot be told."""
    if isinstance(entry, Condition):
        return holds(entry, subject)
    if isinstance(entry, Where):
        decide = every if entry.operand == "AND" else some
        return decide(partial(_passes, one, subject) for one in entry.filters)
    return _is_of(entry, subject.the_execution("A Flow trigger")) and _is_like(entry, subject)


def any_names(entries: Iterable[Entry], execution: Execution) -> bool:
    """Whether some of these say by its name that they are about this flow, so that what goes wrong is no chance."""
    return any(_names(entry, execution) for entry in entries)


def _names(entry: Entry, execution: Execution) -> bool:
    match entry:
        case Where():
            return any(_is_named(one, execution) for one in entry.filters)
        case UpstreamFlow():
            return entry.flow_id is not None and _is_of(entry, execution)
        case ExecutionFlow():
            return (entry.namespace, entry.flow_id) == (execution.namespace, execution.flow_id)
    return any_names(entry.inner, execution)


def _is_named(one: Filter, execution: Execution) -> bool:
    return one.field == "FLOW_ID" and one.type in ("EQUAL_TO", "IN") and execution.flow_id in (one.value, *one.values)


def _is_of(entry: UpstreamFlow, execution: Execution) -> bool:
    return entry.namespace in (None, execution.namespace) and entry.flow_id in (None, execution.flow_id)


def _is_like(entry: UpstreamFlow, subject: Subject) -> bool:
    execution = subject.the_execution("A Flow trigger")
    if entry.states is not None and execution.state not in entry.states:
        return False
    if any(execution.labels.get(name) != subject.text(value) for name, value in entry.labels.items()):
        return False
    when = entry.when if isinstance(entry, Dependency) else None
    return when is None or truthy(answer("when", when, subject.context, subject.functions, subject.written_in))


def _passes(one: Filter, subject: Subject) -> bool:
    opposite = _OPPOSITE.get(one.type)
    if opposite is not None:
        return not _passes(one.model_copy(update={"type": opposite}), subject)
    found = _looked_at(one, subject)
    match one.type:
        case "IS_TRUE":
            return truthy(printed(found))
        case "IS_NULL":
            return found is None
        case "IN":
            return printed(found) in [subject.text(value) for value in one.values]
    compare = _COMPARE[one.type]
    return any(compare(printed(found), subject.text(value)) for value in _comparands(one))


def _looked_at(one: Filter, subject: Subject) -> object:
    """The value that a filter asks about. What an expression does not find is null."""
    execution = subject.the_execution("A filter")
    match one.field:
        case "FLOW_ID":
            return execution.flow_id
        case "NAMESPACE":
            return execution.namespace
        case "STATE":
            return execution.state.value
    assert one.value is not None  # the dialect sees to that
    try:
        return subject.value(one.value)
    except Undefined:
        if one.type == "IS_NULL":
            return None
        raise


def _comparands(one: Filter) -> tuple[str, ...]:
    """What the value is compared with; one that it fits is enough."""
    if one.field != "EXPRESSION":
        return (*((one.value,) if one.value is not None else ()), *one.values)
    if not one.values:
        hint = "Write as `value` the expression, and as `values` what it is compared with."
        raise ExpressionError(
            f"A filter {one.type} on an EXPRESSION has no `values`", code="missing-property", hint=hint
        )
    return one.values
