"""What somebody looks for in a list: matches, joined by "and" and "or". Pure; a store may say the same in its language.

A match names a field as the records do (`flow_id`). Text is compared as it is written, by code point.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from msgspec import Struct


class Operation(StrEnum):
    EQUALS = "EQUALS"
    NOT_EQUALS = "NOT_EQUALS"
    IN = "IN"
    NOT_IN = "NOT_IN"
    CONTAINS = "CONTAINS"
    STARTS_WITH = "STARTS_WITH"
    ENDS_WITH = "ENDS_WITH"
    PREFIX = "PREFIX"  #: itself, or what is below it: `acme` and `acme.team`, not `acmeteam`
    GREATER_THAN = "GREATER_THAN"
    LESS_THAN = "LESS_THAN"
    GREATER_THAN_OR_EQUAL_TO = "GREATER_THAN_OR_EQUAL_TO"
    LESS_THAN_OR_EQUAL_TO = "LESS_THAN_OR_EQUAL_TO"


#: What says the same about the opposite.
NEGATED = {Operation.NOT_EQUALS: Operation.EQUALS, Operation.NOT_IN: Operation.IN}

#: Texts for IN, a map of labels, all of which must be there, or one value.
Value = str | datetime | tuple[str, ...] | Mapping[str, str]


class Match(Struct, frozen=True):
    """One condition. A field without a value fits only what is denied of it."""

    field: str
    operation: Operation
    value: Value


class Group(Struct, frozen=True):
    """All of these hold, or with `any` at least one. A group of none holds."""

    members: tuple[Match | Group, ...]
    any: bool = False


Search = Match | Group


def fits(search: Search, record: Any) -> bool:
    """Whether a record is what is looked for; its fields are attributes."""
    if isinstance(search, Group):
        holds = any if search.any and search.members else all
        return holds(fits(member, record) for member in search.members)
    if search.operation in NEGATED:
        return not fits(Match(search.field, NEGATED[search.operation], search.value), record)
    found = getattr(record, search.field)
    if isinstance(search.value, Mapping):
        return all(found.get(key) == value for key, value in search.value.items())
    return found is not None and _COMPARED[search.operation](found, search.value)


_COMPARED: dict[Operation, Callable[[Any, Any], bool]] = {
    Operation.EQUALS: lambda found, value: bool(found == value),
    Operation.IN: lambda found, value: found in value,
    Operation.CONTAINS: lambda found, value: value in found,
    Operation.STARTS_WITH: lambda found, value: bool(found.startswith(value)),
    Operation.ENDS_WITH: lambda found, value: bool(found.endswith(value)),
    Operation.PREFIX: lambda found, value: found == value or found.startswith(f"{value}."),
    Operation.GREATER_THAN: lambda found, value: bool(found > value),
    Operation.LESS_THAN: lambda found, value: bool(found < value),
    Operation.GREATER_THAN_OR_EQUAL_TO: lambda found, value: bool(found >= value),
    Operation.LESS_THAN_OR_EQUAL_TO: lambda found, value: bool(found <= value),
}
