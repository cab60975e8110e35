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

#: The length of an escape in double quotes, by its letter; all others have two characters.
_ESCAPES = {"x": 4, "u": 6, "U": 10}


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
    if offset is None:
        return start
    first = document.source.line(start.line)[start.column - 1 :]
    if first[:1] in ("'", '"') and "\n" not in text:
        column = _in_quotes(first[1:], first[0], text, offset)
        return start if column is None else Span(start.line, start.column + 1 + column)
    return _in_lines(document, start, first[:1] in ("|", ">"), text, offset)


def _in_quotes(written: str, quote: str, text: str, offset: int) -> int | None:
    """How far into the quoted text the character stands, escapes counted as they are written."""
    place, found = 0, None
    for index in range(len(text) + 1):
        if index == offset:
            found = place
        if place >= len(written):
            return None  # the text goes on in the next line
        if written[place] == "\\" and quote == '"':
            place += _ESCAPES.get(written[place + 1 : place + 2], 2)
        elif written[place : place + 2] == "''" and quote == "'":
            place += 2
        elif index < len(text) and written[place] != text[index]:
            return None
        else:
            place += 1
    return found


def _in_lines(document: Document, start: Span, block: bool, text: str, offset: int) -> Span:
    """The line of the text is looked for among those of the file: a block, or plain text, is there as it is."""
    before = text[:offset]
    row, column = before.count("\n"), len(before) - (before.rfind("\n") + 1)
    wanted = text.split("\n")[row]
    number = start.line + row + block
    line = document.source.line(number)
    if row == 0 and not block:
        found = start.column - 1 if line.startswith(wanted, start.column - 1) else -1
    else:
        found = len(line) - len(wanted) if wanted and line.endswith(wanted) else -1
    return Span(number, found + column + 1) if found >= 0 else start
