"""The reference page of a task type, written from its class: nothing on it is kept by hand."""

from __future__ import annotations

import inspect
import json
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from engine.sdk.schema import described
from engine.sdk.task import Task

_TICK = {True: "✔️", False: "❌"}
_SCALARS = {"integer", "number", "boolean"}


def reference_page(cls: type[Task]) -> str:
    """Markdown: what the task does, examples, properties, outputs, and the definitions that both use."""
    schema = described(cls, mode="validation")
    output = getattr(cls, "Output", None)
    outputs = described(output, mode="serialization") if output else {}
    definitions = {**outputs.get("$defs", {}), **schema.get("$defs", {})}
    blocks = [
        *_head(cls),
        *_examples(cls),
        *_section("## Properties", _fields(schema, "###")),
        *_section("## Outputs", _fields(outputs, "###")),
        *_section("## Definitions", _definitions(definitions)),
    ]
    return "\n\n".join(blocks) + "\n"


def _head(cls: type[Task]) -> Iterator[str]:
    yield f"# {cls.__name__}"
    yield f'```yaml\ntype: "{cls.TYPE}"\n```'
    if cls.ALIASES:
        yield "Also known as " + ", ".join(f"`{alias}`" for alias in cls.ALIASES) + "."
    if cls.DEPRECATED:
        yield f"**Deprecated**: use `{cls.DEPRECATED}`."
    if cls.__doc__:
        yield inspect.cleandoc(cls.__doc__)


def _examples(cls: type[Task]) -> Iterator[str]:
    if cls.EXAMPLES:
        yield "## Examples"
    for example in cls.EXAMPLES:
        yield example.title
        yield f"```yaml\n{textwrap.dedent(example.yaml).strip()}\n```"


def _section(heading: str, blocks: Iterable[str]) -> Iterator[str]:
    body = list(blocks)
    if body:
        yield heading
        yield from body


def _definitions(definitions: Mapping[str, Any]) -> Iterator[str]:
    for name, definition in sorted(definitions.items()):
        yield f"### {name}"
        if "description" in definition:
            yield inspect.cleandoc(definition["description"])
        if "enum" in definition:
            yield f"- Possible values: {_values(definition)}"
        yield from _section("#### Properties", _fields(definition, "#####"))


def _fields(schema: Mapping[str, Any], heading: str) -> Iterator[str]:
    """Required ones first, then by name."""
    required = set(schema.get("required", ()))
    properties = schema.get("properties", {})
    for name in sorted(properties, key=lambda name: (name not in required, name.casefold())):
        declared = properties[name]
        yield f"{heading} `{name}`"
        yield "\n".join(_facts(declared, name in required))
        if declared.get("default") is not None:
            yield f"Default: `{_code(declared['default'])}`"
        if "description" in declared:
            yield inspect.cleandoc(declared["description"])


def _facts(declared: Mapping[str, Any], required: bool) -> Iterator[str]:
    members = [member for member in declared.get("anyOf", [declared]) if member.get("type") != "null"]
    types = list(dict.fromkeys(_type(member) for member in members))
    dynamic = declared.get("$dynamic")
    if dynamic and len(types) == 1 and types[0] in _SCALARS:
        types.append("string")  # an expression is text
    yield f"- Type: {types[0]}" if len(types) == 1 else "- Type:\n" + "\n".join(f"  - {type_}" for type_ in types)
    for member in members:
        if subtype := _subtype(member):
            yield f"- SubType: {subtype}"
        if "enum" in member or "const" in member:
            yield f"- Possible values: {_values(member)}"
    if dynamic is not None:
        yield f"- Dynamic: {_TICK[dynamic]}"
    yield f"- Required: {_TICK[required]}"


def _type(declared: Mapping[str, Any]) -> str:
    if "$ref" in declared:
        return str(declared["$ref"]).rpartition("/")[2]
    return str(declared.get("type", "any"))


def _subtype(declared: Mapping[str, Any]) -> str | None:
    inner = declared.get("items", declared.get("additionalProperties"))
    if not isinstance(inner, Mapping):
        return None
    types = [_type(member) for member in inner.get("anyOf", [inner]) if member.get("type") != "null"]
    return " or ".join(dict.fromkeys(types))


def _values(declared: Mapping[str, Any]) -> str:
    return ", ".join(f"`{_code(value)}`" for value in declared.get("enum", [declared.get("const")]))


def _code(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
