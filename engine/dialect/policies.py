"""What a flow says about its executions as a whole: promises (`sla`) that can be kept, and checks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.dialect.build import Builder
from engine.dialect.timing import check_duration

#: The property that a kind of promise is about.
_ABOUT = {"MAX_DURATION": "duration", "EXECUTION_ASSERTION": "assert"}


def check_sla(builder: Builder, entries: Any) -> None:
    """Each promise has what its type is about, and nothing that another is about."""
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        type_ = entry.get("type") if isinstance(entry, Mapping) else None
        if not isinstance(type_, str) or type_ not in _ABOUT:
            continue  # the model has said so
        path = ("sla", index)
        for owner, name in _ABOUT.items():
            if owner == type_ and entry.get(name) is None:
                builder.add("missing-property", f'a promise of type {type_} needs the property "{name}"', path)
            elif owner != type_ and entry.get(name) is not None:
                message = f'a promise of type {type_} has no property "{name}"'
                builder.add("unknown-property", message, (*path, name), key=True, hint=f"{owner} has it")
        if type_ == "MAX_DURATION" and isinstance(entry.get("duration"), str):
            check_duration(builder, entry["duration"], (*path, "duration"))
