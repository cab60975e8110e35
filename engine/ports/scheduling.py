"""What a store remembers of triggers, and of what has begun executions."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from engine.model.scheduling import Announcement, Deployment, Fire, TriggerKey, TriggerState
from engine.model.state import State


class SchedulingStore(Protocol):
    """As every store: each verb is one transaction, done or not done."""

    def deploy(self, deployment: Deployment) -> None:
        """Switch the triggers of a flow on, as they are in this revision; in place of another one."""

    def undeploy(self, namespace: str, flow_id: str) -> bool:
        """Switch them off, and forget how far they have come, but not which are disabled. False: they were not on."""

    def deployments(self) -> list[Deployment]:
        """All flows whose triggers are on, by namespace and id."""

    def trigger_states(self) -> list[TriggerState]:
        """All that is remembered of triggers, by their keys; also of those whose flows are not deployed."""

    def trigger_state(self, key: TriggerKey) -> TriggerState | None:
        """What is remembered of one."""

    def move_trigger(self, state: TriggerState, fields: Collection[str]) -> None:
        """Remember these fields of it, and `updated_at`; what is not named stays, or is new as the state has it."""

    def move_triggers(self, states: Sequence[TriggerState], fields: Collection[str]) -> None:
        """Remember these fields of all of them, in one transaction."""

    def fire(self, scope: str, key: str) -> Fire | None:
        """What was begun for this reason."""

    def forget_fires(self, before: datetime) -> int:
        """Remove those that are older. How many."""

    def announcements(self, limit: int = 100) -> list[Announcement]:
        """What has been announced and not heard, in order."""

    def heard(self, announcements: Sequence[int]) -> None:
        """These need not be heard again."""

    def alone(self, what: str) -> AbstractContextManager[bool]:
        """While the block runs, no other engine is in a block of this name; False when another one is."""

    def states(self, execution_ids: Sequence[str]) -> Mapping[str, State]:
        """The states of those executions that there are."""
