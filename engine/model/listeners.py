"""What a listener is, and what every condition is; the kinds of condition are in `engine.model.conditions`."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from engine.model.definition import Definition
from engine.model.task import Task


class Condition(Definition):
    """One question, answered with yes or no. `type` is canonical (aliases are resolved)."""

    #: Canonical type string first, then its aliases.
    TYPES: ClassVar[tuple[str, ...]] = ()

    type: str

    @property
    def inner(self) -> tuple[Condition, ...]:
        """The conditions that it is made of."""
        return ()


class TriggerConditions(Definition):
    """What of a trigger is conditions, whatever kind of trigger it is."""

    conditions: tuple[Condition, ...] = ()
    schedule_conditions: tuple[Condition, ...] = ()  #: the older name of a Schedule's


class Listener(Definition):
    """Tasks that run after an execution has ended, if all conditions hold for it. They change its state no more."""

    conditions: tuple[Condition, ...] = ()
    tasks: tuple[Task, ...] = Field(min_length=1)
    description: str | None = None
