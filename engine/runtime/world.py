"""What the runtime is given: every adapter it needs, chosen by the composition root."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct, field

from engine.core import Facts
from engine.model.execution import Execution
from engine.model.flow import Flow
from engine.model.scheduling import TriggerKey
from engine.ports import Cipher, Clock, Store
from engine.runtime.creation import Creator
from engine.runtime.heralds import Heralds
from engine.runtime.outside import Reach
from engine.sdk import Effect, Task
from engine.sdk.process.policy import ProcessPolicy


class TaskTypes(Protocol):
    """The catalog, as far as running tasks needs it."""

    def task_class(self, type_: str) -> type[Task]: ...

    def effect(self, type_: str) -> Effect: ...


class FlowSource(Protocol):
    """Where flows come from."""

    def find(self, namespace: str, flow_id: str, revision: int | None = None) -> Flow:
        """A stored flow, by default its newest revision. Raises NotFound, FlowInvalid."""

    def flow_of(self, execution: Execution) -> Flow:
        """The revision that an execution runs. Raises NotFound, FlowInvalid."""


class World(Struct, frozen=True, kw_only=True):
    store: Store
    types: TaskTypes
    clock: Clock
    facts: Facts
    cipher: Cipher  #: seals and opens the secrets among inputs and outputs
    flows: FlowSource  #: what tasks may begin
    creator: Creator
    #: Has a trigger start executions or not.
    switch_trigger: Callable[[TriggerKey, bool], None] = lambda key, enabled: None
    resume: Callable[[str, Mapping[str, Any] | None], object]  #: lets a paused execution go on, with its inputs
    working: Path | None = None  #: where working folders are; None: where the system keeps what is temporary
    outside: Reach  #: what the expressions and the tasks of an asker may call out to
    process_policy: ProcessPolicy = ProcessPolicy()
    is_patient: bool = False  #: whether what is under way waits for room on the disk, rather than to be given up
    heralds: Heralds = field(default_factory=Heralds)  #: tell of states that triggers listen to
