"""Where the lines of a document's pieces begin and end in its text, comments and blank lines included.

Rows and columns count from 0, offsets are characters of the whole text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from engine.dialect.document import Document, Node, Path
from engine.dialect.source import LINE_BREAK

_PROPERTIES = re.compile(r"(?:[&!]\S*\s+)*")
_WHOLE = re.compile(r"\s*(?:-\s+)*(#.*)")
_TRAILING = re.compile(r"[\s:,\]}]*\s(#.*)")


class Layout:
    """The text of one document, seen as lines."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.text = document.source.text
        self._starts = [0, *(match.end() for match in LINE_BREAK.finditer(self.text))]

    def line(self, row: int) -> str:
        return self.document.source.line(row + 1)

    def offset(self, row: int, column: int) -> int:
        return self._starts[row] + column if row < len(self._starts) else len(self.text)

    def row_end(self, row: int) -> int:
        """Behind the last character of a row."""
        return self.offset(row, len(self.line(row)))

    def mark(self, mark: Any) -> int:
        return self.offset(mark.line, mark.column)

    def key(self, path: Path) -> tuple[int, int]:
        """From where to where a property's name stands."""
        parent = self.document.node(path[:-1])
        assert parent is not None
        at = parent.keys[str(path[-1])]
        return self.mark(at.start_mark), self.mark(at.end_mark)

    def start(self, node: Node) -> int:
        """Where a value begins, behind its anchor and its tag."""
        at = self.mark(node.start)
        properties = _PROPERTIES.match(self.text, at)
        return properties.end() if properties else at

    def scalar(self, node: Node) -> tuple[int, int]:
        return self.start(node), self.mark(node.end)

    def extent(self, node: Node) -> tuple[int, int]:
        """From where to where a value stands, without the comments and blank lines behind it."""
        start, end = self.start(node), self.mark(node.end)
        if self.is_flow(node) or (node.children is None and self.text[start : start + 1] not in ("|", ">")):
            return start, end
        return start, self.row_end(self.end_row(node, node.start.column - 1))

    def is_flow(self, node: Node) -> bool:
        return node.children is not None and self.text[self.start(node) : self.start(node) + 1] in ("{", "[")

    def is_alias(self, node: Node) -> bool:
        return self.text[self.mark(node.start) : self.mark(node.start) + 1] == "*"

    def end_row(self, node: Node, column: int) -> int:
        """The last row of a value that belongs to a key or dash at `column`."""
        row: int = node.end.line
        if not self.line(row)[: node.end.column].strip() and row > node.start.line:
            row -= 1
        while row > node.start.line and self._is_behind(self.line(row), column):
            row -= 1
        return row

    def last_row(self, parent: Node, name: str) -> int:
        """The last row of a property."""
        assert isinstance(parent.children, dict)
        key = parent.keys[name].start_mark
        row: int = key.line
        return max(row, self.end_row(parent.children[name], key.column))

    def dash(self, item: Node) -> tuple[int, int]:
        """Row and column of the dash before an entry of a list."""
        row: int = item.start.line
        column: int = item.start.column
        while "-" not in self.line(row)[:column]:
            row -= 1
            column = len(self.line(row))
        return row, self.line(row).rindex("-", 0, column)

    def gap(self, first: int, last: int) -> int:
        """Where to begin when rows are taken away: earlier than `first`, lest two gaps become one of twice the size."""
        if not self.line(last + 1).strip():
            while first > 0 and not self.line(first - 1).strip():
                first -= 1
        return first

    def own(self, node: Node) -> list[str]:
        """The properties that stand in a map itself, in order; not those that `<<` brings in from elsewhere."""
        start, end = self.mark(node.start), self.mark(node.end)
        at = {name: self.mark(event.start_mark) for name, event in node.keys.items()}
        return sorted((name for name, mark in at.items() if start <= mark < end), key=at.__getitem__)

    def following_key(self, parent: Node, name: str) -> int | None:
        """Where the next property of the same map begins."""
        marks = sorted(self.mark(at.start_mark) for at in parent.keys.values())
        own = self.mark(parent.keys[name].start_mark)
        return next((mark for mark in marks if mark > own), None)

    def comments(self, node: Node, key: Any, last: int) -> list[str]:
        """The comments on the rows of a property, in order."""
        ends: dict[int, int] = {key.start_mark.line: key.end_mark.column}
        text_rows: set[int] = set()
        for event in _events(node):
            start, end = event
            ends[end.line] = max(ends.get(end.line, 0), end.column)
            text_rows.update(range(start.line + 1, end.line + (end.column > 0)))
        found = []
        for row in range(key.start_mark.line, last + 1):
            line = self.line(row)
            if row not in text_rows and (whole := _WHOLE.match(line)):
                found.append(whole.group(1).rstrip())
            elif row in ends and (trailing := _TRAILING.fullmatch(line[ends[row] :].rstrip())):
                found.append(trailing.group(1))
        return found

    def _is_behind(self, line: str, column: int) -> bool:
        """Whether a row is blank, or a comment that stands too far to the left to belong to what is above it."""
        indent = len(line) - len(line.lstrip())
        return not line.strip() or (line.lstrip().startswith("#") and indent <= column)


def _events(node: Node) -> Iterator[tuple[Any, Any]]:
    """Where the texts below a node stand, names included."""
    if node.children is None:
        yield node.start, node.end
        return
    yield from ((at.start_mark, at.end_mark) for at in node.keys.values())
    children = node.children.values() if isinstance(node.children, dict) else node.children
    for child in children:
        yield from _events(child)
