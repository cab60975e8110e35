"""What the runtime is given: every adapter it needs, chosen by the composition root."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from engine.core import Facts
from engine.expressions import Functions
from engine.ports import Cipher, Clock, Store
from engine.runtime.outside import Asker
from engine.sdk import Effect, Task


class TaskTypes(Protocol):
    """The catalog, as far as running tasks needs it."""

    def task_class(self, type_: str) -> type[Task]: ...

    def effect(self, type_: str) -> Effect: ...


class World(Struct, frozen=True, kw_only=True):
    store: Store
    types: TaskTypes
    clock: Clock
    facts: Facts
    cipher: Cipher  #: seals and opens the secrets among inputs and outputs
    #: What the expressions of an asker may call out to.
    functions: Callable[[Asker], Functions]
