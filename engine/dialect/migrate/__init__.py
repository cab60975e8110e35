"""Flows from one dialect to the other, by edits of their text: `migrate` does it, `RULES` is all that it knows."""

from engine.dialect.migrate.pipeline import Migration, Rewritten, migrate
from engine.dialect.migrate.rules import RULES

__all__ = ["RULES", "Migration", "Rewritten", "migrate"]
