"""One task after the other. The modules of other containers take from here what they do not do otherwise."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from engine.core.flowable.opening import NOTHING, Closing, Opening
from engine.core.flowable.scope import Next, Scope, nexts_in_order
from engine.core.ledger import main_state
from engine.model.state import State


def expression(task: Any) -> tuple[str, Any] | None:
    """Nothing to evaluate."""
    return None


def begin(task: Any, value: Any, at: datetime) -> Opening | str:
    return NOTHING


def nexts(scope: Scope) -> list[Next]:
    return nexts_in_order(scope, scope.tasks("tasks"))


def outcome(scope: Scope) -> State | None:
    return main_state(scope.main, len(scope.tasks("tasks")))


def question(task: Any, state: State) -> tuple[str, Any] | None:
    """Nothing to evaluate."""
    return None


def close(task: Any, run: Any, state: State, value: Any, at: datetime) -> Closing | str:
    return Closing(state)
