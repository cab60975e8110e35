"""The syntax of every expression that a flow holds, checked where it stands.

Only syntax: what a name refers to is `engine.check`'s business. Texts for people are not expressions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from engine.dialect.build import Builder, has_template
from engine.dialect.document import Path

#: Properties whose text is shown and never rendered.
PROSE = frozenset({"id", "type", "description", "displayName", "namespace"})
#: Rendered only if the flow asks for it with render(), so a text that is no expression may well be meant.
_RAW = "variables"


def check_templates(builder: Builder, data: Mapping[str, Any]) -> None:
    """Note every expression that cannot be parsed."""


def templates(data: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every text with an expression in it, and its path."""
    if isinstance(data, str):
        if has_template(data):
            yield path, data
    elif isinstance(data, Mapping):
        for key, value in data.items():
            if key not in PROSE and not (key == _RAW and not path):
                yield from templates(value, (*path, key))
    elif isinstance(data, list):
        for index, item in enumerate(data):
            yield from templates(item, (*path, index))
