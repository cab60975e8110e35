"""JSON Schema of a task's properties and outputs, for editors, forms and the reference pages.

Descriptions come from `Field(description=...)` or from the text under an attribute. Those texts are read from the
source here, when somebody asks, because reading them whenever a class is made would slow every start down.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import textwrap
from functools import cache
from typing import Any

from pydantic import BaseModel

from engine.sdk.shapes import as_written, fields, models_in, shapes_of
from engine.sdk.task import Task

#: Where a list, a map or a choice is due, a text with an expression or with JSON in it will do as well.
EXPRESSION = {"type": "string", "pattern": r"[{\[]"}
_ABOUT = ("description", "default", "title", "$dynamic")
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def properties_schema(cls: type[Task]) -> dict[str, Any]:
    """What may be written under a task of this type, besides what every task has.

    `$dynamic` tells whether a property may be an expression; if so, a text with one is accepted for any type.
    """
    schema = described(cls, mode="validation")
    for definition in (schema, *schema.get("$defs", {}).values()):
        for name, declared in definition.get("properties", {}).items():
            if declared["$dynamic"]:
                definition["properties"][name] = _before_rendering(declared)
    return {"$schema": DIALECT, **schema}


def outputs_schema(cls: type[Task]) -> dict[str, Any]:
    """What the task gives to those after it; no properties when it declares no outputs."""
    output = getattr(cls, "Output", None)
    if output is None:
        return {"$schema": DIALECT, "type": "object", "properties": {}}
    return {"$schema": DIALECT, **described(output, mode="serialization")}


def described(cls: type[BaseModel], *, mode: Any) -> dict[str, Any]:
    """Pydantic's schema of a model, completed by descriptions and `$dynamic`."""
    schema: dict[str, Any] = cls.model_json_schema(mode=mode, by_alias=mode == "validation")
    known = {model.__name__: model for model in models_in(cls)}
    _describe(cls, schema, mode)
    for name, definition in schema.get("$defs", {}).items():
        model = known.get(name.rpartition("__")[2])
        if model is not None and "properties" in definition:
            _describe(model, definition, mode)
    return schema


def _describe(cls: type[BaseModel], schema: dict[str, Any], mode: str) -> None:
    texts = _attribute_texts(cls)
    shapes = shapes_of(cls)
    for name, field in fields(cls).items():
        declared = schema["properties"].get(field.alias or name) or schema["properties"].get(name)
        if declared is None:
            continue
        declared.pop("title", None)
        if name in texts:
            declared.setdefault("description", texts[name])
        if mode == "validation":
            declared["$dynamic"] = shapes[name] is not as_written


@cache
def _attribute_texts(cls: type[BaseModel]) -> dict[str, str]:
    """The text under each attribute, those of base classes included; none where there is no source to read."""
    texts: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if issubclass(base, BaseModel) and not base.__module__.startswith("pydantic"):
            texts.update(_own_texts(base))
    return texts


def _own_texts(cls: type) -> dict[str, str]:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    except (OSError, TypeError, SyntaxError):
        return {}
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    return {
        before.target.id: inspect.cleandoc(after.value.value)
        for before, after in itertools.pairwise(body)
        if isinstance(before, ast.AnnAssign)
        and isinstance(before.target, ast.Name)
        and isinstance(after, ast.Expr)
        and isinstance(after.value, ast.Constant)
        and isinstance(after.value.value, str)
    }


def _before_rendering(declared: dict[str, Any]) -> dict[str, Any]:
    """What may be written where, once rendered, `declared` is due: more than that, but never less."""
    about = {key: declared[key] for key in _ABOUT if key in declared}
    type_ = {key: value for key, value in declared.items() if key not in _ABOUT}
    choices = type_.get("anyOf", [type_] if type_ else [])
    written = [_choice(choice) for choice in choices]
    if any(choice.get("type") in ("array", "object") or "enum" in choice or "$ref" in choice for choice in written):
        written.append(EXPRESSION)
    return (written[0] if len(written) == 1 else {"anyOf": written} if written else {}) | about


def _choice(choice: dict[str, Any]) -> dict[str, Any]:
    match choice.get("type"):
        case "string" if "enum" not in choice and "const" not in choice:
            return {"type": ["string", "number", "boolean"]}
        case "integer" | "number" | "boolean" as name:
            return {**choice, "type": [name, "string"]}
        case "array" if isinstance(choice.get("items"), dict):
            return {**choice, "items": _before_rendering(choice["items"])}
        case "object" if isinstance(choice.get("additionalProperties"), dict):
            return {**choice, "additionalProperties": _before_rendering(choice["additionalProperties"])}
    return choice
