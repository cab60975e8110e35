"""Diagnostics for people: where, what, the line itself, a caret under it, and what to do."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from engine.model.diagnostic import Diagnostic

_SHOWN = 160  #: characters of a line; a longer one is cut around the place


def format_diagnostic(finding: Diagnostic) -> str:
    """`file:line:column: error[code]: message`, the line, a caret, the hint."""
    head = f"{finding.file}:{finding.line}:{finding.column}: {finding.severity}[{finding.code}]: {finding.message}"
    lines = [_printable(head)]
    if finding.source_line is not None and finding.source_line.strip():
        lines += _excerpt(finding)
    if finding.hint:
        lines.append(f"    hint: {_printable(finding.hint)}")
    return "\n".join(lines)


def report(findings: Sequence[Diagnostic]) -> str:
    """All findings, one after the other."""
    return "\n\n".join(format_diagnostic(finding) for finding in findings)


def _excerpt(finding: Diagnostic) -> list[str]:
    line, column = finding.source_line or "", finding.column - 1
    start = max(0, column - _SHOWN // 2) if len(line) > _SHOWN else 0
    shown = line[start : start + _SHOWN]
    before = shown[: column - start]
    marked = shown[column - start : column - start + finding.width]
    caret = "".join("\t" if char == "\t" else " " * _cells(char) for char in before)
    return [f"    {_printable(shown)}", f"    {caret}{'^' * max(1, sum(map(_cells, marked)))}"]


def _printable(text: str) -> str:
    """The text without what would move the cursor or reorder the line on a terminal."""
    return "".join(char if char == "\t" or char.isprintable() else "\ufffd" for char in text)


def _cells(char: str) -> int:
    """How many columns of a terminal a character takes."""
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
