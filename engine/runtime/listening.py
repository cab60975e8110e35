"""Flow triggers: hear what executions have come to, and start the flows that wait for that.

Always true: what was announced is heard at least once and starts at most one execution of each trigger, in the order in
which it was announced. What a trigger remembers of it is stored together with what it starts.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from msgspec.structs import replace

from engine.core.facts import Facts
from engine.core.triggering import Memory, judge
from engine.errors import Fenced, PenstockError
from engine.expressions import Functions
from engine.model.execution import Execution
from engine.model.flow import Flow
from engine.model.scheduling import Announcement, TriggerKey, TriggerState
from engine.model.triggers import FlowTrigger
from engine.ports import Store
from engine.runtime.firing import Firing, Reason
from engine.runtime.watched import OWN, AwaitEnd

log = logging.getLogger(__name__)

#: How many announcements are worked off before they are taken off the list.
_PAGE = 50


class Listening:
    """`flow_of` gives the flow that an execution runs, `functions` what the expressions of a flow may call."""

    def __init__(
        self,
        store: Store,
        firing: Firing,
        facts: Facts,
        flow_of: Callable[[Execution], Flow],
        functions: Callable[[Flow], Functions],
        await_end: AwaitEnd,
    ) -> None:
        self._store = store
        self._firing = firing
        self._facts = facts
        self._flow_of = flow_of
        self._functions = functions
        self._await_end = await_end
        self._listeners: Mapping[TriggerKey, tuple[Flow, FlowTrigger]] = {}

    def attend(self, listeners: Mapping[TriggerKey, tuple[Flow, FlowTrigger]]) -> None:
        """From now on, these listen."""
        self._listeners = listeners

    def work_off(self) -> None:
        """Hear all that has been announced. One engine at a time does it."""
        with self._store.alone("announcements") as is_alone:
            while is_alone and (told := self._store.announcements(_PAGE)):
                states = {state.key: state for state in self._store.trigger_states()}
                for announcement in told:
                    self._hear(announcement, states)
                self._store.heard([announcement.id for announcement in told])

    def _hear(self, announcement: Announcement, states: dict[TriggerKey, TriggerState]) -> None:
        interested = [
            (key, flow, trigger)
            for key, (flow, trigger) in self._listeners.items()
            if announcement.state in trigger.states and key in states
        ]
        execution = self._store.execution(announcement.execution_id) if interested else None
        if execution is None:
            return
        try:
            upstream = self._flow_of(execution)
        except PenstockError as error:
            log.warning("nobody can listen to %s: %s", execution.id, error.message)
            return
        for key, flow, trigger in interested:
            try:
                states[key] = self._judge(flow, trigger, states[key], upstream, execution, announcement)
            except Fenced:
                log.info("the trigger %s is off by now", key)
            except Exception as error:  # one flow's trigger is in no other's way
                log.exception("the trigger %s could not be asked about %s", key, execution.id)
                problem = self._firing.masker.text(str(error))
                states[key] = self._noted(replace(states[key], problem=problem), announcement)

    def _judge(
        self,
        flow: Flow,
        trigger: FlowTrigger,
        state: TriggerState,
        upstream: Flow,
        execution: Execution,
        announcement: Announcement,
    ) -> TriggerState:
        """What the trigger has come to by an announcement."""
        memory, at = Memory.read(state.memory), announcement.at
        functions = self._functions(flow)
        verdict = judge(flow, trigger, upstream, execution, announcement.state, at, memory, functions, self._facts)
        if not verdict.fires and verdict.memory == memory and verdict.problem is None:
            return state
        key = f"{execution.id}:{announcement.state.value}:{at.isoformat()}"  # it may come to a state more than once
        if self._store.fire(state.key.scope, key) is not None:
            return state  # heard before, and then this engine or another one was ended
        problem = self._firing.masker.text(verdict.problem) if verdict.problem is not None else None
        come = replace(state, memory=verdict.memory.stored(), problem=problem)
        if not verdict.fires:
            if problem is not None:
                log.warning("the trigger %s cannot tell about %s: %s", state.key, execution.id, problem)
            return self._noted(come, announcement)
        reason = Reason(
            key=key,
            at=at,
            variables=verdict.variables,
            inputs=verdict.inputs,
            labels=verdict.labels,
            inherited=execution.labels,
            problem=verdict.problem,
            quiet=True,
        )
        return self._start(flow, trigger, reason, replace(come, problem=None), announcement)

    def _start(
        self, flow: Flow, trigger: FlowTrigger, reason: Reason, state: TriggerState, announcement: Announcement
    ) -> TriggerState:
        execution_id = self._firing.id_of(state.key, reason.key, announcement.at)
        if trigger.stop_after:
            self._await_end(state.key, OWN, execution_id)
        started = replace(state, last_at=announcement.at, execution_id=execution_id, updated_at=announcement.at)
        begun = self._firing.begin(flow, trigger, reason, started)
        if begun.blocked is None:
            return started
        log.warning("the trigger %s starts nothing after %s: %s", state.key, announcement.execution_id, begun.blocked)
        return self._noted(replace(state, problem=begun.blocked), announcement)

    def _noted(self, state: TriggerState, announcement: Announcement) -> TriggerState:
        state = replace(state, updated_at=announcement.at)
        self._store.move_trigger(state, ["memory", "problem"])
        return state
