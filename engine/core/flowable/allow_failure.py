"""Like Sequential, but a failure among its tasks is a warning of the whole."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from engine.core.flowable.opening import Closing
from engine.core.flowable.sequential import begin, expression, nexts, outcome, question
from engine.model.state import State

__all__ = ["begin", "close", "expression", "nexts", "outcome", "question"]


def close(task: Any, run: Any, state: State, value: Any, at: datetime) -> Closing | str:
    return Closing(State.WARNING if state is State.FAILED else state)
