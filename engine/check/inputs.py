"""What inputs give, as types: those of a flow, and those that a person gives to a paused task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.check.types import ANY, BOOL, FLOAT, INT, NULL, TEXT, ListOf, Record, Text, Type, union

INPUTS: Mapping[str, Type] = {
    "STRING": TEXT, "SECRET": TEXT, "FILE": TEXT, "EMAIL": TEXT, "URI": TEXT,
    "DATETIME": TEXT, "DATE": TEXT, "TIME": TEXT, "DURATION": TEXT,
    "INT": INT, "FLOAT": FLOAT, "BOOLEAN": BOOL, "BOOL": BOOL,
}  # fmt: skip


def typed_inputs(declared: Any) -> Record | None:
    """All inputs, nested by the dots in their ids; None when the flow has none."""
    if not isinstance(declared, list):
        return None if declared is None else Record({}, open=True)
    tree: dict[str, Any] = {}
    for entry in declared:
        if not isinstance(entry, Mapping):
            continue
        *groups, leaf = str(entry.get("id", entry.get("name"))).split(".")
        place = tree
        for group in groups:
            inner = place.setdefault(group, {})
            place = inner if isinstance(inner, dict) else {}
        place.setdefault(leaf, _input(entry))
    return _nested(tree) if tree else None


def _nested(tree: Mapping[str, Any]) -> Record:
    return Record({name: _nested(item) if isinstance(item, dict) else item for name, item in tree.items()})


def _input(entry: Mapping[str, Any]) -> Type:
    named = entry.get("type")
    optional = entry.get("required") is False and entry.get("defaults") is None
    if named in ("SELECT", "ENUM"):
        values = entry.get("values")
        free = not isinstance(values, list) or entry.get("allowCustomValue") or entry.get("required") is False
        choices = () if free else tuple(str(one.get("value")) if isinstance(one, Mapping) else one for one in values)  # type: ignore[union-attr]
        given: Type = Text(choices) if choices and all(isinstance(one, str) for one in choices) else TEXT
    elif named in ("ARRAY", "MULTISELECT"):
        item = entry.get("itemType", "STRING" if named == "MULTISELECT" else None)
        given = ListOf(INPUTS.get(str(item), ANY))
    else:
        given = INPUTS.get(str(named), ANY)
    return union((given, NULL)) if optional else given
