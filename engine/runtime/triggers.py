"""What persons and tasks do to triggers: look at them, switch them, have dates made up for, call a webhook.

Always true: what is done here is in the store when it returns, wherever the database is owned; whoever watches the
triggers looks at it at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from engine.dialect.suggest import did_you_mean, nearest
from engine.errors import IllegalState, NotFound, PenstockError, UsageError
from engine.model.flow import Flow
from engine.model.listeners import Trigger
from engine.model.scheduling import Backfill, Deployment, TriggerKey, TriggerState
from engine.ports import Clock, Store
from engine.runtime.ids import new_id
from engine.runtime.library import Library
from engine.runtime.writes import MoveTrigger, Write


class DeployedTrigger(Struct, frozen=True, kw_only=True):
    """A trigger of a deployed flow. `state` is None until a scheduler has seen it."""

    key: TriggerKey
    flow: Flow
    trigger: Trigger
    state: TriggerState | None

    @property
    def is_on(self) -> bool:
        return not (self.flow.disabled or self.trigger.disabled or (self.state is not None and self.state.disabled))


class Triggers:
    """`write` makes a write wherever the database is owned. Any thread may use it."""

    def __init__(
        self, store: Callable[[], Store], library: Library, write: Callable[[Write], int], clock: Clock
    ) -> None:
        self._store = store
        self._library = library
        self._write = write
        self._clock = clock

    # -- looking

    def all(self, namespace: str | None = None, flow_id: str | None = None) -> list[DeployedTrigger]:
        """The triggers of deployed flows, of a namespace and those below it, or of one flow; by their keys."""
        states = {state.key: state for state in self._store().trigger_states()}
        found: list[DeployedTrigger] = []
        for deployment in self._store().deployments():
            below = namespace is None or f"{deployment.namespace}.".startswith(f"{namespace}.")
            if below and flow_id in (None, deployment.flow_id):
                found += self._of(deployment, states)
        return found

    def _of(self, deployment: Deployment, states: Mapping[TriggerKey, TriggerState]) -> list[DeployedTrigger]:
        try:
            flow = self._library.find(deployment.namespace, deployment.flow_id, deployment.revision)
        except PenstockError:  # what it needs is gone; the server says so
            return []
        keys = {TriggerKey(flow.namespace, flow.id, trigger.id): trigger for trigger in flow.triggers}
        return [
            DeployedTrigger(key=key, flow=flow, trigger=trigger, state=states.get(key)) for key, trigger in keys.items()
        ]

    def one(self, key: TriggerKey) -> DeployedTrigger:
        """A trigger of a deployed flow. Raises NotFound."""
        deployed = [each for each in self._store().deployments() if (each.namespace, each.flow_id) == key[:2]]
        if not deployed:
            raise NotFound(
                f"the flow {key.namespace}/{key.flow_id} is not deployed",
                hint="a server deploys what is in its flows folder; `penstock flows push FILE` deploys one by hand",
            )
        state = self._store().trigger_state(key)
        found = {each.key: each for each in self._of(deployed[0], {} if state is None else {key: state})}
        if key not in found:
            near = nearest(key.trigger_id, [each.trigger_id for each in found])
            raise NotFound(
                f"the flow {key.namespace}/{key.flow_id} has no trigger `{key.trigger_id}`", hint=did_you_mean(near)
            )
        return found[key]

    # -- switching

    def disable(self, key: TriggerKey) -> None:
        """Have it start nothing until it is enabled again. What comes meanwhile is not made up for."""
        self.switch(self.one(key).key, False)

    def enable(self, key: TriggerKey) -> None:
        """Have it start executions again, from now on. Raises IllegalState when the flow itself says it is disabled."""
        if self.one(key).trigger.disabled:
            raise IllegalState(f"the flow says that {key} is disabled", hint="remove `disabled: true` there")
        self.switch(key, True)

    def switch(self, key: TriggerKey, enabled: bool) -> None:
        """As `enable` and `disable`, also for a trigger that is not there yet."""
        state = TriggerState(**key._asdict(), disabled=not enabled, updated_at=self._clock.now())
        self._write(MoveTrigger(state=state, fields=("disabled", "next_at", "failures", "retry_at", "problem")))

    # -- making up for dates

    def backfill(
        self,
        key: TriggerKey,
        start: datetime,
        end: datetime,
        inputs: Mapping[str, Any] | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> Backfill:
        """Start an execution for each date of a Schedule from `start` to `end`. Raises IllegalState, UsageError."""
        from engine.model.triggers import Schedule  # with its conditions: a run does without

        found = self.one(key)
        if not isinstance(found.trigger, Schedule):
            raise UsageError(f"{key} is no Schedule, so it has no dates to make up for")
        if not found.is_on:
            raise IllegalState(f"the trigger {key} is disabled", hint="enable it first")
        if found.state is not None and found.state.backfill is not None:
            raise IllegalState(f"a backfill of {key} is not finished", hint="wait for it, or delete it first")
        if not start <= end <= self._clock.now():
            raise UsageError("a backfill is for dates that have been: from a start to an end that is not ahead")
        backfill = Backfill(id=new_id(), start=start, end=end, inputs=inputs or {}, labels=labels or {})
        self._set_backfill(key, backfill, "backfill_at")
        return backfill

    def pause_backfill(self, key: TriggerKey, *, paused: bool = True) -> Backfill:
        """Let no further date be made up for, or again. Raises IllegalState when there is no backfill."""
        backfill = replace(self._backfill_of(key), paused=paused)
        self._set_backfill(key, backfill)
        return backfill

    def delete_backfill(self, key: TriggerKey) -> None:
        """Make up for nothing more. What has begun goes on. Raises IllegalState when there is no backfill."""
        self._backfill_of(key)
        self._set_backfill(key, None, "backfill_at")

    def _backfill_of(self, key: TriggerKey) -> Backfill:
        state = self.one(key).state
        if state is None or state.backfill is None:
            raise IllegalState(f"there is no backfill of {key}")
        return state.backfill

    def _set_backfill(self, key: TriggerKey, backfill: Backfill | None, *more: str) -> None:
        state = TriggerState(**key._asdict(), backfill=backfill, updated_at=self._clock.now())
        self._write(MoveTrigger(state=state, fields=("backfill", *more)))
