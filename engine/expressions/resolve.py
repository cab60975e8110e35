"""Attributes, subscripts and methods of data. No attribute of a Python object is reachable: only what stands here.

A mapping is asked with `in` and `[]` only, so a lazy one stays lazy. A key always wins over a method of the same
name; a method may be written without parentheses (`list.size`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from engine.errors import ExpressionError
from engine.expressions.faults import Undefined, did_you_mean
from engine.expressions.values import MapEntry, java_text, kind, replaced


def attribute(value: Any, name: str, path: str) -> Any:
    """`value.name`. `path` is how `value` was written, for the message."""
    if isinstance(value, Mapping):
        if name in value:
            return value[name]
    elif value is None:
        raise null_has_no(name, path)
    elif isinstance(value, MapEntry) and name in ("key", "value"):
        return value.key if name == "key" else value.value
    method = find_method(value, name)
    if method is None:
        raise missing(name, value, path)
    try:
        return method(value)
    except TypeError:
        raise ExpressionError(f"The method `{name}` needs arguments", code="missing-argument") from None


def item(value: Any, key: Any, path: str) -> Any:
    """`value[key]`."""
    if isinstance(value, Mapping):
        try:
            if key in value:
                return value[key]
        except TypeError:  # a list or map as the key
            raise ExpressionError(f"{kind(key).capitalize()} cannot be a key", code="expression-type") from None
        name = java_text(key)
        if name in value:
            return value[name]
        raise missing(name, value, path)
    if value is None:
        raise null_has_no(java_text(key), path)
    if isinstance(value, (list, tuple)):
        return _element(value, key, path)
    return attribute(value, java_text(key), path)


def _element(value: list[Any] | tuple[Any, ...], key: Any, path: str) -> Any:
    if isinstance(key, str) and key.isascii() and key.isdigit() and len(key) < 10:
        key = int(key)
    if isinstance(key, str) and find_method(value, key):
        return attribute(value, key, path)
    if not isinstance(key, int) or isinstance(key, bool):
        raise missing(java_text(key), value, path)
    if not 0 <= key < len(value):
        hint = f"The list has {len(value)} elements, counted from 0." if value else "The list is empty."
        raise Undefined(f"Unable to find `{path}[{key}]`", code="index-out-of-range", hint=hint)
    return value[key]


def call_method(value: Any, name: str, *arguments: Any) -> Any:
    """`value.name(...)`."""
    if value is None:
        raise null_has_no(name, "")
    method = find_method(value, name)
    if method is None:
        known = [word for types, methods in METHODS for word in methods if isinstance(value, types)]
        raise Undefined(
            f"Unable to find the method `{name}` of {kind(value)}",
            code="unknown-method",
            hint=did_you_mean(name, known) or "Most of what methods do, filters do: `| name`.",
        )
    try:
        return method(value, *arguments)
    except TypeError:
        message = f"The method `{name}` does not take {len(arguments)} such arguments"
        raise ExpressionError(message, code="expression-type") from None


def find_method(value: Any, name: str) -> Callable[..., Any] | None:
    """The method of a kind of value, from the list below."""
    for types, methods in METHODS:
        if isinstance(value, types):
            found = methods.get(name)
            return found or methods.get(_property(name))
    return None


def _property(name: str) -> str:
    # Java's beans: `x.empty` means `x.isEmpty()`, `date.year` means `date.getYear()`.
    return f"is{name[:1].upper()}{name[1:]}"


def missing(name: str, value: Any, path: str) -> Undefined:
    """The error for an attribute or key that is not there."""
    full = f"{path}.{name}" if path else name
    if isinstance(value, Mapping):
        return Undefined(f"Unable to find `{full}`", code="unknown-attribute", word=name, known=value)
    hint = f"`{path or 'the value'}` is {kind(value)}."
    return Undefined(f"Unable to find `{full}`", code="unknown-attribute", hint=hint)


def null_has_no(name: str, path: str) -> Undefined:
    """The error for an attribute of null: names what is null."""
    full = f"{path}.{name}" if path else name
    return Undefined(
        f"Unable to find `{full}`, because `{path or 'the value before it'}` is null,",
        code="attribute-of-null",
        hint="Give a default: `?? 'value'`.",
    )


def _matches(text: str, pattern: Any) -> bool:
    from engine.expressions.regex import compiled

    return compiled(java_text(pattern)).fullmatch(text) is not None


def _replace(text: str, old: Any, new: Any) -> str:
    return replaced(text, java_text(old), java_text(new))


_TEXT: dict[str, Callable[..., Any]] = {
    "length": len,
    "isEmpty": lambda text: not text,
    "isBlank": lambda text: not text.strip(),
    "toUpperCase": str.upper,
    "toLowerCase": str.lower,
    "toString": str,
    "trim": str.strip,
    "strip": str.strip,
    "startsWith": lambda text, other: text.startswith(java_text(other)),
    "endsWith": lambda text, other: text.endswith(java_text(other)),
    "equalsIgnoreCase": lambda text, other: text.casefold() == java_text(other).casefold(),
    "indexOf": lambda text, other: text.find(java_text(other)),
    "lastIndexOf": lambda text, other: text.rfind(java_text(other)),
    "matches": _matches,
    "replace": _replace,
}
_LIST: dict[str, Callable[..., Any]] = {"size": len, "length": len, "isEmpty": lambda value: not len(value)}
_MAP: dict[str, Callable[..., Any]] = {
    "size": len,
    "isEmpty": lambda value: not len(value),
    "containsKey": lambda value, key: key in value,
    "keySet": list,
    "entrySet": lambda value: [MapEntry(key, item) for key, item in value.items()],
}
_DATE: dict[str, Callable[..., Any]] = {
    "year": lambda value: value.year,
    "month": lambda value: value.strftime("%B").upper(),
    "monthValue": lambda value: value.month,
    "dayOfMonth": lambda value: value.day,
    "dayOfYear": lambda value: value.timetuple().tm_yday,
    "dayOfWeek": lambda value: value.strftime("%A").upper(),
}
_DATETIME: dict[str, Callable[..., Any]] = {
    **_DATE,
    "hour": lambda value: value.hour,
    "minute": lambda value: value.minute,
    "second": lambda value: value.second,
    "nano": lambda value: value.microsecond * 1000,
}
_DATETIME.update({f"get{name[0].upper()}{name[1:]}": call for name, call in list(_DATETIME.items())})

#: The kinds of values that have methods, the most special first.
METHODS: tuple[tuple[type | tuple[type, ...], dict[str, Callable[..., Any]]], ...] = (
    (str, _TEXT),
    (Mapping, _MAP),
    ((list, tuple), _LIST),
    (datetime, _DATETIME),
    (date, _DATE),
)
