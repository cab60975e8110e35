"""One task after the other."""

from __future__ import annotations

from typing import Any

from engine.core.flowable.opening import NOTHING, Opening
from engine.core.flowable.scope import Next, Scope, nexts_in_order, outcome_of
from engine.model.state import State


def expression(task: Any) -> None:
    """Nothing to evaluate."""
    return


def begin(task: Any, value: Any) -> Opening | str:
    return NOTHING


def nexts(scope: Scope) -> list[Next]:
    return nexts_in_order(scope, scope.tasks("tasks"))


def outcome(scope: Scope) -> State | None:
    return outcome_of(scope, len(scope.tasks("tasks")))
