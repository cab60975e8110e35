"""Turns the properties of a task as they are written into the task itself: rendered, typed and checked.

The declared type of a property decides how its expression is read. Text is rendered to text. For anything else a
single expression keeps its native value, and text where a list, a map or a model is due is read as JSON.
Always true: what an expression gave is data and is never rendered again; a Static property is never rendered; what
is not set stays unset; every mistake in the values is told at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from engine.dialect.suggest import did_you_mean, nearest
from engine.errors import ExpressionError, TaskFailed
from engine.sdk.context import RunContext
from engine.sdk.shapes import Evaluate, Render, fields, holds_secret, is_secret, shapes_of
from engine.sdk.task import Task

T = TypeVar("T", bound=Task)

#: What pydantic says in words that no flow uses.
_EXPECTED = {
    "time_delta_parsing": "expected an ISO-8601 duration such as PT5S",
    "time_delta_type": "expected an ISO-8601 duration such as PT5S",
    "model_type": "expected a map",
    "model_attributes_type": "expected a map",
    "dict_type": "expected a map",
    "list_type": "expected a list",
    "tuple_type": "expected a list",
    "string_type": "expected a text",
}


def prepared(cls: type[T], raw: Mapping[str, Any], ctx: RunContext) -> T:
    """A task as its `run` finds it: its properties rendered for an attempt, and the secret ones masked from now on."""
    own = cls.template_variables(ctx)
    task = render_properties(
        cls, raw, lambda template: ctx.render(template, own), lambda template: ctx.evaluate(template, own)
    )
    for secret in secret_values(task):
        ctx.mask(secret)
    return task


def render_properties(cls: type[T], raw: Mapping[str, Any], render: Render, evaluate: Evaluate) -> T:
    """A task from its properties as written.

    `render` turns a template into text, `evaluate` into a native value (text for a template that is more than one
    expression). Raises TaskFailed; the message names each property, what it got and which expression gave it.
    """
    shapes = shapes_of(cls)
    values: dict[str, Any] = {}
    try:
        for key, written in raw.items():
            shape = shapes.get(key)
            values[key] = written if shape is None else shape(written, render, evaluate)
    except ExpressionError as error:
        path = _path_of(error.template, raw)
        where = f'property "{path}": ' if path else ""
        raise TaskFailed(f"{where}{error.message}", hint=error.hint) from error
    try:
        return cls.__pydantic_validator__.validate_python(values)  # type: ignore[no-any-return]
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False)
        raise TaskFailed("\n".join(_problem(cls, problem, values, raw) for problem in problems)) from None


def secret_values(task: BaseModel) -> list[str]:
    """The texts in a task that must never be shown: those of properties marked Secret, also inside definitions."""
    return [text for name, marked in _secret_fields(type(task)) for text in _secrets(getattr(task, name), marked)]


@cache
def _secret_fields(cls: type[BaseModel]) -> tuple[tuple[str, bool], ...]:
    return tuple((name, is_secret(field)) for name, field in fields(cls).items() if holds_secret(field))


def _secrets(value: Any, marked: bool) -> Iterator[str]:
    if isinstance(value, str):
        if marked and value:
            yield value
    elif isinstance(value, BaseModel):
        yield from secret_values(value)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _secrets(item, marked)
    elif isinstance(value, Sequence):
        for item in value:
            yield from _secrets(item, marked)


def _problem(cls: type[Task], error: ErrorDetails, values: Mapping[str, Any], raw: Mapping[str, Any]) -> str:
    """One sentence about one mistake."""
    location = _location(error, values)
    path = _dotted(location)
    if error["type"] == "missing":
        return f'property "{path}" is required'
    if error["type"] == "extra_forbidden":
        names = [field.alias or name for name, field in cls.model_fields.items()] if len(location) == 1 else []
        hint = did_you_mean(nearest(str(location[-1]), names))
        return f'unknown property "{path}"' + (f", {hint}" if hint else "")
    expected = _EXPECTED.get(error["type"]) or error["msg"].removeprefix("Value error, ").replace(
        "Input should be", "expected", 1
    )
    message = f'property "{path}": {expected}' if path else expected
    if not location or _is_secret_at(cls, location):
        return message
    return f"{message}, got {_short(error['input'])}{_origin(_written_at(raw, location), error['input'])}"


def _origin(written: str, got: Any) -> str:
    """Which expression gave a value."""
    if "{" not in written:
        return ""
    return "; it takes no expressions" if written == got else f", which {_short(written)} gave"


def _location(error: ErrorDetails, values: Any) -> tuple[int | str, ...]:
    """A place in the values, without the names of union members that pydantic puts in between."""
    path: list[int | str] = []
    for part in error["loc"]:
        if part in values if isinstance(values, Mapping) else isinstance(part, int) and isinstance(values, list):
            values = values[part]
            path.append(part)
    if error["type"] == "missing" or not path:
        path.extend(error["loc"][-1:])
    return tuple(path)


def _written_at(raw: Any, location: Sequence[int | str]) -> str:
    """The text that stands at a place, or the expression around it that gave the whole."""
    for part in location:
        try:
            raw = raw[part]
        except (KeyError, IndexError, TypeError):
            break
        if isinstance(raw, str):
            return raw
    return ""


def _path_of(template: str, raw: Any, path: tuple[int | str, ...] = ()) -> str:
    """Where in the properties a template stands; empty when it is not there."""
    if raw == template:
        return _dotted(path)
    items = raw.items() if isinstance(raw, Mapping) else enumerate(raw) if isinstance(raw, list | tuple) else ()
    return next((found for key, item in items if (found := _path_of(template, item, (*path, key)))), "")


def _dotted(location: Sequence[int | str]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).removeprefix(".")


def _is_secret_at(cls: type[Task], location: Sequence[int | str]) -> bool:
    secret = {cls.model_fields[name].alias or name for name, _ in _secret_fields(cls)}
    return bool(location) and location[0] in secret


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 100 else f"{text[:97]}..."
