"""Decisions. `decide` is the only door; everything in this package is pure."""

from engine.core.decide import decide
from engine.core.draft import Decision
from engine.core.facts import Facts

__all__ = ["Decision", "Facts", "decide"]
