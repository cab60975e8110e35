"""Whether a flow's legacy listener applies to the execution that has just ended."""

from __future__ import annotations

from engine.core.draft import Draft


def listener_holds(draft: Draft, index: int) -> bool:
    """Whether all conditions of the flow's listener `index` hold."""
    return False
