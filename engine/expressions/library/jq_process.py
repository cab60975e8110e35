"""jq programs that are more than a path, in a process of their own: the C library cannot be interrupted."""

from __future__ import annotations

from typing import Any

from engine.expressions.faults import Unavailable


def run(program: str, value: Any) -> list[Any]:
    """The results of a jq program."""
    raise Unavailable("This jq program is not available here,", code="function-unavailable")
