"""What the outputs of each task look like: from its plugin, from its properties as written, from the dialect.

Always true: what a plugin does not say is `ANY`; `None` stands for a task that certainly has no outputs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel

from engine.check.inputs import INPUTS, typed_inputs
from engine.check.outline import Node
from engine.check.types import (
    ANY,
    BOOL,
    FLOAT,
    INT,
    LIST,
    MAP,
    NULL,
    TEXT,
    ListOf,
    MapOf,
    Record,
    Text,
    Type,
    union,
)
from engine.dialect import TypeIndex
from engine.errors import PenstockError
from engine.expressions import is_template
from engine.model.flow import (
    EachParallel,
    EachSequential,
    ForEach,
    If,
    Loop,
    LoopUntil,
    Pause,
    RunnableTask,
    Switch,
    WaitFor,
    WorkingDirectory,
)
from engine.sdk.task import Task

_BASIC: Mapping[str, Type] = {
    "null": NULL, "boolean": BOOL, "integer": INT, "number": FLOAT, "string": TEXT, "array": LIST, "object": MAP,
}  # fmt: skip


def outputs_of(node: Node, types: TypeIndex) -> Type | None:
    """The outputs of one run of a task."""
    if node.container is not None:
        return _of_container(node)
    task = node.task
    try:
        plugin = types.properties(node.type)
    except (PenstockError, KeyError):
        return ANY
    if not issubclass(plugin, Task):
        return ANY
    properties = task.properties if isinstance(task, RunnableTask) else None
    try:
        refined = plugin.outputs_for(properties) if properties is not None else None
        return from_schema(refined) if refined is not None else _declared(plugin)
    except Exception:  # noqa: BLE001  a plugin that cannot tell what it gives is no reason to refuse a flow
        return ANY


def loop_values(loop: Node) -> tuple[str, ...] | None:
    """The values of a loop, when they stand in the flow."""
    task = loop.task
    values = task.value if isinstance(task, EachSequential | EachParallel) else None
    values = task.values if isinstance(task, ForEach) else values
    if isinstance(values, str):
        try:
            values = None if is_template(values) else json.loads(values)
        except ValueError:
            values = None
    if not isinstance(values, list | tuple) or any(value is None or is_template(str(value)) for value in values):
        return None
    texts = (
        value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        for value in values
    )
    return tuple(dict.fromkeys(texts))


def _of_container(node: Node) -> Type | None:
    if node.container is If:
        return Record({"evaluationResult": BOOL})
    if node.container is Switch:
        known = isinstance(node.task, Switch) and not node.task.defaults
        return Record({"value": Text(tuple(node.task.cases)) if known else TEXT, "defaults": BOOL})  # type: ignore[union-attr]
    if node.container in (LoopUntil, WaitFor):
        return Record({"iterationCount": INT})
    if node.task is None:
        return ANY if node.container in (Pause, Loop, WorkingDirectory) else None
    if isinstance(node.task, Pause):
        given = [each.model_dump(by_alias=True) for each in node.task.on_resume]
        return Record({"resumed": Record({"by": TEXT, "on": TEXT}), "onResume": typed_inputs(given) or MAP})
    if isinstance(node.task, Loop):
        return _of_loop(node.task)
    if isinstance(node.task, WorkingDirectory) and node.task.output_files:
        return Record({"outputFiles": MapOf(TEXT)})
    return None


def _of_loop(loop: Loop) -> Type:
    counts: dict[str, Type] = {"iterationCount": INT, "runningIterations": INT, "terminatedIterations": MapOf(INT)}
    item = Record({"value": TEXT, "iteration": INT, "key": TEXT})
    given = Record({each.id: INPUTS.get(str(each.type), ANY) for each in loop.outputs})
    results: dict[str, Type] = {"outputs": ListOf(Record({"item": item, "outputs": given})), "uri": TEXT}
    if loop.fetch_type == "FETCH" or (loop.fetch_type == "AUTO" and not isinstance(loop.values, str)):
        del results["uri"]
    elif loop.fetch_type == "STORE":
        del results["outputs"]
    return Record(counts | results)


@cache
def _declared(plugin: type[Task]) -> Type | None:
    """What a plugin says of itself, whatever its properties are."""
    output = getattr(plugin, "Output", None)
    if isinstance(output, type) and issubclass(output, BaseModel):
        return from_schema(output.model_json_schema(mode="serialization", by_alias=False))
    returned = getattr(plugin.run, "__annotations__", {}).get("return", "unknown")
    return None if returned in (None, "None") else ANY


def from_schema(schema: Mapping[str, Any]) -> Type:
    """The type that a JSON Schema describes. Whatever it does not say for certain is ANY."""
    return _Schema(schema).type(schema)


class _Schema:
    def __init__(self, root: Mapping[str, Any]) -> None:
        self._definitions: Mapping[str, Any] = root.get("$defs", {})
        self._entered: list[str] = []

    def type(self, schema: Any) -> Type:
        if not isinstance(schema, Mapping):
            return ANY
        if "$ref" in schema:
            return self._reference(str(schema["$ref"]))
        for choice in ("anyOf", "oneOf"):
            if choice in schema:
                return union(self.type(one) for one in schema[choice])
        if "enum" in schema or "const" in schema:
            choices = schema.get("enum", [schema.get("const")])
            return Text(tuple(choices)) if all(isinstance(one, str) for one in choices) else ANY
        named = schema.get("type")
        if isinstance(named, list):
            return union(self.type({**schema, "type": one}) for one in named)
        structured: dict[str, Callable[[Mapping[str, Any]], Type]] = {"array": self._list, "object": self._map}
        if named in structured and "allOf" not in schema:
            return structured[named](schema)
        return _BASIC.get(str(named), ANY) if "allOf" not in schema else ANY

    def _reference(self, reference: str) -> Type:
        name = reference.rpartition("/")[2]
        if name in self._entered or name not in self._definitions:
            return ANY  # a type that contains itself is known one level deep
        self._entered.append(name)
        found = self.type(self._definitions[name])
        self._entered.pop()
        return found

    def _list(self, schema: Mapping[str, Any]) -> Type:
        return ListOf(self.type(schema["items"])) if isinstance(schema.get("items"), Mapping) else LIST

    def _map(self, schema: Mapping[str, Any]) -> Type:
        properties, more = schema.get("properties"), schema.get("additionalProperties")
        if properties is None:
            return MapOf(self.type(more)) if isinstance(more, Mapping) else MAP
        fields = {str(name): self.type(declared) for name, declared in properties.items()}
        return Record(fields, open=bool(more) or "patternProperties" in schema)
