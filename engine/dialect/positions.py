"""Which character of the file each character of a YAML text comes from.

A text can be folded, indented, quoted and escaped; a finding inside it must still point at the right column. The text
is laid over its source again, by the rules of its style. Always true: an answer has been compared with the text
character by character, so it is right or it is None.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

#: (character, or None for an escape; row and column in the file, both from 0)
Placed = tuple[str | None, int, int]

_PROPERTIES = re.compile(r"(?:[&!]\S*\s+)*")
_BLOCK = re.compile(r"([|>])(?:[+-]?([1-9])?[+-]?)\s*(?:#.*)?$")
#: The length of an escape in double quotes, by its letter; all others have two characters.
_ESCAPES = {"x": 4, "u": 6, "U": 10}


def places(lines: Sequence[str], row: int, column: int, text: str) -> list[tuple[int, int]] | None:
    """The row and column of each character of `text`, and of its end, when it starts at `row` and `column`."""
    line = lines[row] if row < len(lines) else ""
    match = _PROPERTIES.match(line, column)
    column = match.end() if match else column
    block = _BLOCK.match(line, column)
    if block is None:
        quote = line[column : column + 1]
        quoted = quote in ("'", '"')
        return _laid(text, _flow(lines, row, column + quoted, quote if quoted else ""))
    for indentation in _indentations(lines, row, block.group(2)):
        rows = _folded if block.group(1) == ">" else _literal
        found = _laid(text, rows(lines, row + 1, indentation))
        if found is not None:
            return found
    return None


def _laid(text: str, written: Iterator[Placed]) -> list[tuple[int, int]] | None:
    """The places of a text's characters, if it is what was written."""
    found: list[tuple[int, int]] = []
    for wanted, (char, row, column) in zip(text, written, strict=False):
        if char is not None and char != wanted:
            return None
        found.append((row, column))
    if len(found) < len(text) or not found:
        return None
    row, column = found[-1]
    return [*found, (row, column + 1)]


def _indentations(lines: Sequence[str], row: int, indicator: str | None) -> Iterator[int]:
    """How far a block may be indented: as its first line, or less where an indicator says so."""
    first = next((line for line in lines[row + 1 :] if line.strip(" ")), "")
    indented = len(first) - len(first.lstrip(" "))
    yield from range(int(indicator), indented + 1) if indicator else (indented,)


def _literal(lines: Sequence[str], row: int, indentation: int) -> Iterator[Placed]:
    for number in range(row, len(lines)):
        line = lines[number]
        yield from ((line[column], number, column) for column in range(indentation, len(line)))
        yield "\n", number, len(line)


def _folded(lines: Sequence[str], row: int, indentation: int) -> Iterator[Placed]:
    breaks, before = 0, ""
    at = (row, indentation)
    for number in range(row, len(lines)):
        line = lines[number]
        content = line[indentation:]
        if not content:
            breaks += 1
            continue
        if before:
            kept = content[0] in " \t" or before[0] in " \t"  # lines that are indented further are not folded
            yield from ((char, *at) for char in _break(breaks + kept))
        else:
            yield from (("\n", *at) for _ in range(breaks))
        yield from ((line[column], number, column) for column in range(indentation, len(line)))
        breaks, before, at = 0, content, (number, len(line))
    yield from (("\n", *at) for _ in range(breaks + 1))


def _break(breaks: int) -> str:
    """What the end of a line becomes: a blank, or as many line ends as there are empty lines."""
    return "\n" * breaks or " "


def _flow(lines: Sequence[str], row: int, column: int, quote: str) -> Iterator[Placed]:
    """A plain or quoted text."""
    while row < len(lines):
        line = lines[row]
        end, joined = len(line.rstrip(" \t")), False
        while column < end:
            char = line[column]
            if quote == '"' and char == "\\":
                joined = column == end - 1
                length = 1 if joined else _ESCAPES.get(line[column + 1], 2)
                if not joined:
                    yield None, row, column
                column += length
            elif quote and char == quote:
                if quote == '"' or line[column + 1 : column + 2] != quote:
                    return
                yield char, row, column
                column += 2
            else:
                yield char, row, column
                column += 1
        at, breaks, row = (row, end), 0, row + 1
        while row < len(lines) and not lines[row].strip(" \t"):
            breaks, row = breaks + 1, row + 1
        if not joined or breaks:
            yield from ((char, *at) for char in _break(breaks))
        column = len(lines[row]) - len(lines[row].lstrip(" \t")) if row < len(lines) else 0
