"""A changed copy of a frozen, slotted dataclass: `dataclasses.replace` at a third of its price.

An execution moves by making copies, several for each task, so this is the engine's hottest line. The values were
valid when they were made and the changes come from the core, so nothing is initialised anew.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


_Slot = tuple[str, Callable[[Any], Any], Callable[[Any, Any], None]]
_slots: dict[type, tuple[_Slot, ...]] = {}


def _slots_of(cls: type) -> tuple[_Slot, ...]:
    members = ((name, vars(cls)[name]) for name in vars(cls)["__slots__"])
    return _slots.setdefault(cls, tuple((name, member.__get__, member.__set__) for name, member in members))


def evolve(value: T, **changes: Any) -> T:
    """`value` with other values in the named fields. Raises TypeError for a field that it does not have."""
    cls = type(value)
    copy = object.__new__(cls)
    used = 0
    for name, read, write in _slots.get(cls) or _slots_of(cls):
        if name in changes:
            write(copy, changes[name])
            used += 1
        else:
            write(copy, read(value))
    if used != len(changes):
        raise TypeError(f"{cls.__name__} has no field among {sorted(changes)}")
    return copy
