"""What a task does to its own execution: labels, variables, an early end. Told with the task's answer, so done once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.core.draft import Draft
from engine.core.stopping import end_when_idle, kill
from engine.model.events import Effects
from engine.model.state import State


def perform(draft: Draft, effects: Effects) -> None:
    """Change the execution as the task says."""
    if effects.labels:
        draft.change_execution(labels={**draft.execution.labels, **effects.labels})
    if effects.variables or effects.unset:
        draft.change_execution(variables=_changed(variables(draft), effects))
    if effects.ending is State.KILLED:
        draft.log("WARN", "the execution is being stopped by its task")
        kill(draft)
    elif effects.ending is not None:
        end_when_idle(draft, effects.ending)


def variables(draft: Draft) -> Mapping[str, Any]:
    """The variables as they stand: the flow's own until a task has changed one."""
    own = draft.execution.variables
    return own if own is not None else draft.flow.variables


def _changed(before: Mapping[str, Any], effects: Effects) -> Mapping[str, Any]:
    after = merged(before, effects.variables or {})
    for path in effects.unset:
        after = without(after, path.split("."))
    return after


def merged(before: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Maps within maps are merged, everything else is replaced."""
    result = dict(before)
    for key, value in change.items():
        old = result.get(key)
        result[key] = merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return result


def without(values: Mapping[str, Any], path: list[str]) -> dict[str, Any]:
    """The map without what `path` leads to; a path that leads nowhere changes nothing."""
    head, *rest = path
    if not rest:
        return {key: value for key, value in values.items() if key != head}
    inner = values.get(head)
    return {**values, head: without(inner, rest)} if isinstance(inner, Mapping) else dict(values)
