"""Conditions about an execution, or about the flow that asks. They read what is there; nothing is looked up."""

from __future__ import annotations

from collections.abc import Callable

from engine.core.conditions.subject import Subject
from engine.model.conditions import (
    ExecutionFlow,
    ExecutionLabels,
    ExecutionNamespace,
    ExecutionStatus,
    FlowCondition,
    FlowNamespaceCondition,
    HasRetryAttempt,
)
from engine.model.state import SHOWN_AS, State

_COMPARE: dict[str, Callable[[str, str], bool]] = {
    "EQUALS": str.__eq__,
    "PREFIX": str.startswith,
    "SUFFIX": str.endswith,
}


def execution_flow(condition: ExecutionFlow, subject: Subject) -> bool:
    execution = subject.the_execution("ExecutionFlow")
    wanted = (subject.text(condition.namespace), subject.text(condition.flow_id))
    return (execution.namespace, execution.flow_id) == wanted


def execution_namespace(condition: ExecutionNamespace, subject: Subject) -> bool:
    execution = subject.the_execution("ExecutionNamespace")
    comparison = condition.comparison or ("PREFIX" if condition.prefix else "EQUALS")
    return _COMPARE[comparison](execution.namespace, subject.text(condition.namespace))


def execution_labels(condition: ExecutionLabels, subject: Subject) -> bool:
    labels = subject.the_execution("ExecutionLabels").labels
    return all(labels.get(key) == subject.text(value) for key, value in condition.labels.items())


def execution_status(condition: ExecutionStatus, subject: Subject) -> bool:
    return _among(subject.the_execution("ExecutionStatus").state, condition)


def has_retry_attempt(condition: HasRetryAttempt, subject: Subject) -> bool:
    runs = subject.the_execution("HasRetryAttempt").task_runs.values()
    attempts = (attempt for run in runs if len(run.attempts) > 1 for attempt in run.attempts)
    return any(_among(SHOWN_AS[attempt.state], condition) for attempt in attempts)


def flow_condition(condition: FlowCondition, subject: Subject) -> bool:
    wanted = (subject.text(condition.namespace), subject.text(condition.flow_id))
    return (subject.flow.namespace, subject.flow.id) == wanted


def flow_namespace_condition(condition: FlowNamespaceCondition, subject: Subject) -> bool:
    compare = _COMPARE["PREFIX" if condition.prefix else "EQUALS"]
    return compare(subject.flow.namespace, subject.text(condition.namespace))


def _among(state: State, condition: ExecutionStatus | HasRetryAttempt) -> bool:
    return (condition.in_ is None or state in condition.in_) and state not in (condition.not_in or ())
