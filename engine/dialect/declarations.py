"""Inputs whose options make sense together, and in an order."""

from __future__ import annotations

import json
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from engine.dialect.build import Builder
from engine.dialect.document import Path
from engine.dialect.suggest import did_you_mean, nearest
from engine.errors import ExpressionError


def check_inputs(builder: Builder, inputs: Any, path: Path) -> None:
    """The rules between inputs, and between the options of one."""
    entries = [
        (entry["id"], entry, (*path, index))
        for index, entry in enumerate(inputs if isinstance(inputs, list) else ())
        if isinstance(entry, Mapping) and isinstance(entry.get("id"), str)
    ]
    declared = {name: (entry, place) for name, entry, place in entries}
    for name, entry, place in entries:
        _check_pattern(builder, entry.get("validator"), (*place, "validator"))
        _check_choices(builder, entry, place)
        _check_start(builder, entry, place)
        _check_schema(builder, entry.get("jsonSchema"), (*place, "jsonSchema"))
        low, high = entry.get("min"), entry.get("max")
        if isinstance(low, (int, float)) and isinstance(high, (int, float)) and low > high:
            builder.add("out-of-range", f'"min" is {low} and "max" is {high}: no value is accepted', (*place, "min"))
        group = next((other for other in declared if name.startswith(f"{other}.")), None)
        if group is not None:
            message = f'"{name}" cannot stand inside the input "{group}", which is a value itself'
            builder.add("conflict", message, (*place, "id"))
    _check_order(builder, declared)


def _check_pattern(builder: Builder, pattern: Any, path: Path) -> None:
    if not isinstance(pattern, str):
        return
    from engine.expressions.regex import compiled

    try:
        compiled(pattern)
    except ExpressionError as error:
        builder.add("invalid-pattern", error.message.rstrip(","), path, hint=error.hint)


def _check_choices(builder: Builder, entry: Mapping[str, Any], path: Path) -> None:
    if entry.get("type") not in ("SELECT", "ENUM", "MULTISELECT"):
        return
    sources = [name for name in ("values", "options", "expression") if entry.get(name) is not None]
    if not sources:
        builder.add("missing-property", f'an input of type {entry["type"]} needs "values" or "expression"', path)
    elif len(sources) > 1:
        builder.add("conflict", f'"{sources[0]}" and "{sources[1]}" exclude each other', (*path, sources[1]), key=True)


def _check_start(builder: Builder, entry: Mapping[str, Any], path: Path) -> None:
    if entry.get("defaults") is not None and entry.get("prefill") is not None:
        message = '"defaults" and "prefill" exclude each other: a form starts with the one, a run with the other'
        builder.add("conflict", message, (*path, "prefill"), key=True)


def _check_schema(builder: Builder, schema: Any, path: Path) -> None:
    if isinstance(schema, str):
        try:
            schema = json.loads(schema)
        except ValueError:
            return  # the model has said so
    if isinstance(schema, (Mapping, bool)):
        from engine.dialect.json_schema import problem_of

        problem = problem_of(schema)
        if problem is not None:
            builder.add("invalid-value", f'"jsonSchema" is no JSON Schema: {problem}', path)


def _check_order(builder: Builder, declared: Mapping[str, tuple[Mapping[str, Any], Path]]) -> None:
    graph: dict[str, list[str]] = {}
    for name, (entry, path) in declared.items():
        depends = entry.get("dependsOn")
        names = depends.get("inputs") if isinstance(depends, Mapping) else None
        graph[name] = [other for other in names or () if other in declared] if isinstance(names, list) else []
        for index, other in enumerate(names if isinstance(names, list) else ()):
            if isinstance(other, str) and other not in declared:
                message = f'"{name}" depends on "{other}", which is not an input of this flow'
                place = (*path, "dependsOn", "inputs", index)
                builder.add("unknown-dependency", message, place, hint=did_you_mean(nearest(other, declared)))
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        message = f"these inputs wait for each other: {' -> '.join(error.args[1][::-1])}"
        builder.add("dependency-cycle", message, (*declared[error.args[1][0]][1], "dependsOn"), key=True)
