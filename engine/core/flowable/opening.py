"""What a container fixes when it begins, and what becomes of it when its tasks have ended."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from engine.model.execution import Item
from engine.model.state import State


class Opening(Struct, frozen=True):
    """`outputs` are the container's own outputs, `items` the values of a loop.

    `state` is RUNNING, or PAUSED for one that waits; then `due` is when it goes on by itself (None: never).
    """

    outputs: Mapping[str, Any] | None = None
    items: tuple[Item, ...] | None = None
    state: State = State.RUNNING
    due: datetime | None = None


class Closing(Struct, frozen=True):
    """How a container ends: its state, and its outputs if they are other ones now.

    With `again` it does not end: it waits until then for its next round. `note` is a line for the log (level, text).
    `is_last`: no further round of the loop around it begins.
    """

    state: State
    outputs: Mapping[str, Any] | None = None
    again: datetime | None = None
    note: tuple[str, str] | None = None
    is_last: bool = False


NOTHING = Opening()
