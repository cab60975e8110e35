"""What a listener is, what every condition and every trigger is. Their kinds are in `engine.model.conditions` and
`engine.model.triggers`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field, StringConstraints

from engine.model.definition import Definition
from engine.model.properties import Labels
from engine.model.state import State
from engine.model.task import LogLevel, Task

TriggerId = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._-]*$", max_length=256)]


class Condition(Definition):
    """One question, answered with yes or no. `type` is canonical (aliases are resolved)."""

    #: Canonical type string first, then its aliases.
    TYPES: ClassVar[tuple[str, ...]] = ()

    type: str

    @property
    def inner(self) -> tuple[Condition, ...]:
        """The conditions that it is made of."""
        return ()


class Trigger(Definition):
    """What every trigger has, whatever starts it. `type` is canonical (aliases are resolved)."""

    #: Canonical type string first, then its aliases.
    TYPES: ClassVar[tuple[str, ...]] = ()

    id: TriggerId
    type: str
    description: str | None = None
    disabled: bool = False
    conditions: tuple[Condition, ...] = ()  #: all must hold; Kestra 1.x
    when: str | bool | None = None  #: must hold; Kestra 2.0
    labels: Labels = Field(default_factory=dict)
    inputs: Mapping[str, Any] = Field(default_factory=dict)
    stop_after: tuple[State, ...] = ()  #: an execution that ends in one of these disables the trigger
    log_level: LogLevel | None = None
    log_to_file: bool = False
    allow_concurrent: bool = False  #: start also while the execution that it started before is running


class Listener(Definition):
    """Tasks that run after an execution has ended, if all conditions hold for it. They change its state no more."""

    conditions: tuple[Condition, ...] = ()
    tasks: tuple[Task, ...] = Field(min_length=1)
    description: str | None = None
