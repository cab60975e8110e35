"""What a container fixes when it begins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct


class Opening(Struct, frozen=True):
    """`outputs` are the container's own outputs, `items` the values of a loop."""

    outputs: Mapping[str, Any] | None = None
    items: tuple[str, ...] | None = None


NOTHING = Opening()
