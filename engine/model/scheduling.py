"""What is remembered of triggers: which flows have theirs on, how far each has come, and what each has started.

Always true: every instant is in UTC and aware. What these records mean is said in `docs/scheduling.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from msgspec import Struct

from engine.model.state import State


class TriggerKey(NamedTuple):
    """Which trigger."""

    namespace: str
    flow_id: str
    trigger_id: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.flow_id}/{self.trigger_id}"

    @property
    def scope(self) -> str:
        """That of its fires."""
        return f"trigger/{self}"


class Deployment(Struct, frozen=True, kw_only=True):
    """A flow whose triggers are on, at one revision. `origin` is the file that it comes from, or "push"."""

    namespace: str
    flow_id: str
    revision: int
    origin: str
    at: datetime


class Fire(Struct, frozen=True, kw_only=True):
    """A reason that begins one execution and never another.

    `scope` is whose reason it is, such as a trigger's; `key` tells its reasons apart: an instant, the id of a delivery,
    an upstream execution and its state. `digest` is that of what came with it, where that must be the same each time.
    """

    scope: str
    key: str
    execution_id: str
    at: datetime
    digest: str | None = None


class Backfill(Struct, frozen=True, kw_only=True):
    """The dates from `start` to `end`, to be made up for because a person asked. `id` is made anew for each."""

    id: str
    start: datetime
    end: datetime
    inputs: Mapping[str, Any] = {}
    labels: Mapping[str, str] = {}
    paused: bool = False


class TriggerState(Struct, frozen=True, kw_only=True):
    """How far a trigger has come."""

    namespace: str
    flow_id: str
    trigger_id: str
    disabled: bool = False  #: by a person, a task or `stopAfter`, whatever the flow says
    definition: str | None = None  #: what it was when `next_at` and `memory` came to be
    next_at: datetime | None = None  #: the first date that it has not dealt with
    last_at: datetime | None = None  #: the last one that it has
    execution_id: str | None = None  #: what it started last
    backfill: Backfill | None = None
    backfill_at: datetime | None = None  #: the last date of the backfill that it has dealt with
    memory: Any = None  #: of one that listens to flows: what has happened in its window
    failures: int = 0  #: how often in a row it could not be dealt with
    retry_at: datetime | None = None  #: until then it is left alone
    problem: str | None = None  #: why
    updated_at: datetime

    @property
    def key(self) -> TriggerKey:
        return TriggerKey(self.namespace, self.flow_id, self.trigger_id)


class Announcement(Struct, frozen=True, kw_only=True):
    """An execution has come to a state that triggers may listen to, and nobody has looked at that yet."""

    id: int
    execution_id: str
    state: State
    at: datetime
