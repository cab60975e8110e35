"""Functions and filters that became others, and a state that is compared with."""

from __future__ import annotations

from collections.abc import Iterator

from engine.dialect.document import Path
from engine.dialect.migrate.draft import Draft
from engine.dialect.sites import texts
from engine.dialect.types import TypeIndex
from engine.dialect.uses import Read, read
from engine.errors import ExpressionError
from engine.expressions.lexer import tokenize

#: Old name -> new one: of functions, and of filters.
FUNCTIONS = {"json": "fromJson"}
FILTERS = {"json": "toJson"}


def templates(draft: Draft) -> Iterator[tuple[Path, str, bool, Read]]:
    """Every text with an expression, and what it reads. Descriptions are for people."""
    for path, text, is_key in texts(draft.data, ()):
        if path[-1] not in ("description", "displayName") or is_key:
            yield path, text, is_key, read(text)


def unreadable(draft: Draft, types: TypeIndex) -> None:
    """Texts whose expressions cannot even be told apart from what is around them."""
    for path, text, is_key, _ in templates(draft):
        try:
            tokenize(text)
        except ExpressionError as error:
            hint = "mend it first; `penstock validate` tells more"
            draft.leave(path, "this expression cannot be read", hint, at=error.offset or 0, key=is_key)


def json_names(draft: Draft, types: TypeIndex) -> None:
    """`json(x)` and `x | json`; the test `is json` stays."""
    for path, _, is_key, found in templates(draft):
        for call in found.calls:
            name = (FILTERS if call.is_filter else FUNCTIONS).get(call.name)
            if name is not None and call.name not in found.names:
                draft.edit(path, call.start, call.end, name, key=is_key)


def canceled_in_expressions(draft: Draft, types: TypeIndex) -> None:
    """`'CANCELED'` in an expression that reads a state."""
    for path, text, is_key, found in templates(draft):
        if not any(use.keys[-1:] == ("state",) or use.root == "state" for use in found.uses):
            continue
        for start, end in found.texts:
            if text[start + 1 : end - 1] == "CANCELED":
                draft.edit(path, start + 1, end - 1, "CANCELLED", key=is_key)
