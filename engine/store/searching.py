"""What somebody looks for among executions, as SQL says it: the same as `engine.model.search.fits`, row by row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, not_, or_, true

from engine.model.search import NEGATED, Group, Match, Operation, Search
from engine.store.codec import to_micros, to_text
from engine.store.tables import execution_labels, executions


def condition(search: Search) -> ColumnElement[bool]:
    """The condition on a row of `executions`."""
    if isinstance(search, Group):
        members = [condition(member) for member in search.members]
        return (or_ if search.any else and_)(*members) if members else true()
    if search.operation in NEGATED:
        return not_(func.coalesce(condition(Match(search.field, NEGATED[search.operation], search.value)), False))
    if isinstance(search.value, Mapping):
        return and_(true(), *(_has_label(key, value) for key, value in search.value.items()))
    return _COMPARED[search.operation](executions.c[search.field], _bound(search.value))


def _has_label(key: str, value: str) -> ColumnElement[bool]:
    label = execution_labels.c
    return exists().where(
        label.execution_id == executions.c.id, label.key == to_text(key), label.value == to_text(value)
    )


def _bound(value: str | datetime | tuple[str, ...]) -> Any:
    if isinstance(value, tuple):
        return [to_text(each) for each in value]
    return to_micros(value) if isinstance(value, datetime) else to_text(value)


def _ends_with(column: ColumnElement[str], value: str) -> ColumnElement[bool]:
    length = func.length(column)
    return and_(length >= len(value), func.substr(column, length - len(value) + 1, len(value)) == value)


# LIKE would tell letters apart on one database and not on the other.
_COMPARED: dict[Operation, Callable[[ColumnElement[Any], Any], ColumnElement[bool]]] = {
    Operation.EQUALS: lambda column, value: column == value,
    Operation.IN: lambda column, value: column.in_(value),
    Operation.CONTAINS: lambda column, value: or_(value == "", func.replace(column, value, "") != column),
    Operation.STARTS_WITH: lambda column, value: func.substr(column, 1, len(value)) == value,
    Operation.ENDS_WITH: _ends_with,
    # `/` comes right after `.`: a range, so that an index serves it.
    Operation.PREFIX: lambda column, value: or_(column == value, and_(column >= f"{value}.", column < f"{value}/")),
    Operation.GREATER_THAN: lambda column, value: column > value,
    Operation.LESS_THAN: lambda column, value: column < value,
    Operation.GREATER_THAN_OR_EQUAL_TO: lambda column, value: column >= value,
    Operation.LESS_THAN_OR_EQUAL_TO: lambda column, value: column <= value,
}
