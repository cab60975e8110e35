"""The syntax of every expression that a flow holds, checked where it stands.

Only syntax: what a name refers to is `engine.check`'s business. Texts for people are not expressions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from engine.dialect.build import Builder
from engine.dialect.document import Document, Path
from engine.dialect.positions import places
from engine.dialect.source import Span
from engine.errors import ExpressionError
from engine.model.diagnostic import Severity

#: Properties whose text is shown and never rendered.
PROSE = frozenset({"id", "type", "description", "displayName"})
#: Rendered only if the flow asks for it with render(), so a text that is no expression may well be meant.
RAW = "variables"


def check_templates(builder: Builder, data: Mapping[str, Any]) -> None:
    """Note every expression that cannot be parsed."""
    from engine.expressions import check_syntax

    for path, text in templates(data):
        try:
            check_syntax(text)
        except ExpressionError as error:
            message = error.message.partition(" used in the expression ")[0].rstrip(",: ")
            raw = path[0] == RAW
            builder.note(
                "expression-syntax",
                message + (" (it matters only where render() is used)" if raw else ""),
                span_in(builder.document, path, text, error.offset),
                hint=error.hint,
                severity=Severity.WARNING if raw else Severity.ERROR,
            )


def templates(data: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every text with an expression in it, and its path."""
    if isinstance(data, str):
        if "{{" in data or "{%" in data or "{#" in data:
            yield path, data
    elif isinstance(data, Mapping):
        for key, value in data.items():
            if key not in PROSE:
                yield from templates(value, (*path, key))
    elif isinstance(data, list):
        for index, item in enumerate(data):
            yield from templates(item, (*path, index))


def span_in(document: Document, path: Path, text: str, offset: int | None) -> Span:
    """Where a character of a text stands in the file; where the text starts when that cannot be told."""
    start = document.span(path)
    found = places(document.source.lines, start.line - 1, start.column - 1, text) if offset is not None else None
    if found is None or offset is None:
        return start
    row, column = found[min(offset, len(found) - 1)]
    return Span(row + 1, column + 1)
