"""The page of all task types, written from their classes: nothing on it is kept by hand.

`penstock plugins reference > docs/task-types.md` writes the one in the documentation.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from engine.catalog import Catalog, Entry
from engine.model.flow import CONTAINERS, Container
from engine.sdk.schema import described
from engine.sdk.task import Task

HEAD = """# Task types

What each task type takes and gives. `penstock plugins show TYPE` tells more, with examples. What every task has besides
(`retry`, `timeout`, `runIf`, ...) is not repeated here. A property of a task takes expressions, unless it says *as
written*; of a container, those that steer it do (`condition`, `value`, `values`, ...).
"""

_CONTAINERS = {kind.TYPES[0]: kind for kind in CONTAINERS}
_FORMATS = {"duration": "duration", "date-time": "date and time", "date": "date", "time": "time"}


def task_types_page(catalog: Catalog, entries: Iterable[Entry]) -> str:
    """Markdown: the types in order, by the package that they are in."""
    blocks = [HEAD]
    usable = [entry for entry in entries if entry.error is None]
    for package, group in groupby(usable, key=lambda entry: entry.type.rpartition(".")[0]):
        blocks.append(f"## {package}\n")
        for entry in group:
            container = _CONTAINERS.get(entry.type)
            kind = container if container is not None else catalog.task_class(entry.type)
            blocks.append("\n".join(_section(entry, kind)))
    return "\n".join(blocks)


def _section(entry: Entry, kind: type[Task] | type[Container]) -> Iterator[str]:
    yield f"### {entry.type.rpartition('.')[2]}\n"
    yield inspect.cleandoc(kind.__doc__ or "").partition("\n\n")[0].replace("\n", " ") + "\n"
    yield f"`{entry.type}`" + "".join(f", or `{alias}`" for alias in sorted(entry.aliases)) + "\n"
    if issubclass(kind, Task) and kind.DEPRECATED:
        yield f"Deprecated: use `{kind.DEPRECATED}`.\n"
    schema = described(kind, mode="validation") if issubclass(kind, Task) else _of_container(kind)
    if properties := schema.get("properties"):
        yield "| property | type | default |\n|--|--|--|"
        required = set(schema.get("required", ()))
        for name in sorted(properties, key=lambda name: (name not in required, name)):
            yield _row(name, properties[name], required=name in required)
        yield ""
    output = getattr(kind, "Output", None)
    if issubclass(kind, Task) and output is not None:
        given = described(output, mode="serialization").get("properties", {})
        yield "Gives " + (", ".join(f"`{name}` ({_type(given[name])})" for name in given) or "nothing") + ".\n"


def _of_container(kind: type[Container]) -> dict[str, Any]:
    """The properties of a container that not every task has."""
    schema = kind.model_json_schema(mode="validation", by_alias=True)
    common = {field.alias or name for name, field in Container.model_fields.items()} - {"errors", "finally"}
    return {**schema, "properties": {name: of for name, of in schema["properties"].items() if name not in common}}


def _row(name: str, declared: Mapping[str, Any], *, required: bool) -> str:
    written = ", *as written*" if declared.get("$dynamic") is False else ""
    default = "**required**" if required else _value(declared.get("default"))
    return f"| `{name}` | {_type(declared)}{written} | {default} |"


def _value(default: Any) -> str:
    if default is None or default == []:
        return ""
    return f"`{default if isinstance(default, str) else json.dumps(default)}`"


def _type(declared: Mapping[str, Any]) -> str:
    """A type in words, fit for a cell of a table."""
    if "anyOf" in declared:
        members = (_type(member) for member in declared["anyOf"] if member.get("type") != "null")
        return " or ".join(dict.fromkeys(members))
    if "enum" in declared or "const" in declared:
        return ", ".join(f"`{value}`" for value in declared.get("enum", [declared.get("const")]))
    if "$ref" in declared:
        return str(declared["$ref"]).rpartition("/")[2].rpartition("__")[2]
    match declared.get("type"):
        case "array":
            return f"list of {_type(declared['items'])}" if declared.get("items") else "list"
        case "object":
            of = declared.get("additionalProperties")
            return f"map of {_type(of)}" if isinstance(of, Mapping) and of else "map"
        case None:
            return "any"
        case name:
            return _FORMATS.get(declared.get("format", ""), str(name))
