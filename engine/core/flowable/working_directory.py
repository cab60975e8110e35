"""One task after the other, all in one folder."""

from __future__ import annotations

from engine.core.flowable.sequential import begin, close, expression, nexts, outcome, question

__all__ = ["begin", "close", "expression", "nexts", "outcome", "question"]
