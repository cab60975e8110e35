"""What a rule of a migration is, and what its migrations have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from engine.dialect.migrate.draft import Draft
from engine.dialect.types import TypeIndex


class Rule(Struct, frozen=True, kw_only=True):
    """One kind of construct. `before`, `after` and `caution` are for the documentation."""

    name: str  #: for programs, in kebab-case
    before: str
    after: str | None  #: None where it is only told
    apply: Callable[[Draft, TypeIndex], None]
    caution: str | None = None  #: what is left to a person, or means a little less than before


def quoted(text: str) -> str:
    """A text inside an expression."""
    return "'" + text.replace("'", "\\'") + "'"


def bare(template: Any) -> str | None:
    """`a.b` of the text `{{ a.b }}`; None for anything but a single expression."""
    text = template.strip() if isinstance(template, str) else ""
    inner = text[2:-2]
    if not (text.startswith("{{") and text.endswith("}}")) or "{{" in inner or "}}" in inner or "{%" in inner:
        return None
    return inner.strip().strip("-").strip() or None
