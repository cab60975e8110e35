"""How a value that stands in YAML is rendered, by the type that its property is declared to have.

A shape is a function `(written, render, evaluate) -> value`. Shapes are made once for each class.
Always true: a shape never fails on a value of the wrong kind; it leaves it to the validation that follows.
"""

from __future__ import annotations

import collections.abc
import json
import types
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from engine.sdk.task import SecretMark, Static

Render = Callable[[str], str]
Evaluate = Callable[[Any], Any]
Shape = Callable[[Any, Render, Evaluate], Any]

_LISTS = (list, tuple, set, frozenset, collections.abc.Sequence, collections.abc.Iterable, collections.abc.Set)
_MAPS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)


def fields(cls: type[BaseModel]) -> Mapping[str, FieldInfo]:
    """A model's fields; names of classes that are defined after it are settled first."""
    if not cls.__pydantic_fields_complete__:
        cls.model_rebuild()
    return cls.model_fields


@cache
def shapes_of(cls: type[BaseModel]) -> Mapping[str, Shape]:
    """The shapes of a model's fields, by the name in YAML and by the name in code."""
    shapes: dict[str, Shape] = {}
    for name, field in fields(cls).items():
        shape = as_written if _marked(field, Static) else shape_of(field.annotation)
        shapes[name] = shapes[field.alias or name] = shape
    return shapes


def shape_of(annotation: Any) -> Shape:
    """The shape for a declared type."""
    annotation = getattr(annotation, "__value__", annotation)  # type X = ...
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return as_written if any(isinstance(mark, Static) for mark in arguments[1:]) else shape_of(arguments[0])
    if origin in (Union, types.UnionType):
        return _union([shape_of(member) for member in arguments if member is not type(None)])
    if origin in _LISTS or annotation in _LISTS:
        return _Items(shape_of(arguments[0]) if arguments else anything)
    if origin in _MAPS or annotation in _MAPS:
        return _Entries(*map(shape_of, arguments)) if arguments else _Entries(text, anything)
    if _is_textual(annotation, origin, arguments):
        return text
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _Model(annotation)
    return anything


def as_written(written: Any, render: Render, evaluate: Evaluate) -> Any:
    """Static: not rendered at all."""
    return written


def text(written: Any, render: Render, evaluate: Evaluate) -> Any:
    """Text; numbers and truth values are taken as they print."""
    if isinstance(written, str):
        return render(written)
    if isinstance(written, bool):
        return "true" if written else "false"
    return str(written) if isinstance(written, int | float) else written


def anything(written: Any, render: Render, evaluate: Evaluate) -> Any:
    """Whatever the expression gives; lists and maps are walked."""
    if isinstance(written, str):
        return evaluate(written)
    if isinstance(written, Mapping):
        return _Entries(text, anything)(written, render, evaluate)
    if isinstance(written, list | tuple):
        return [anything(item, render, evaluate) for item in written]
    return written


def is_secret(field: FieldInfo) -> bool:
    """Whether the field itself, or what it lists, is marked Secret."""
    return _marked(field, SecretMark)


def holds_secret(field: FieldInfo) -> bool:
    """Whether there may be a Secret anywhere in a field's value, however deep."""
    return any(isinstance(part, SecretMark) for part in _parts(field, deep=True))


def models_in(cls: type[BaseModel]) -> set[type[BaseModel]]:
    """All models that a model's properties are made of, however deep."""
    parts = (part for field in fields(cls).values() for part in _parts(field, deep=True))
    return {part for part in parts if isinstance(part, type) and issubclass(part, BaseModel)}


class _Items:
    """A list, or text that is one in JSON."""

    def __init__(self, item: Shape) -> None:
        self.item = item

    def __call__(self, written: Any, render: Render, evaluate: Evaluate) -> Any:
        if isinstance(written, str):
            written, render, evaluate = _data(evaluate(written)), _as_is, _as_is
        if isinstance(written, list | tuple):
            return [self.item(item, render, evaluate) for item in written]
        return written


class _Entries:
    """A map, or text that is one in JSON. Keys are rendered too; of two equal ones the first stays."""

    def __init__(self, key: Shape, value: Shape) -> None:
        self.key = key
        self.value = value

    def __call__(self, written: Any, render: Render, evaluate: Evaluate) -> Any:
        if isinstance(written, str):
            written, render, evaluate = _data(evaluate(written)), _as_is, _as_is
        if not isinstance(written, Mapping):
            return written
        entries: dict[Any, Any] = {}
        for key, value in written.items():
            entries.setdefault(self.key(key, render, evaluate), self.value(value, render, evaluate))
        return entries


class _Model:
    """A definition: its fields have shapes of their own. What it does not know is left for the validation."""

    def __init__(self, cls: type[BaseModel]) -> None:
        self.cls = cls

    def __call__(self, written: Any, render: Render, evaluate: Evaluate) -> Any:
        if isinstance(written, str):
            written, render, evaluate = _data(evaluate(written)), _as_is, _as_is
        if not isinstance(written, Mapping):
            return written
        shapes = shapes_of(self.cls)
        return {key: shapes.get(key, as_written)(value, render, evaluate) for key, value in written.items()}


class _Union:
    """One of several shapes, chosen by what is written: text is text if it may be."""

    def __init__(self, members: list[Shape]) -> None:
        self.of_text = text if text in members else _first(members, _Items, _Entries, _Model) or anything
        self.of_list = _first(members, _Items) or anything
        self.of_map = _first(members, _Model, _Entries) or anything
        self.of_rest = as_written if anything in members or text not in members else text

    def __call__(self, written: Any, render: Render, evaluate: Evaluate) -> Any:
        if isinstance(written, str):
            return self.of_text(written, render, evaluate)
        if isinstance(written, Mapping):
            return self.of_map(written, render, evaluate)
        if isinstance(written, list | tuple):
            return self.of_list(written, render, evaluate)
        return self.of_rest(written, render, evaluate)


def _union(members: list[Shape]) -> Shape:
    return members[0] if len(members) == 1 else _Union(members)


def _first(members: list[Shape], *kinds: type) -> Shape | None:
    """The only member of these kinds; among several there is no telling which is meant."""
    found = [member for member in members if isinstance(member, kinds)]
    return found[0] if len(found) == 1 else None


def _as_is(value: Any) -> Any:
    """Stands for `render` and `evaluate` inside what an expression gave."""
    return value


def _data(value: Any) -> Any:
    """What a text says in JSON, if it is a list or a map; else the value itself."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _is_textual(annotation: Any, origin: Any, arguments: tuple[Any, ...]) -> bool:
    if origin is Literal:
        return all(isinstance(choice, str) for choice in arguments)
    return isinstance(annotation, type) and issubclass(annotation, str)


def _marked(field: FieldInfo, mark: type) -> bool:
    return any(isinstance(part, mark) for part in _parts(field))


def _parts(field: FieldInfo, *, deep: bool = False) -> Iterator[Any]:
    """The types and marks that a field's declaration is made of; `deep` adds those of the models among them."""
    waiting: list[Any] = [field.annotation, *field.metadata]
    entered: set[type[BaseModel]] = set()
    while waiting:
        part = waiting.pop()
        yield part
        waiting.extend(get_args(getattr(part, "__value__", part)))
        if deep and isinstance(part, type) and issubclass(part, BaseModel) and part not in entered:
            entered.add(part)
            waiting.extend(item for inner in fields(part).values() for item in (inner.annotation, *inner.metadata))
