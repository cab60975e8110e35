"""Begins executions that no person begins: each for a reason that counts once.

Always true: an execution's id follows from its reason, and it is stored in one transaction with the reason and with how
far its trigger has come by it; asking again, here or in another engine, changes nothing. What cannot be created for a
mistake in the flow or its inputs is created as one that has failed, to be seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct, field

from engine.errors import ExecutionBlocked, Fenced, InputsInvalid
from engine.model.flow import Flow
from engine.model.listeners import Trigger
from engine.model.scheduling import Fire, TriggerKey, TriggerState
from engine.ports import Store
from engine.runtime.creation import Creator, NewExecution, Origin
from engine.runtime.ids import derived_id
from engine.runtime.loop import Loop
from engine.runtime.masking import Masker


class Reason(Struct, frozen=True, kw_only=True):
    """Why a trigger is to start its flow, and with what. `key` tells its reasons apart.

    `problem` is what could not be told: the execution is one that has failed. With `quiet`, one whose inputs the flow
    does not take is not created at all.
    """

    key: str
    at: datetime
    variables: Mapping[str, Any]  #: what `trigger.*` shows
    inputs: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    inherited: Mapping[str, str] | None = None  #: the labels of the execution that it comes of
    problem: str | None = None
    quiet: bool = False


class Begun(Struct, frozen=True, kw_only=True):
    """The execution of a reason. `again`: it had been begun before. `blocked`: there is none, and why."""

    execution_id: str
    again: bool = False
    blocked: str | None = None


class Firing:
    """`loop` moves what is begun. Any thread may use it."""

    def __init__(self, loop: Callable[[], Loop], creator: Creator, store: Callable[[], Store]) -> None:
        self.masker = Masker()  #: hears the secrets that the expressions of triggers are given
        self._loop = loop
        self._creator = creator
        self._store = store

    @staticmethod
    def id_of(key: TriggerKey, reason: str, at: datetime) -> str:
        """The id of what a trigger begins for a reason."""
        return derived_id(at, key.scope, reason)

    def begin(self, flow: Flow, trigger: Trigger, reason: Reason, state: TriggerState | None = None) -> Begun:
        """Begin what a trigger wants. `state` is how far it has come by that; None is of no account.

        Raises Fenced when the trigger is disabled or not deployed any more, StoreError.
        """
        key = TriggerKey(flow.namespace, flow.id, trigger.id)
        execution_id = self.id_of(key, reason.key, reason.at)
        fire = Fire(scope=key.scope, key=reason.key, execution_id=execution_id, at=reason.at)
        try:
            new = self._made(flow, trigger, reason, execution_id)
        except (ExecutionBlocked, InputsInvalid) as refused:
            return Begun(execution_id=execution_id, blocked=self.masker.text(refused.message))
        first = self.store(new, fire, state)
        return Begun(execution_id=first.execution_id, again=first is not fire)

    def store(self, new: NewExecution, fire: Fire, state: TriggerState | None = None) -> Fire:
        """Begin an execution for a reason; the fire that counts, which is an earlier one if there was one.

        Raises Fenced for a trigger that is disabled or not deployed any more, StoreError.
        """
        try:
            with new.uploaded(lambda id_: self._store().execution(id_) is not None):
                self._loop().submit(new.flow, new.execution, fire, state).result()
        except Fenced:
            first = self._store().fire(fire.scope, fire.key)
            if first is None:
                raise
            return first
        return fire

    def _made(self, flow: Flow, trigger: Trigger, reason: Reason, execution_id: str) -> NewExecution:
        told = {"id": trigger.id, "type": trigger.type, "variables": dict(reason.variables)}
        origin = Origin(trigger=told, labels=reason.inherited)
        if reason.problem is not None:
            why = f"the trigger `{trigger.id}`: {self.masker.text(reason.problem)}"
            return self._creator.failed(flow, why, execution_id, origin)
        try:
            return self._creator.create(flow, reason.inputs, reason.labels, execution_id, origin)
        except InputsInvalid as error:
            if reason.quiet:
                raise
            why = f"the trigger `{trigger.id}`: {self.masker.text(error.message)}"
            return self._creator.failed(flow, why, execution_id, origin)
