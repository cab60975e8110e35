"""What an expression may give, as far as it is known before anything runs.

A small lattice: `ANY` is no knowledge at all, everything else says what a value certainly is. Always true: whoever
does not know says `ANY`, and nothing is ever said about `ANY`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from engine.expressions.resolve import find_method
from engine.model.diagnostic import Severity


@dataclass(frozen=True, slots=True)
class Basic:
    """A kind of value without parts."""

    name: str


@dataclass(frozen=True, slots=True)
class Text:
    """A text; one of `choices` when they are known."""

    choices: tuple[str, ...] | None = None
    name: str = "text"


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list. `items` are the types of all its elements when their number is known."""

    item: Type
    items: tuple[Type, ...] | None = None
    name: str = "list"


@dataclass(frozen=True, slots=True)
class MapOf:
    """A map whose keys are data; `keys` are all of them when they are known. `task` is what a loop runs."""

    value: Type
    keys: tuple[str, ...] | None = None
    task: str | None = None
    name: str = "map"


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """A map with declared fields; an `open` one may have more. Fields may be worked out when they are asked for."""

    fields: Mapping[str, Type]
    open: bool = False
    name: str = "map"


@dataclass(frozen=True, slots=True)
class Union:
    """One of several."""

    members: tuple[Type, ...]


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why it is no good to read something, whatever its type. Only errors are worth a word where it may be missing."""

    code: str
    message: str
    severity: Severity = Severity.ERROR
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Troubled:
    """A field that can be named, and trouble for whoever reads it."""

    type: Type
    trouble: Trouble


Type = Basic | Text | ListOf | MapOf | Record | Union | Troubled

ANY = Basic("any")
NULL = Basic("null")
BOOL = Basic("bool")
INT = Basic("int")
FLOAT = Basic("float")
MOMENT = Basic("moment")
TEXT = Text()
LIST = ListOf(ANY)
MAP = MapOf(ANY)

#: How a kind of value is called in a message.
WORDS = {
    "null": "null", "bool": "true or false", "int": "a number", "float": "a number", "moment": "a date",
    "text": "a text", "list": "a list", "map": "a map",
}  # fmt: skip
_SAMPLES: Mapping[str, Any] = {"text": "", "list": [], "map": {}, "moment": datetime(2000, 1, 1, tzinfo=UTC)}


@dataclass(frozen=True, slots=True)
class Missing:
    """There is nothing under a name. `known` is what there is, for did-you-mean."""

    known: tuple[str, ...] = ()
    hint: str | None = None


def scalar(value: object) -> Type | None:
    """The type of data that is neither text nor made of other data; None for any other."""
    match value:
        case None:
            return NULL
        case bool():
            return BOOL
        case int():
            return INT
        case float():
            return FLOAT
    return None


def union(types: Iterable[Type]) -> Type:
    """What is one of several types. ANY when one of them is."""
    members: dict[Type, None] = {}
    for type_ in types:
        found = type_.members if isinstance(type_, Union) else (type_,)
        members.update(dict.fromkeys(found))
    if ANY in members or not members:
        return ANY
    return next(iter(members)) if len(members) == 1 else Union(tuple(members))


def kinds(type_: Type) -> frozenset[str]:
    """The kinds of value that it may be, null apart; empty when that is not known."""
    members = type_.members if isinstance(type_, Union) else (type_,)
    if any(member == ANY or isinstance(member, Troubled) for member in members):
        return frozenset()
    return frozenset(
        member.name for member in members if isinstance(member, Basic | Text | ListOf | MapOf | Record)
    ) - {"null"}


def shown(found: frozenset[str]) -> str:
    """Kinds as people say them."""
    return " or ".join(sorted({WORDS[kind] for kind in found}))


def element(type_: Type) -> Type:
    """What a loop over it gives."""
    members = type_.members if isinstance(type_, Union) else (type_,)
    found: list[Type] = []
    for member in members:
        match member:
            case ListOf():
                found.append(member.item)
            case MapOf():
                found.append(Record({"key": TEXT, "value": plain(member.value)}))
            case Record(open=False):
                found.append(Record({"key": ANY, "value": ANY}))
            case Basic(name="null"):
                continue
            case _:
                return ANY
    return union(found)


def plain(type_: Type) -> Type:
    """The type without the trouble of reading it by name."""
    return type_.type if isinstance(type_, Troubled) else type_


def member(type_: Type, name: str | int, *, subscript: bool = False) -> Type | Missing:
    """What `value.name`, or `value[name]`, gives."""
    match type_:
        case Union(members=members):
            answers = [member(one, name, subscript=subscript) for one in members if one != NULL]
            found = [answer for answer in answers if not isinstance(answer, Missing)]
            return union(found) if found else _nothing([one for one in answers if isinstance(one, Missing)])
        case Record(fields=fields, open=is_open):
            if str(name) in fields:
                return fields[str(name)]
            return ANY if is_open or has_method(type_.name, name) else Missing(tuple(fields))
        case MapOf(value=value, keys=keys):
            if keys is None:
                return ANY if has_method("map", name) else value
            return value if str(name) in keys else ANY if has_method("map", name) else Missing(keys)
        case ListOf():
            return _of_list(type_, name, subscript)
        case Text(name=kind) | Basic(name=kind) if kind != "any":
            hint = f"it is {WORDS[kind]}"
            return ANY if has_method(kind, name) else Missing(hint=hint)
    return ANY


def _of_list(type_: ListOf, name: str | int, subscript: bool) -> Type | Missing:
    if isinstance(name, str) and name.isascii() and name.isdigit() and subscript:
        name = int(name)
    if isinstance(name, int):
        if type_.items is None:
            return type_.item
        count = len(type_.items)
        return type_.items[name] if 0 <= name < count else Missing(hint=f"it has {count}, counted from 0")
    return ANY if has_method("list", name) else Missing(hint="it is a list: an element is read as [0]")


def leaf_fields(type_: Type) -> Mapping[str, Type]:
    """The fields of what stands under all loop values."""
    while isinstance(type_, MapOf) and type_.task:
        type_ = type_.value
    return type_.fields if isinstance(type_, Record) else {}


def has_method(kind: str, name: str | int) -> bool:
    """Whether values of a kind have a method of this name."""
    return kind in _SAMPLES and isinstance(name, str) and bool(name) and find_method(_SAMPLES[kind], name) is not None


def _nothing(answers: list[Missing]) -> Missing:
    known = tuple(dict.fromkeys(name for answer in answers for name in answer.known))
    return Missing(known, None if known else next((answer.hint for answer in answers), None))
