"""What a rule of a migration is, and what its migrations have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from engine.dialect.document import Path
from engine.dialect.migrate.draft import Draft
from engine.dialect.types import TypeIndex


class Rule(Struct, frozen=True, kw_only=True):
    """One kind of construct. `before` and `after` are for the documentation; `after` is None where it is only told."""

    name: str  #: for programs, in kebab-case
    before: str
    after: str | None
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


def shown(path: Path) -> str:
    """A place in a flow, as people say it."""
    return ".".join(str(step) for step in path)
