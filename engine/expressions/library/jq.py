"""The filter `jq`. Always a list of results, as in Kestra."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from engine.errors import ExpressionError
from engine.expressions.entry import declare
from engine.expressions.values import is_list, kind

_STEP = re.compile(
    r"""\s*(?:\.?\[\s*(?P<index>-?\d+)\s*\]|\.?\[\s*"(?P<quoted>[^"\\]*)"\s*\]|\.?(?P<each>\[\s*\])"""
    r"""|\.(?P<name>[A-Za-z_]\w*)|\."(?P<text>[^"\\]*)")(?P<optional>\?)?""",
    re.ASCII,
)
_EACH = object()
Step = tuple[Any, bool]


def is_path(program: str) -> bool:
    """Whether a program is a plain path, which needs no jq."""
    return _steps(program) is not None


@lru_cache(maxsize=1024)
def _steps(program: str) -> tuple[Step, ...] | None:
    """`.a[0].b[]?` as steps; None when the program is more than a path."""
    text = program.strip()
    if not text.startswith("."):
        return None
    if text == ".":
        return ()
    steps: list[Step] = []
    at = 1 if re.match(r"\.\s*\[", text) else 0
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None:
            return None
        found = match.groupdict()
        if found["index"] is not None:
            key: Any = int(found["index"])
        elif found["each"] is not None:
            key = _EACH
        else:
            key = next(found[group] for group in ("quoted", "name", "text") if found[group] is not None)
        steps.append((key, found["optional"] is not None))
        at = match.end()
    return tuple(steps)


@declare(
    "filter", "jq", "The results of a jq program, always as a list.", "{{ {'a': [1, 2]} | jq('.a[1]') | first }}", "2"
)
def jq(value: Any, expression: Any) -> Any:
    if value is None:
        return None
    if not isinstance(expression, str):
        raise ExpressionError(f"`jq` needs a program, and this is {kind(expression)},", code="expression-type")
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise ExpressionError(f"`jq` on a text that is not JSON ({error})", code="invalid-json") from None
    steps = _steps(expression)
    if steps is None:
        from engine.expressions.library.jq_process import run

        return run(expression, value)
    values = [value]
    for key, optional in steps:
        values = [result for item in values for result in _step(item, key, optional)]
    return values


def _step(value: Any, key: Any, optional: bool) -> list[Any]:
    if key is _EACH:
        if isinstance(value, Mapping):
            return list(value.values())
        if is_list(value):
            return list(value)
    elif value is None:
        return [None]
    elif isinstance(key, str) and isinstance(value, Mapping):
        return [value.get(key)]
    elif isinstance(key, int) and is_list(value):
        return [value[key] if -len(value) <= key < len(value) else None]
    if optional:
        return []
    wanted = "[]" if key is _EACH else key
    raise ExpressionError(f"`jq` cannot take `{wanted}` of {kind(value)}", code="jq")
