"""What pydantic finds, in the words of the person who wrote the YAML.

A union reports one error for each of its members, under paths that name the members: here they become one finding at
the place that is written in the file.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from engine.dialect.document import Path
from engine.dialect.suggest import did_you_mean, nearest

_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "decimal_type": "a number",
    "decimal_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "dict_type": "a map",
    "mapping_type": "a map",
    "model_type": "a map",
    "model_attributes_type": "a map",
    "none_required": "null",
}
_BOUNDS = {
    "greater_than": ("gt", "greater than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}


class Violation(Struct, frozen=True):
    """One thing that a model refuses. `path` leads from the validated value to the place that is wrong."""

    code: str
    message: str
    path: Path
    hint: str | None = None
    value: Any = None
    at_key: bool = False  #: the key is what is wrong, rather than its value


def violations(
    error: ValidationError, data: Mapping[str, Any], model: type[BaseModel], owner: str
) -> Iterator[Violation]:
    """All that a model refuses in `data`. `owner` names what is described, for messages: a type, `the flow`.

    Properties whose value is None count as absent.
    """
    grouped: dict[tuple[Path, str], list[ErrorDetails]] = {}
    for details in error.errors(include_url=False):
        kind = details["type"] if details["type"] in ("missing", "extra_forbidden") else "value"
        grouped.setdefault((_written_path(details, data), kind), []).append(details)
    paths = [path for path, _ in grouped]
    for (path, kind), found in grouped.items():
        name, subject = path[-1] if path else "", _subject(path[:-1]) or owner
        # A union whose other member got further: what that one found says more than "this is not text".
        if kind == "value" and found[0]["type"] in _EXPECTED and any(_leads_to(path, other) for other in paths):
            continue
        if found[0]["type"] == "too_short" and len(found[0]["input"]) >= found[0]["ctx"]["min_length"]:
            continue  # it is only short of the entries that are wrong, which have findings of their own
        if kind == "value":
            yield _value_violation(path, found)
        elif kind == "extra_forbidden":
            hint = _known_instead(str(name), known_properties(model, path[:-1]))
            message = f'{subject} has no property "{name}"'
            yield Violation("unknown-property", message, path, hint, found[0]["input"], at_key=True)
        elif len(path) == 1 and name in data:
            yield Violation("missing-property", f'{subject} needs a value for "{name}"', path, at_key=True)
        else:
            yield Violation("missing-property", f'{subject} needs the property "{name}"', path[:-1])


def _known_instead(name: str, known: set[str]) -> str | None:
    """The hint for an unknown property: the one that is meant, or all if they are few."""
    return did_you_mean(nearest(name, known)) or (f"it has {', '.join(sorted(known))}" if 0 < len(known) <= 8 else None)


def _subject(path: Path) -> str:
    """What stands at a path, for a message; empty for what is validated itself."""
    name = next((step for step in reversed(path) if isinstance(step, str)), None)
    if name is None:
        return ""
    return f'an entry of "{name}"' if isinstance(path[-1], int) else f'"{name}"'


def _value_violation(path: Path, found: list[ErrorDetails]) -> Violation:
    subject = _subject(path) or "the value"
    value = found[0]["input"]
    expected = list(dict.fromkeys(_EXPECTED[e["type"]] for e in found if e["type"] in _EXPECTED))
    others = [e for e in found if e["type"] not in _EXPECTED]
    if not others:
        return Violation(
            "wrong-type", f"{subject} must be {' or '.join(expected)}, but is {described(value)}", path, value=value
        )
    details = others[0]
    kind, context = details["type"], details.get("ctx", {})
    if kind in ("literal_error", "enum"):
        allowed = str(context["expected"]).replace("'", "").replace(" or ", ", ").split(", ")
        hint = did_you_mean(nearest(value, allowed)) if isinstance(value, str) else None
        message = f"{subject} must be one of {', '.join(allowed)}, but is {described(value)}"
        return Violation("invalid-choice", message, path, hint, value)
    if kind in _BOUNDS:
        bound, words = _BOUNDS[kind]
        return Violation(
            "out-of-range", f"{subject} must be {words} {context[bound]}, but is {described(value)}", path, value=value
        )
    if kind == "too_short" and isinstance(value, (list, tuple, Mapping)):
        return Violation(
            "empty-list", f"{subject} needs at least {context['min_length']} entry, but is empty", path, value=value
        )
    if kind == "string_too_long":
        return Violation(
            "too-long",
            f"{subject} may have {context['max_length']} characters, but has {len(str(value))}",
            path,
            value=value,
        )
    if kind == "string_pattern_mismatch":
        message = f"{subject} must match {context['pattern']}, but is {described(value)}"
        return Violation("invalid-id", message, path, _strange_character(str(value)), value)
    message = str(context["error"]) if kind == "value_error" and "error" in context else f"{subject}: {details['msg']}"
    return Violation("invalid-value", message, path, value=value)


def described(value: Any) -> str:
    """A value as a message shows it, shortened."""
    match value:
        case None:
            return "empty"
        case Mapping():
            return "a map"
        case list() | tuple():
            return "a list"
        case str() if len(value) > 60:
            return f"the text {json.dumps(value[:57] + '...', ensure_ascii=False)}"
        case _:
            return json.dumps(value, ensure_ascii=False, default=str)


def _strange_character(text: str) -> str | None:
    """The hint for text that looks right and is not: it holds a character from outside ASCII."""
    strange = next((char for char in text if not char.isascii()), None)
    return f"it holds U+{ord(strange):04X} {unicodedata.name(strange, '')}".rstrip() if strange else None


def known_properties(model: type[BaseModel], path: Path = ()) -> set[str]:
    """The names that a model accepts in YAML; with a path, those of the model that stands there."""
    current: Any = model
    for step in path:
        if isinstance(step, str):
            current = next((field.annotation for name, field in _fields(current) if name == step), None)
        current = _inner_model(current)
    return {name for name, _ in _fields(current)}


def _fields(model: Any) -> Iterable[tuple[str, Any]]:
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return ()
    return [(field.alias or name, field) for name, field in model.model_fields.items()]


def _inner_model(annotation: Any) -> Any:
    """The only model inside `list[M]`, `M | None`, `str | list[M]`, ...; None when there is none."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_inner_model, getattr(annotation, "__args__", ()))), None)


def _written_path(details: ErrorDetails, data: Any) -> Path:
    """The error's path without the steps that name a union's members."""
    loc, path = details["loc"], []
    named = details["type"] in ("missing", "extra_forbidden")
    for step in loc[:-1] if named else loc:
        inside: Any = data if isinstance(data, Mapping) else range(len(data)) if isinstance(data, (list, tuple)) else ()
        if step in inside:
            data = data[step]
            path.append(step)
    return (*path, loc[-1]) if named else tuple(path)


def _leads_to(path: Path, other: Path) -> bool:
    return len(other) > len(path) and other[: len(path)] == path
