"""What a task type owes to those who use it, checked by its author's tests:

def test_conforms() -> None:
    assert problems_of(Greet) == []
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from engine.dialect.document import read
from engine.dialect.source import decode
from engine.errors import FlowInvalid
from engine.sdk.schema import outputs_schema, properties_schema
from engine.sdk.task import RESERVED, Example, Task


def problems_of(cls: type[Task]) -> list[str]:
    """Everything that a task type lacks, one sentence each; empty when it is fit to be shipped."""
    return [*_naming(cls), *_documentation(cls), *_examples(cls)]


def _naming(cls: type[Task]) -> Iterator[str]:
    if not cls.TYPE:
        yield f'give {cls.__qualname__} a type: class {cls.__name__}(Task, type="...")'
    elif re.split(r"[.$]", cls.TYPE)[-1] != cls.__name__:  # `$` names a part of another type
        yield f'the last part of the type "{cls.TYPE}" should be the name of its class, {cls.__name__}'
    if cls.run is Task.run:
        yield "it has no `run`"


def _documentation(cls: type[Task]) -> Iterator[str]:
    if not cls.__doc__:
        yield "it has no docstring to tell what it does"
    for kind, schema in (("property", properties_schema(cls)), ("output", outputs_schema(cls))):
        for name, declared in schema["properties"].items():
            if not declared.get("description"):
                yield f"its {kind} `{name}` has no description"


def _examples(cls: type[Task]) -> Iterator[str]:
    if not cls.EXAMPLES:
        yield "it has no example"
    for example in cls.EXAMPLES:
        for problem in _problems_in(example, cls):
            yield f'the example "{example.title}" {problem}'


def _problems_in(example: Example, cls: type[Task]) -> Iterator[str]:
    try:
        flow = read(decode(textwrap.dedent(example.yaml), example.title)).data
    except FlowInvalid as error:
        yield f"is not YAML: {error.message}"
        return
    used = [task for task in _maps_in(flow) if task.get("type") in (cls.TYPE, *cls.ALIASES)]
    if not used:
        yield f"does not use {cls.TYPE}"
    known = {key for name, field in cls.model_fields.items() for key in (name, field.alias)} | RESERVED
    for task in used:
        for name in task.keys() - known:
            yield f"uses an unknown property `{name}`"
        for name, field in cls.model_fields.items():
            if field.is_required() and not {name, field.alias} & task.keys():
                yield f"lacks the required property `{field.alias or name}`"


def _maps_in(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _maps_in(item)
