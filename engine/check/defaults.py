"""Defaults of inputs that the inputs themselves would refuse."""

from __future__ import annotations

from collections.abc import Iterator

from engine.core.coercion import coerce
from engine.dialect.document import Document
from engine.expressions import is_template
from engine.model.diagnostic import Diagnostic
from engine.model.flow import Flow
from engine.model.inputs import MultiselectInput, SelectInput


def invalid_defaults(document: Document, flow: Flow | None) -> Iterator[Diagnostic]:
    """The defaults that are known before anything runs and are not accepted."""
    for index, declared in enumerate(flow.inputs if flow else ()):
        default = declared.defaults
        if default is None or is_template(str(default)):
            continue
        listed = isinstance(declared, (SelectInput, MultiselectInput)) and declared.expression is None
        try:
            coerce(declared, default, declared.listed if listed else None)  # type: ignore[attr-defined]
        except ValueError as error:
            message = f'the default of "{declared.id}" is not accepted: {error}'
            yield document.source.diagnostic("invalid-default", message, document.span(("inputs", index, "defaults")))
