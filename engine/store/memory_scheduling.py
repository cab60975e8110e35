"""Deployments, the state of triggers, fires and announcements, without a database."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from threading import RLock
from typing import Any

from engine.errors import Fenced
from engine.model.scheduling import Announcement, Deployment, Fire, TriggerKey, TriggerState
from engine.ports import PROGRESS, ExecutionChange
from engine.store import scheduling_rows as rows
from engine.store.codec import to_micros


class MemoryScheduling:
    """The part of `MemoryStore` that is about triggers; it shares its lock."""

    def __init__(self, lock: RLock) -> None:
        self._lock = lock
        self._deployments: dict[tuple[str, str], tuple[Any, ...]] = {}
        self._triggers: dict[TriggerKey, dict[str, Any]] = {}
        self._fires: dict[tuple[str, str], tuple[Any, ...]] = {}
        self._announcements: dict[int, Announcement] = {}
        self._last_announcement = 0

    def deploy(self, deployment: Deployment) -> None:
        with self._lock:
            self._deployments[deployment.namespace, deployment.flow_id] = rows.deployment_row(deployment)

    def undeploy(self, namespace: str, flow_id: str) -> bool:
        with self._lock:
            for key in [key for key in self._triggers if key[:2] == (namespace, flow_id)]:
                if self._triggers[key]["disabled"]:
                    forgotten = dict.fromkeys(("definition", "next_at", "memory", "backfill", "backfill_at"))
                    self._triggers[key].update(forgotten)
                else:
                    del self._triggers[key]
            return self._deployments.pop((namespace, flow_id), None) is not None

    def deployments(self) -> list[Deployment]:
        with self._lock:
            return [rows.read_deployment(row) for _, row in sorted(self._deployments.items())]

    def trigger_states(self) -> list[TriggerState]:
        with self._lock:
            return [rows.read_trigger([*row.values()]) for _, row in sorted(self._triggers.items())]

    def trigger_state(self, key: TriggerKey) -> TriggerState | None:
        with self._lock:
            row = self._triggers.get(key)
            return None if row is None else rows.read_trigger([*row.values()])

    def move_trigger(self, state: TriggerState, fields: Collection[str]) -> None:
        row = rows.trigger_row(state)
        with self._lock:
            stored = self._triggers.setdefault(state.key, row)
            stored.update({name: row[name] for name in (*fields, "updated_at")})

    def move_triggers(self, states: Sequence[TriggerState], fields: Collection[str]) -> None:
        with self._lock:
            for state in states:
                self.move_trigger(state, fields)

    def fire(self, scope: str, key: str) -> Fire | None:
        with self._lock:
            row = self._fires.get((scope, key))
            return None if row is None else rows.read_fire(row)

    def forget_fires(self, before: datetime) -> int:
        with self._lock:
            old = [key for key, row in self._fires.items() if row[3] < to_micros(before)]
            for key in old:
                del self._fires[key]
            return len(old)

    def announcements(self, limit: int = 100) -> list[Announcement]:
        with self._lock:
            return [*self._announcements.values()][:limit]

    def heard(self, announcements: Sequence[int]) -> None:
        with self._lock:
            for id_ in announcements:
                self._announcements.pop(id_, None)

    def alone(self, what: str) -> AbstractContextManager[bool]:
        return nullcontext(enter_result=True)

    # -- what goes with a commit

    def _check_scheduling(self, changes: Sequence[ExecutionChange]) -> None:
        begun: set[tuple[str, str]] = set()
        for change in changes:
            if change.fire is not None:
                reason = (change.fire.scope, change.fire.key)
                if reason in self._fires or reason in begun:
                    raise Fenced(f"{reason[0]} has begun an execution for {reason[1]} before")
                begun.add(reason)
            if change.trigger is not None and self._triggers.get(change.trigger.key, {"disabled": True})["disabled"]:
                raise Fenced(f"the trigger {change.trigger.key} is disabled or gone")

    def _keep_scheduling(self, changes: Sequence[ExecutionChange]) -> None:
        for change in changes:
            if change.fire is not None:
                self._fires[change.fire.scope, change.fire.key] = rows.fire_row(change.fire)
            if change.trigger is not None:
                self.move_trigger(change.trigger, PROGRESS)
            for state, at in change.announced:
                self._last_announcement += 1
                told = Announcement(id=self._last_announcement, execution_id=change.after.id, state=state, at=at)
                self._announcements[told.id] = told

    def _forget_announcements(self, execution_id: str) -> None:
        self.heard([id_ for id_, told in self._announcements.items() if told.execution_id == execution_id])
