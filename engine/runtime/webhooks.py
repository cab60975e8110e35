"""Calls from outside that start flows.

Always true: a call that is answered with an execution is stored with it. One that names itself (`delivery`) starts one
execution however often it comes, and each time that one is the answer. Whoever does not know the key learns nothing.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from engine.core.facts import Facts
from engine.core.triggering import body_of, called
from engine.core.triggering.verdict import context_of
from engine.errors import ExpressionError, InputsInvalid, NotFound
from engine.expressions import Functions, language
from engine.model.flow import Flow
from engine.model.scheduling import TriggerKey
from engine.model.triggers import Webhook
from engine.runtime.firing import Firing, Reason
from engine.runtime.ids import new_id
from engine.runtime.triggers import DeployedTrigger, Triggers

log = logging.getLogger(__name__)


class Webhooks:
    """`functions` is what the expressions of a flow's triggers may call; `on_started` hears what may stop its trigger.

    Any thread may use it.
    """

    def __init__(
        self,
        triggers: Triggers,
        firing: Firing,
        facts: Callable[[], Facts],
        functions: Callable[[Flow], Functions],
        now: Callable[[], datetime],
        on_started: Callable[[TriggerKey, str], None],
    ) -> None:
        self._triggers = triggers
        self._firing = firing
        self._facts = facts
        self._functions = functions
        self._now = now
        self._on_started = on_started

    def call(
        self,
        namespace: str,
        flow_id: str,
        key: str,
        body: bytes = b"",
        headers: Mapping[str, Sequence[str]] | None = None,
        parameters: Mapping[str, Sequence[str]] | None = None,
        delivery: str | None = None,
    ) -> tuple[TriggerKey, str] | None:
        """Start what a call wants: which trigger it was, and the execution's id; None when its conditions say no.

        Raises NotFound, alike for a wrong key and an unknown flow; InputsInvalid for what the flow does not take.
        """
        found = self._find(namespace, flow_id, key)
        flow, trigger = found.flow, found.trigger
        assert isinstance(trigger, Webhook)
        at, functions = self._now(), self._functions(flow)
        try:
            verdict = called(flow, trigger, body_of(body), headers or {}, parameters or {}, functions, self._facts())
        except ExpressionError as error:
            raise InputsInvalid([self._firing.masker.text(error.message)]) from None
        if verdict.problem is not None:
            log.warning("the webhook %s cannot tell: %s", found.key, self._firing.masker.text(verdict.problem))
        if not verdict.fires:
            return None
        reason = Reason(
            key=f"delivery/{delivery}" if delivery is not None else f"call/{new_id()}",
            at=at,
            variables=verdict.variables,
            inputs=verdict.inputs,
            labels=verdict.labels,
            quiet=True,
        )
        begun = self._firing.begin(flow, trigger, reason)
        if begun.blocked is not None:
            raise InputsInvalid([begun.blocked])
        if trigger.stop_after:
            self._on_started(found.key, begun.execution_id)
        return found.key, begun.execution_id

    def _find(self, namespace: str, flow_id: str, key: str) -> DeployedTrigger:
        for found in self._triggers.all(namespace, flow_id):
            is_meant = found.key.namespace == namespace and isinstance(found.trigger, Webhook) and found.is_on
            if is_meant and hmac.compare_digest(self._key_of(found).encode(), key.encode(errors="surrogatepass")):
                return found
        raise NotFound("there is no such webhook", hint="is the flow deployed, and is the key right?")

    def _key_of(self, found: DeployedTrigger) -> str:
        flow, trigger = found.flow, found.trigger
        assert isinstance(trigger, Webhook)
        context = context_of(flow, trigger, self._facts(), {})
        return str(language(flow.expressions).render(trigger.key, context, self._functions(flow)))
