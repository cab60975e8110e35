"""A call of a webhook: what its flow sees of it, and whether it starts the flow."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from engine.core.conditions import Subject, holds
from engine.core.facts import Facts
from engine.core.rendering import answer
from engine.core.triggering.verdict import Verdict, context_of, every, furnished
from engine.errors import ExpressionError
from engine.expressions import Functions, language, truthy
from engine.model.flow import Flow
from engine.model.listeners import Trigger
from engine.model.triggers import Webhook


def called(
    flow: Flow,
    trigger: Webhook,
    body: Any,
    headers: Mapping[str, Sequence[str]],
    parameters: Mapping[str, Sequence[str]],
    functions: Functions,
    facts: Facts,
) -> Verdict:
    """Whether a call starts the flow. `body` is as `body_of` reads it; headers are in lower case from here on.

    A condition that cannot be answered counts as no: what is sent is not the author's. Raises ExpressionError for
    inputs and labels that cannot be rendered, which is for the caller to know.
    """
    variables = {
        "body": None if trigger.fetch_type == "NONE" else body,
        "headers": {name.lower(): list(values) for name, values in headers.items()},
        "parameters": {name: list(values) for name, values in parameters.items()},
    }
    context = context_of(flow, trigger, facts, variables)
    try:
        if not conditions_hold(flow, trigger, context, functions):
            return Verdict()
    except ExpressionError as error:
        return Verdict(problem=error.message)
    return furnished(Verdict(fires=True, variables=variables), flow, trigger, context, functions)


def body_of(content: bytes) -> Any:
    """What was sent: a map or a list of JSON, else the text, or bytes in Base64; null for nothing."""
    if not content:
        return None
    try:
        value = msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError):
        value = None
    if isinstance(value, (dict, list)):
        return value
    try:
        return content.decode()
    except UnicodeDecodeError:
        return b64encode(content).decode()


def conditions_hold(flow: Flow, trigger: Trigger, context: Mapping[str, Any], functions: Functions) -> bool:
    """Whether `when` and all conditions hold of something that is no execution. Raises ExpressionError."""
    subject = Subject(flow=flow, context=context, functions=functions)
    written_in, when = language(flow.expressions), trigger.when

    def is_wanted() -> bool:
        return when is None or truthy(answer("when", when, context, functions, written_in))

    return every([is_wanted, *(partial(holds, condition, subject) for condition in trigger.conditions)])
