"""What the executions that a trigger has started mean for those that it starts next."""

from __future__ import annotations

from engine.model.execution import Execution
from engine.model.listeners import Trigger
from engine.model.state import State
from engine.model.triggers import HttpTrigger, TimedTrigger


def stops_after(trigger: Trigger, state: State) -> bool:
    """Whether an execution of the trigger that ends so disables it."""
    return state in trigger.stop_after


def must_wait(trigger: Trigger, started: Execution | None) -> bool:
    """Whether the trigger starts nothing while what it started last is not over.

    Only triggers that are asked again and again wait. Who calls, or has ended, will not do so a second time.
    """
    asked = isinstance(trigger, TimedTrigger | HttpTrigger)
    return asked and not trigger.allow_concurrent and started is not None and not started.is_over
