"""Secrets that are written into the flow, where everybody who may read flows reads them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

from pydantic import BaseModel

from engine.dialect import TypeIndex
from engine.dialect.document import Document, Path
from engine.errors import PluginBroken
from engine.expressions import is_template
from engine.model.diagnostic import Diagnostic, Severity
from engine.model.flow import Flow, RunnableTask, Task
from engine.model.inputs import SecretInput
from engine.sdk.shapes import fields, is_secret


def literal_secrets(document: Document, tasks: Sequence[tuple[Path, Task]], types: TypeIndex) -> Iterator[Diagnostic]:
    """The properties marked as secret whose value is no expression."""
    for path, task in tasks:
        if not isinstance(task, RunnableTask) or not task.properties:
            continue
        try:
            names = secret_properties(types.properties(task.type))
        except (PluginBroken, KeyError):
            continue
        for name in sorted(names & task.properties.keys()):
            value = task.properties[name]
            if isinstance(value, str) and value and not is_template(value):
                yield _literal(document, (*path, name), f'the secret "{name}"', name)


def literal_defaults(document: Document, flow: Flow | None) -> Iterator[Diagnostic]:
    """The defaults of secret inputs that are no expression."""
    for index, declared in enumerate(flow.inputs if flow else ()):
        value = declared.defaults
        if isinstance(declared, SecretInput) and value is not None and not is_template(str(value)):
            path = ("inputs", index, "defaults")
            yield _literal(document, path, f'the default of the secret "{declared.id}"', "defaults")


def _literal(document: Document, path: Path, subject: str, name: str) -> Diagnostic:
    return document.source.diagnostic(
        "literal-secret",
        f"{subject} is written into the flow",
        document.span(path),
        severity=Severity.WARNING,
        hint=f"keep it out of the file: {name}: \"{{{{ secret('NAME') }}}}\"",
    )


@cache
def secret_properties(model: type[BaseModel]) -> frozenset[str]:
    """The names in YAML of a model's secret properties."""
    return frozenset(field.alias or name for name, field in fields(model).items() if is_secret(field))
