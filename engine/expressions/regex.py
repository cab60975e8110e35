"""Regular expressions of flows, on RE2: linear time whatever the pattern, so none can hang the engine."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from engine.errors import ExpressionError
from engine.expressions.faults import limit
from engine.expressions.limits import MAX_MATCHES, MAX_TEXT

_GROUP = re.compile(r"\\(.)|\$(\d+|\{\w+\})", re.DOTALL)


@lru_cache(maxsize=256)
def compiled(pattern: str) -> Any:
    """A compiled pattern; ExpressionError when RE2 cannot take it (lookaround and back references it cannot)."""
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else str(error)
        raise ExpressionError(
            f"The regular expression `{pattern[:100]}` is not valid ({reason}),",
            code="invalid-regex",
            hint="Lookaround and back references are not supported.",
        ) from None


def substitute(pattern: str, replacement: str, text: str) -> str:
    """Java's replaceAll: `$1` and `${name}` in the replacement are groups."""
    parts: list[str] = []
    size = last = 0
    for match in compiled(pattern).finditer(text):
        if len(parts) == MAX_MATCHES:
            raise limit(f"A regular expression that matches more than {MAX_MATCHES} times")
        piece = text[last : match.start()] + _expand(replacement, match)
        size += len(piece)
        if size > MAX_TEXT:
            raise limit(f"Text longer than {MAX_TEXT} characters")
        parts.append(piece)
        last = match.end()
    return "".join(parts) + text[last:]


def _expand(replacement: str, match: Any) -> str:
    def group(found: re.Match[str]) -> str:
        if found.group(1) is not None:
            return found.group(1)
        name = found.group(2).strip("{}")
        try:
            return match.group(int(name) if name.isdigit() else name) or ""
        except (IndexError, LookupError):
            raise ExpressionError(f"The regular expression has no group `{name}`", code="invalid-regex") from None

    return _GROUP.sub(group, replacement)


def split(pattern: str, text: str, at_most: int = 0) -> list[str]:
    """Java's String.split: no empty first piece for an empty match, and no empty last pieces unless `at_most`."""
    if not text:
        return [""]
    pieces: list[str] = []
    last = 0
    for match in compiled(pattern).finditer(text):
        if 0 < at_most <= len(pieces) + 1:
            break
        if len(pieces) == MAX_MATCHES:
            raise limit(f"A regular expression that matches more than {MAX_MATCHES} times")
        if match.end() == 0 or (match.start() == match.end() == len(text)):
            continue
        pieces.append(text[last : match.start()])
        last = match.end()
    if not pieces:
        return [text]
    pieces.append(text[last:])
    while at_most == 0 and pieces and not pieces[-1]:
        pieces.pop()
    return pieces
