"""A flow's text under change: edits at the places the document knows, made all at once.

Nothing is printed anew but what is new itself, so comments, order, indentation and quotes stay as they are. What
cannot be changed at its place is left, and said: a draft never raises for what is written.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from engine.dialect.document import Document, Node, Path
from engine.dialect.migrate.fragments import entry, inline, items
from engine.dialect.migrate.layout import Layout
from engine.dialect.positions import places

_SPECIAL = re.compile(r"[\"\\\n]")


class Change(NamedTuple):
    """The text from `start` to `end` (characters of the whole text) becomes `text`."""

    start: int
    end: int
    text: str


class Remark(NamedTuple):
    """What a person must look at: because it was left as it is, or (`left` is false) because it was not."""

    offset: int
    message: str
    hint: str | None
    left: bool


class Draft:
    """One document, and the changes that a rule wants made to its text."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.data: Any = document.data
        self.layout = Layout(document)
        self.changes: list[Change] = []
        self.remarks: list[Remark] = []
        self.wanted: Any = None  #: what the text must say once it is changed, where a rule knows
        self._placed: dict[tuple[Path, bool], list[int] | None] = {}

    # -- what a person must know

    def leave(self, path: Path, message: str, hint: str | None = None, *, at: int = 0, key: bool = False) -> None:
        """Say that something stays as it is. `at` is a character of the text at `path`."""
        self.remarks.append(Remark(self._offset_of(path, at, key), message, hint, left=True))

    def note(self, path: Path, message: str, hint: str | None = None, *, key: bool = False) -> None:
        """Say that something is rewritten, and means a little less, or more, than before."""
        self.remarks.append(Remark(self._offset_of(path, 0, key), message, hint, left=False))

    # -- changes

    def rename(self, path: Path, name: str) -> None:
        """Give a property another name."""
        start, end = self.layout.key(path)
        self._change(start, end, self.layout.text[start:end].replace(str(path[-1]), name))

    def respell(self, path: Path, text: str) -> None:
        """Put one word in the place of another, in the quotes that it has."""
        node = self._own(path)
        if node is None:
            return
        start, end = self.layout.scalar(node)
        written = self.layout.text[start:end]
        quote = written[:1] if written[:1] in ("'", '"') else ""
        self._change(start, end, f"{quote}{text}{quote}" if written[:1] not in "|>" else inline(text) + self.newline)

    def put(self, path: Path, value: Any) -> None:
        """Put a new value in the place of an old one, on one line."""
        node = self._own(path)
        if node is not None:
            start, end = self.layout.extent(node)
            self._change(start, end, inline(value))

    def add(self, path: Path, name: str, value: Any, *, after: str | None = None) -> None:
        """Give the map at `path`, which has some, one more property: behind the property `after`, or at its end."""
        node = self._own(path)
        if node is None or not isinstance(node.children, dict):
            return
        own = self.layout.own(node)
        if not own:
            self.leave(path, "all that stands here comes from elsewhere", "write it out first")
            return
        after = after if after in own else own[-1]
        if self.layout.is_flow(node):
            self._add_inline(node, entry(name, value, flow=True)[0], node.children[after])
        else:
            row = self.layout.last_row(node, after)
            self._insert_rows(row + 1, node.keys[own[0]].start_mark.column, entry(name, value, flow=False))

    def add_items(self, path: Path, values: Sequence[Any], *, first: bool) -> None:
        """Give the list at `path`, which has some, more entries: at its beginning or its end."""
        node = self._own(path)
        if node is None or not isinstance(node.children, list) or not (values and node.children):
            return
        if self.layout.is_flow(node):
            self._add_inline(node, items(list(values), flow=True)[0], None if first else node.children[-1])
            return
        lines = items(list(values), flow=False)
        dash_row, dash = self.layout.dash(node.children[0])
        row = dash_row if first else self.layout.end_row(node, dash) + 1
        self._insert_rows(row, dash, lines)

    def wrap(self, path: Path, head: Mapping[str, Any], name: str) -> None:
        """Make the list at `path` a property, `name`, of the only entry of a new list. `head` is the rest of it."""
        node = self._own(path)
        if node is None or not isinstance(node.children, list) or not node.children:
            return
        if self.layout.is_flow(node):
            start, end = self.layout.extent(node)
            self._change(start, start, f"[{{{inline(dict(head))[1:-1]}, {name}: ")
            self._change(end, end, "}]")
            return
        first, column = self.layout.dash(node.children[0])
        lines = items([dict(head)], flow=False)
        self._insert_rows(first, column, [*lines, f"  {name}:"])
        for row in range(first, self.layout.end_row(node, column) + 1):
            if self.layout.line(row).strip():
                at = self.layout.offset(row, 0)
                self._change(at, at, "    ")

    def remove(self, path: Path) -> None:
        """Take a property away, with all below it; comments between its lines stay."""
        self.replace(path, ())

    def replace(self, path: Path, lines: Sequence[tuple[str, Any]]) -> None:
        """Put other properties in the place of one. Comments between its lines stay, above the new ones."""
        parent = self.document.node(path[:-1])
        node = self._own(path[:-1])
        name = str(path[-1])
        if parent is None or node is None or not isinstance(parent.children, dict):
            return
        if name not in self.layout.own(parent):
            self.leave(path, f'"{name}" comes from another part of the file', "write it out first")
            return
        if self.layout.is_flow(parent):
            self._replace_inline(parent, name, lines)
            return
        key = parent.keys[name].start_mark
        first, last = key.line, self.layout.last_row(parent, name)
        comments = self.layout.comments(parent.children[name], parent.keys[name], last)
        written = [line for new, value in lines for line in entry(new, value, flow=False)]
        start, end = self.layout.offset(first, key.column), self.layout.row_end(last)
        pad = self.newline + " " * key.column
        if comments or written:
            self._change(start, end, pad.join([*comments, *written]))
        elif self.layout.line(first)[: key.column].strip():  # the first property of a list's entry
            following = self.layout.following_key(parent, name)
            if following is None:
                self.leave(path, f'"{name}" is all there is here', "remove the entry", key=True)
            else:
                self._change(start, following, "")
        else:
            self._change(self.layout.offset(self.layout.gap(first, last), 0), self.layout.offset(last + 1, 0), "")

    def edit(self, path: Path, start: int, end: int, text: str, *, key: bool = False) -> None:
        """Change characters inside a text (or a key) of the document, however it is quoted or folded."""
        placed = self._places(path, key)
        if placed is None or _SPECIAL.search(text):
            self.leave(path, "this text is written in a way that cannot be edited here", "write it on one line")
            return
        opening = self.layout.text[placed[0] - 1 : placed[0]]
        self._change(placed[start], placed[end], text.replace("'", "''") if opening == "'" else text)

    # -- the result

    @property
    def newline(self) -> str:
        return "\r\n" if "\r\n" in self.layout.text else "\n"

    def ordered(self) -> list[Change] | None:
        """The changes from the first to the last, none twice; None when two of them are about the same text."""
        changes = sorted(dict.fromkeys(self.changes), key=lambda change: (change.start, change.end))
        tangled = any(before.end > after.start for before, after in pairwise(changes))
        return None if tangled else changes

    # -- how it is done

    def _change(self, start: int, end: int, text: str) -> None:
        self.changes.append(Change(start, end, text))

    def _own(self, path: Path) -> Node | None:
        """The node at `path`, unless it is an alias: changing it here would change it elsewhere too."""
        node = self.document.node(path)
        if node is not None and self.layout.is_alias(node):
            self.leave(path, "this is an alias of another part of the file", "write it out first")
            return None
        return node

    def _offset_of(self, path: Path, at: int, key: bool) -> int:
        placed = self._places(path, key) if at else None
        if placed is not None:
            return placed[min(at, len(placed) - 1)]
        span = self.document.span(path, key=key)
        return self.layout.offset(span.line - 1, span.column - 1)

    def _places(self, path: Path, key: bool) -> list[int] | None:
        if (path, key) not in self._placed:
            span = self.document.span(path, key=key)
            text = path[-1] if key else self.document.data_at(path)
            found = places(self.document.source.lines, span.line - 1, span.column - 1, str(text))
            self._placed[path, key] = None if found is None else [self.layout.offset(*place) for place in found]
        return self._placed[path, key]

    def _insert_rows(self, row: int, column: int, lines: Sequence[str]) -> None:
        text = "".join(" " * column + line + self.newline if line else self.newline for line in lines)
        at = self.layout.offset(row, 0)
        if row > 0 and at == len(self.layout.text) and not self.layout.text.endswith(("\n", "\r")):
            text = self.newline + text.removesuffix(self.newline)
        self._change(at, at, text)

    def _add_inline(self, node: Node, text: str, last: Node | None) -> None:
        """Write an entry into a flow list or map: behind `last`, or before all others."""
        if last is None:
            at = self.layout.start(node) + 1
            self._change(at, at, f"{text}, ")
        else:
            at = self.layout.extent(last)[1]
            self._change(at, at, f", {text}")

    def _replace_inline(self, parent: Node, name: str, lines: Sequence[tuple[str, Any]]) -> None:
        assert isinstance(parent.children, dict)
        start, end = self.layout.mark(parent.keys[name].start_mark), self.layout.extent(parent.children[name])[1]
        written = ", ".join(entry(new, value, flow=True)[0] for new, value in lines)
        if not written:
            own = self.layout.own(parent)
            if at := own.index(name):
                start = self.layout.extent(parent.children[own[at - 1]])[1]
            elif following := self.layout.following_key(parent, name):
                end = following
        self._change(start, end, written)


def applied(text: str, changes: Sequence[Change]) -> str:
    """The text with all changes made. They are in order and touch different places."""
    pieces, at = [], 0
    for change in changes:
        pieces += [text[at : change.start], change.text]
        at = change.end
    return "".join([*pieces, text[at:]])


def before(changes: Sequence[Change], offset: int) -> int:
    """Where a character of the changed text was before; inside a new piece, where that piece begins."""
    shift, starts, shifts = 0, [], []
    for change in changes:
        starts.append(change.start + shift)
        shifts.append(shift)
        shift += len(change.text) - (change.end - change.start)
    index = bisect_right(starts, offset) - 1
    if index < 0:
        return offset
    change, old = changes[index], shifts[index]
    if offset < change.start + old + len(change.text):
        return change.start
    return offset - old - len(change.text) + (change.end - change.start)
