"""The syntax of every expression that a flow holds, checked where it stands.

Only syntax: what a name refers to is `engine.check`'s business. Texts for people are not expressions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from engine.dialect.build import Builder
from engine.dialect.codes import CODES
from engine.dialect.document import Document, Path
from engine.dialect.positions import places
from engine.dialect.source import Span
from engine.dialect.suggest import nearest
from engine.errors import ExpressionError
from engine.model.diagnostic import Diagnostic, Edit, Severity

if TYPE_CHECKING:
    from engine.expressions import Language
    from engine.expressions.entry import Kind

#: Properties whose text is shown and never rendered.
PROSE = frozenset({"id", "type", "description", "displayName"})
#: Rendered only if the flow asks for it with render(), so a text that is no expression may well be meant.
RAW = "variables"

#: Mistakes in the name of an operation, and which kind of operation it is.
_NAMED: Mapping[str, Kind] = {"unknown-filter": "filter", "unknown-function": "function", "unknown-test": "test"}
_WORD = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def check_templates(builder: Builder, data: Mapping[str, Any]) -> None:
    """Note every expression that cannot be parsed."""
    from engine.expressions import language

    written_in = language(data.get("expressions"))

    for path, text in templates(data):
        try:
            written_in.check_syntax(text)
        except ExpressionError as error:
            builder.findings.append(unparsed(builder.document, path, text, error, written_in))


def unparsed(document: Document, path: Path, text: str, error: ExpressionError, written_in: Language) -> Diagnostic:
    """What is said about a text that is no valid template."""
    message = error.message.partition(" used in the expression ")[0].rstrip(",: ")
    raw = path[0] == RAW
    span, edit = span_in(document, path, text, error.offset), None
    word = _WORD.match(text, error.offset) if error.offset is not None else None
    kind = _NAMED.get(error.code)
    if word is not None and kind is not None:
        span = span._replace(width=len(word[0]))
        close, end = nearest(word[0], written_in.names(kind)), span.column + span.width
        if close is not None and document.source.line(span.line)[span.column - 1 : end - 1] == word[0]:
            edit = Edit(line=span.line, column=span.column, end_line=span.line, end_column=end, text=close)
    return document.source.diagnostic(
        error.code if error.code in CODES else "expression-syntax",
        message + (" (it matters only where render() is used)" if raw else ""),
        span,
        hint=error.hint,
        severity=Severity.WARNING if raw else Severity.ERROR,
        edit=edit,
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
