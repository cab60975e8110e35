"""A file's text: how its bytes become characters, and how a finding shows the place it speaks of.

Always true: the text holds no character that YAML or the store would choke on, and lines are counted the way the
YAML parser counts them (it also ends a line at NEL, U+2028 and U+2029).
"""

from __future__ import annotations

import codecs
import re
from functools import cached_property
from typing import NamedTuple, NoReturn

from engine.dialect.codes import CODES
from engine.errors import FlowInvalid
from engine.model.diagnostic import Diagnostic, Edit, Severity

MAX_BYTES = 1024 * 1024

LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]|\ufeff")
_OTHER_ENCODINGS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


class Span(NamedTuple):
    """A place in a text: line and column count from 1, `width` is in characters and stays on the line."""

    line: int
    column: int
    width: int = 1


class Source:
    """A file's text under its name. Knows how to make a diagnostic that shows the offending line."""

    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self.file = file

    @cached_property
    def lines(self) -> list[str]:
        return LINE_BREAK.split(self.text)

    def line(self, number: int) -> str:
        """The line with this number, counted from 1; empty when there is none."""
        return self.lines[number - 1] if 0 < number <= len(self.lines) else ""

    def diagnostic(
        self,
        code: str,
        message: str,
        span: Span,
        *,
        hint: str | None = None,
        severity: Severity = Severity.ERROR,
        edit: Edit | None = None,
    ) -> Diagnostic:
        """A finding at a place of this file."""
        assert code in CODES, f"{code} is not in the table of codes"
        return Diagnostic(
            code=code,
            message=message,
            file=self.file,
            line=span.line,
            column=span.column,
            severity=severity,
            hint=hint,
            source_line=self.line(span.line),
            width=max(span.width, 1),
            edit=edit,
        )

    def refuse(
        self, code: str, message: str, span: Span, *, hint: str | None = None, edit: Edit | None = None
    ) -> NoReturn:
        """Raise FlowInvalid for what makes it pointless to read on."""
        finding = self.diagnostic(code, message, span, hint=hint, edit=edit)
        raise FlowInvalid(message, [finding], hint=hint)


def decode(content: str | bytes, file: str) -> Source:
    """The text of a file. Raises FlowInvalid when it is too large, not UTF-8, or holds what no text holds."""
    size = len(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        Source("", file).refuse("too-large", f"the file has {size:,} bytes; the limit is {MAX_BYTES:,}", Span(1, 1))
    text = content if isinstance(content, str) else _from_bytes(content, file)
    source = Source(text.removeprefix("\ufeff"), file)
    if bad := _FORBIDDEN.search(source.text):
        source.refuse(
            "control-character",
            f"the character U+{ord(bad[0]):04X} is not allowed in YAML",
            place_of(source.text, bad.start()),
            hint="remove it",
        )
    return source


def _from_bytes(content: bytes, file: str) -> str:
    for mark, name in _OTHER_ENCODINGS:
        if content.startswith(mark):
            Source("", file).refuse("encoding", f"the file is {name}, not UTF-8", Span(1, 1), hint="save it as UTF-8")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        readable = content[: error.start].decode("utf-8")
        shown = Source(content.decode("utf-8", "replace"), file)
        shown.refuse(
            "encoding",
            f"the byte 0x{content[error.start]:02X} is not UTF-8",
            place_of(readable, len(readable)),
            hint="save the file as UTF-8",
        )


def place_of(text: str, offset: int) -> Span:
    """Where the character with this offset stands."""
    line, start = 1, 0
    for match in LINE_BREAK.finditer(text, 0, offset):
        line, start = line + 1, match.end()
    return Span(line, offset - start + 1)
