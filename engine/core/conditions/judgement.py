"""`holds`: the answer to any condition, and to those that are made of others.

A condition that cannot be answered raises ExpressionError. What that means is for whoever asks: for a listener it
counts as no, for a Schedule it is a failed execution.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from msgspec.structs import replace

from engine.core.conditions import dates, executions
from engine.core.conditions.subject import Subject
from engine.core.context import UNAVAILABLE, Context
from engine.core.facts import Facts
from engine.core.rendering import answer, needs_outside
from engine.errors import ExpressionError
from engine.expressions import KESTRA, Functions, Language
from engine.model import conditions as nouns
from engine.model.execution import Execution
from engine.model.flow import Flow
from engine.model.listeners import Condition, Listener


def holds(condition: Condition, subject: Subject) -> bool:
    """Whether a condition holds. Raises ExpressionError with the reason when that cannot be told."""
    return _JUDGES[type(condition)](condition, subject)


def listener_applies(flow: Flow, execution: Execution, listener: Listener, facts: Facts, functions: Functions) -> bool:
    """Whether the tasks of a listener are to run after `execution` has ended.

    Raises ExpressionError when a condition cannot be answered: it counts as no, and the reason is worth a line in the
    log. Whether `functions` must reach outside, `calls_out(listener.conditions)` tells.
    """
    context = Context(flow, execution, None, facts)
    subject = Subject(flow=flow, execution=execution, context=context, functions=functions)
    return all(holds(condition, subject) for condition in listener.conditions)


def which_apply(listeners: Sequence[Listener], context: Context, functions: Functions) -> list[bool | str]:
    """Of each listener: whether it applies to the execution of `context`, or the reason why that cannot be told.

    Raises ExpressionError only for what somebody with other `functions` can tell.
    """
    found: list[bool | str] = []
    for listener in listeners:
        try:
            found.append(listener_applies(context.flow, context.execution, listener, context.facts, functions))
        except ExpressionError as error:
            if error.code == UNAVAILABLE:
                raise
            found.append(error.message)
    return found


def calls_out(conditions: Iterable[Condition], written_in: Language = KESTRA) -> bool:
    """Whether judging these asks for more than is at hand, so that a worker must do it."""
    return any(
        isinstance(condition, nouns.PublicHoliday)
        or any(needs_outside(value, written_in) for _, value in condition)
        or calls_out(condition.inner, written_in)
        for condition in conditions
    )


def satisfied(condition: nouns.MultipleCondition, subject: Subject) -> frozenset[str]:
    """The names of the conditions that are satisfied by now: what its window is to remember."""
    now = {name for name, inner in condition.conditions.items() if holds(inner, subject)}
    return subject.satisfied.get(condition.id, frozenset()) | now


def _expression(condition: nouns.Expression | nouns.ExecutionOutputs, subject: Subject) -> bool:
    # Not as loose as `runIf`: 0 and null hold here.
    rendered: str = answer("expression", condition.expression, subject.context, subject.functions, subject.written_in)
    return rendered.strip() not in ("", "false")


def _execution_outputs(condition: nouns.ExecutionOutputs, subject: Subject) -> bool:
    outputs = subject.the_execution("ExecutionOutputs").outputs
    if not outputs:
        return False
    trigger = {**(subject.context.get("trigger") or {}), "outputs": outputs}
    return _expression(condition, replace(subject, context={**subject.context, "trigger": trigger}))


def _not(condition: nouns.Not, subject: Subject) -> bool:
    return not any(holds(inner, subject) for inner in condition.conditions)


def _or(condition: nouns.Or, subject: Subject) -> bool:
    return any(holds(inner, subject) for inner in condition.conditions)


def _multiple_condition(condition: nouns.MultipleCondition, subject: Subject) -> bool:
    return satisfied(condition, subject) >= condition.conditions.keys()


_JUDGES: dict[type[Condition], Callable[[Any, Subject], bool]] = {
    nouns.DateTimeBetween: dates.date_time_between,
    nouns.TimeBetween: dates.time_between,
    nouns.DayWeek: dates.day_week,
    nouns.DayWeekInMonth: dates.day_week_in_month,
    nouns.Weekend: dates.weekend,
    nouns.PublicHoliday: dates.public_holiday,
    nouns.ExecutionFlow: executions.execution_flow,
    nouns.ExecutionNamespace: executions.execution_namespace,
    nouns.ExecutionLabels: executions.execution_labels,
    nouns.ExecutionStatus: executions.execution_status,
    nouns.HasRetryAttempt: executions.has_retry_attempt,
    nouns.FlowCondition: executions.flow_condition,
    nouns.FlowNamespaceCondition: executions.flow_namespace_condition,
    nouns.Expression: _expression,
    nouns.ExecutionOutputs: _execution_outputs,
    nouns.Not: _not,
    nouns.Or: _or,
    nouns.MultipleCondition: _multiple_condition,
}
