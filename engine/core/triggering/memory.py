"""What a Flow trigger remembers: which of the things that it waits for have happened, by whom, and when.

Always true: it goes to JSON and back, and says nothing about windows; `gathering` tells what of it still counts.
What happened may be heard of again after a crash, and is known then.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from engine.model.execution import JsonMap
from engine.model.state import State


class Satisfied(Struct, frozen=True, kw_only=True):
    """An execution that is one of those waited for. `at` is when it came to its state."""

    execution_id: str
    namespace: str
    flow_id: str
    state: State
    at: datetime
    outputs: JsonMap = {}  #: of its flow

    @property
    def key(self) -> str:
        """What tells it from all others."""
        return f"{self.execution_id}:{self.state}:{self.at.isoformat()}"


class Memory(Struct, frozen=True, kw_only=True):
    """By what is waited for together, and then by the name of each: the last execution that was it."""

    satisfied: Mapping[str, Mapping[str, Satisfied]] = {}
    #: By what is waited for together: the keys of what has counted last.
    heard: Mapping[str, tuple[str, ...]] = {}

    @classmethod
    def read(cls, stored: Any) -> Memory:
        """From what `stored` gave; None is no memory. Raises ValueError for anything else."""
        return cls() if stored is None else msgspec.convert(stored, cls)

    def stored(self) -> Any:
        """As JSON has it; None when there is nothing to remember."""
        return msgspec.to_builtins(self) if self.satisfied or self.heard else None
