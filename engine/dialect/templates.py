"""The syntax of every expression that a flow holds, checked where it stands.

Only syntax: what a name refers to is `engine.check`'s business. Texts for people are not expressions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from engine.dialect.build import Builder
from engine.dialect.document import Document, Path
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
    """Where a character of a text stands in the file; where the text starts when that cannot be told.

    The line of the text is looked for among the lines of the file: it is there, character by character, when the
    text is a block (`|`), plain, or quoted without escapes.
    """
    start = document.span(path)
    if offset is None:
        return start
    before = text[:offset]
    row, column = before.count("\n"), len(before) - (before.rfind("\n") + 1)
    wanted = text.split("\n")[row]
    first = document.source.line(start.line)[start.column - 1 :]
    block = first[:1] in ("|", ">")
    line = document.source.line(start.line + row + block)
    if row == 0 and not block:
        found = start.column - 1 if first.startswith(wanted) else start.column if first[1:].startswith(wanted) else -1
    else:
        found = len(line) - len(wanted) if wanted and line.endswith(wanted) else -1
    return Span(start.line + row + block, found + column + 1) if found >= 0 else start
