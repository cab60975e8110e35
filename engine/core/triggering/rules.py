"""What the executions that a trigger has started mean for the trigger."""

from __future__ import annotations

from engine.model.listeners import Trigger
from engine.model.state import State


def stops_after(trigger: Trigger, state: State) -> bool:
    """Whether an execution of the trigger that ends so disables it."""
    return state in trigger.stop_after
