"""`pluginDefaults`, which 2.0 does not have: their values are written into each task they were for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.dialect.defaults import own_defaults, with_defaults
from engine.dialect.document import Path
from engine.dialect.migrate.draft import Draft
from engine.dialect.types import TypeIndex

_KEYS = ("pluginDefaults", "taskDefaults")


def plugin_defaults(draft: Draft, types: TypeIndex) -> None:
    """All of a flow's own defaults."""
    written = [key for key in _KEYS if key in draft.data]
    if not written:
        return
    key = written[0]
    entries = draft.data[key] or []
    defaults = own_defaults({"pluginDefaults": entries})
    if len(written) > 1 or not isinstance(entries, list) or len(defaults) < len(entries):
        draft.leave(
            (key,), "these defaults are not written as they should be", "`penstock validate` tells more", key=True
        )
        return
    if any("{{" in item.type or "ref" in item.values for item in defaults):
        draft.leave((key,), "these defaults are chosen when the flow runs", key=True)
        return
    data = {name: value for name, value in draft.data.items() if name != key}
    wanted = with_defaults(data, defaults, types)
    for name, value in data.items():
        _reshape(draft, (name,), value, wanted[name])
    draft.remove((key,))
    draft.wanted = {name: wanted[name] for name in data}


def _reshape(draft: Draft, path: Path, written: Any, wanted: Any) -> None:
    """Make the text at `path` say `wanted`, adding to it what is missing."""
    if written == wanted and type(written) is type(wanted):
        return
    if isinstance(written, Mapping) and isinstance(wanted, Mapping) and written:
        for name, value in wanted.items():
            if name in written:
                _reshape(draft, (*path, name), written[name], value)
            else:
                draft.add(path, name, value, after="type")
    elif isinstance(written, list) and isinstance(wanted, list) and written:
        first = _aligned(written, wanted)
        draft.add_items(path, wanted[:first], first=True)
        for index, item in enumerate(written):
            _reshape(draft, (*path, index), item, wanted[first + index])
        draft.add_items(path, wanted[first + len(written) :], first=False)
    else:
        draft.put(path, wanted)


def _aligned(written: list[Any], wanted: list[Any]) -> int:
    """How many entries come before those that are there already."""
    for first in range(len(wanted) - len(written) + 1):
        if all(_is_within(item, wanted[first + index]) for index, item in enumerate(written)):
            return first
    return 0


def _is_within(part: Any, whole: Any) -> bool:
    """Whether `whole` is `part`, with more in its maps and lists."""
    if isinstance(part, Mapping) and isinstance(whole, Mapping):
        return all(name in whole and _is_within(value, whole[name]) for name, value in part.items() if name == "type")
    if isinstance(part, list) and isinstance(whole, list):
        return len(part) <= len(whole)
    return bool(part == whole)
