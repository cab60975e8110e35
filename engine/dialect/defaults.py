"""Plugin defaults: values that a flow, or the whole instance, gives to every map of a type.

They apply to data, before anything is validated, wherever a map has a text `type`. An earlier entry wins over a later
one and the flow's own over the instance's; what a task says itself wins, unless the entry is forced. Maps are merged
in depth, lists are concatenated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from pydantic import ValidationError

from engine.dialect.types import TypeIndex
from engine.model.flow import PluginDefault
from engine.model.listeners import Condition, Trigger

#: Where the entries themselves are written; they have a `type` too.
OWN_KEY = "pluginDefaults"


def own_defaults(data: Mapping[str, Any]) -> list[PluginDefault]:
    """The entries that a flow has itself. One that is wrong is left out here: who builds the flow reports it."""
    entries = data.get(OWN_KEY)
    found = []
    for entry in entries if isinstance(entries, list) else ():
        with suppress(ValidationError):
            found.append(PluginDefault.model_validate(entry, by_alias=True, by_name=False))
    return found


def with_defaults(data: Mapping[str, Any], defaults: Sequence[PluginDefault], types: TypeIndex) -> dict[str, Any]:
    """The flow's data with all defaults filled in. The data given is not changed."""
    if not defaults:
        return dict(data)
    return {key: value if key == OWN_KEY else _filled(value, defaults, types) for key, value in data.items()}


def _filled(value: Any, defaults: Sequence[PluginDefault], types: TypeIndex) -> Any:
    if isinstance(value, list):
        return [_filled(item, defaults, types) for item in value]
    if not isinstance(value, Mapping):
        return value
    merged: Any = {key: _filled(item, defaults, types) for key, item in value.items()}
    type_ = value.get("type")
    if not isinstance(type_, str):
        return merged
    matching = [default for default in defaults if _matches(default.type, type_, types)]
    for default in matching:
        if not default.forced:
            merged = _merge(default.values, merged)
    for default in reversed(matching):
        if default.forced:
            merged = _merge(merged, default.values)
    return merged


def _matches(pattern: str, type_: str, types: TypeIndex) -> bool:
    canonical = _canonical(type_, types)
    return type_.startswith(pattern) or (
        canonical is not None and (canonical.startswith(pattern) or canonical == _canonical(pattern, types))
    )


def _canonical(type_: str, types: TypeIndex) -> str | None:
    """Conditions and triggers are part of the language; all other types are in the index."""
    known: Mapping[str, type[Condition | Trigger]] = {}
    if ".condition" in type_:
        from engine.model import conditions

        known = conditions.CONDITION_TYPES
    elif ".trigger" in type_.lower():
        from engine.model import triggers

        known = triggers.TRIGGER_TYPES
    return known[type_].TYPES[0] if type_ in known else types.canonical(type_)


def _merge(under: Any, over: Any) -> Any:
    """`over` wins; maps are merged, lists become one list, `under`'s entries first."""
    if isinstance(under, Mapping) and isinstance(over, Mapping):
        return {**under, **{key: _merge(under[key], value) if key in under else value for key, value in over.items()}}
    if isinstance(under, list) and isinstance(over, list):
        return [*under, *over]
    return over
