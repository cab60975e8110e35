"""What comes of judging a trigger, and what an execution that it starts is given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from engine.core.context import TENANT
from engine.core.facts import Facts
from engine.core.rendering import deep
from engine.core.triggering.memory import Memory
from engine.errors import ExpressionError
from engine.expressions import Functions, language
from engine.model.execution import JsonMap
from engine.model.flow import Flow
from engine.model.listeners import Trigger


class Verdict(Struct, frozen=True, kw_only=True):
    """Whether an execution is to be started, and with what.

    `problem` is what could not be told. Where it `fires` nevertheless, the execution is one that failed, with that
    reason; else nothing is started, and the reason is worth a line in the log.
    """

    fires: bool = False
    problem: str | None = None
    variables: JsonMap = {}  #: `trigger.*` of the execution
    inputs: JsonMap = {}
    labels: Mapping[str, str] = {}
    memory: Memory = Memory()  #: what a Flow trigger remembers from now on


def context_of(flow: Flow, trigger: Trigger, facts: Facts, variables: Mapping[str, Any]) -> dict[str, Any]:
    """What the expressions of a trigger see that is about no execution."""
    return {
        "flow": {"id": flow.id, "namespace": flow.namespace, "revision": flow.revision, "tenantId": TENANT},
        "trigger": {"id": trigger.id, "type": trigger.type, **variables},
        "vars": flow.variables,
        "labels": flow.labels,
        "envs": facts.envs,
        "globals": facts.globals,
    }


def furnished(
    verdict: Verdict, flow: Flow, trigger: Trigger, context: Mapping[str, Any], functions: Functions
) -> Verdict:
    """A verdict with the inputs and labels that the trigger gives. Raises ExpressionError."""
    written_in = language(flow.expressions)
    inputs = deep(trigger.inputs, context, functions, written_in)
    labels = {
        written_in.render(name, context, functions): written_in.render(value, context, functions)
        for name, value in trigger.labels.items()
    }
    return replace(verdict, inputs=inputs, labels=labels)


def every(questions: Iterable[Callable[[], bool]]) -> bool:
    """Whether all is so. One no is enough, whatever cannot be told: ExpressionError only where it matters."""
    return not some(_denied(question) for question in questions)


def some(questions: Iterable[Callable[[], bool]]) -> bool:
    """Whether one is so. One yes is enough, whatever cannot be told: ExpressionError only where it matters."""
    trouble: ExpressionError | None = None
    for question in questions:
        try:
            if question():
                return True
        except ExpressionError as error:
            trouble = trouble or error
    if trouble is not None:
        raise trouble
    return False


def _denied(question: Callable[[], bool]) -> Callable[[], bool]:
    return lambda: not question()
