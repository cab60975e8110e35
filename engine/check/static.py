"""Expressions in properties that take none: they would fail only when the task runs."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ValidationError

from engine.check.expressions import static_properties
from engine.check.outline import Outline
from engine.dialect import TypeIndex
from engine.dialect.document import Document
from engine.errors import PenstockError
from engine.expressions import is_template
from engine.model.diagnostic import Diagnostic
from engine.model.flow import RunnableTask


def expressions_in_static_properties(document: Document, outline: Outline, types: TypeIndex) -> Iterator[Diagnostic]:
    """The static properties whose text has an expression in it, and is no value as it stands."""
    for node in outline.by_path.values():
        if not isinstance(node.task, RunnableTask):
            continue
        given = {
            name: value
            for name, value in node.task.properties.items()
            if isinstance(value, str) and is_template(value) and name in static_properties(node.type, types)
        }
        for name in _refused(node.task, types) & given.keys() if given else ():
            yield document.source.diagnostic(
                "static-property",
                f'"{name}" takes no expressions: it is read as it is written',
                document.span((*node.path, name)),
                hint="write the value itself",
            )


def _refused(task: RunnableTask, types: TypeIndex) -> set[str]:
    try:
        types.properties(task.type).model_validate(dict(task.properties), by_alias=True, by_name=False)
    except ValidationError as error:
        return {str(problem["loc"][0]) for problem in error.errors(include_url=False) if problem["loc"]}
    except PenstockError:
        pass
    return set()
