"""One finding about a file: what is wrong, where, and what to do. The same value serves people, CI and editors."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    HINT = "hint"
    INFO = "info"  #: nothing is wrong, and nothing need be done


class Edit(Struct, frozen=True, kw_only=True):
    """A mend that a program can apply: replace the text between two places (1-based, end exclusive)."""

    line: int
    column: int
    end_line: int
    end_column: int
    text: str


class Diagnostic(Struct, frozen=True, kw_only=True):
    """A finding. Lines and columns count from 1; a column counts characters."""

    code: str  #: stable and machine-readable, in kebab-case: `unknown-property`
    message: str
    file: str = "<input>"
    line: int = 1
    column: int = 1
    severity: Severity = Severity.ERROR
    hint: str | None = None  #: what to do, in one sentence: `did you mean "message"?`
    source_line: str | None = None  #: the offending line, for the caret
    width: int = 1  #: how many characters the caret underlines
    edit: Edit | None = None
