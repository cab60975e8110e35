"""Filters on lists and maps, and those that work on anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cmp_to_key
from typing import Any

from engine.errors import ExpressionError
from engine.expressions.entry import declare
from engine.expressions.library.text import integer
from engine.expressions.operators import appended, attempt
from engine.expressions.values import all_frozen, bounded_join, is_empty, is_list, is_number, java_text, kind


def _wrong(name: str, wanted: str, value: Any) -> ExpressionError:
    return ExpressionError(f"`{name}` needs {wanted}, and this is {kind(value)},", code="expression-type")


@declare(
    "filter",
    "default",
    "Another value where this one is undefined or empty. False and 0 are not empty.",
    "{{ missing | default('none') }}",
    "none",
    lazy=True,
)
def default(value: Callable[[], Any], default: Callable[[], Any]) -> Any:
    found = attempt(value)
    return default() if is_empty(found) else found


@declare(
    "filter", "length", "How many characters, elements or entries; 0 for anything else.", "{{ [1, 2] | length }}", "2"
)
def length(value: Any) -> int:
    return len(value) if isinstance(value, (str, Mapping, list, tuple)) else 0


@declare("filter", "first", "The first element of a list, or character of a text.", "{{ [1, 2] | first }}", "1")
def first(value: Any) -> Any:
    return _end("first", value, 0)


@declare("filter", "last", "The last element of a list, or character of a text.", "{{ [1, 2] | last }}", "2")
def last(value: Any) -> Any:
    return _end("last", value, -1)


def _end(name: str, value: Any, at: int) -> Any:
    if value is None:
        return None
    if isinstance(value, str):
        if not value:
            raise ExpressionError(f"`{name}` of an empty text", code="index-out-of-range")
        return value[at]
    if isinstance(value, Mapping):
        value = list(value.values())
    if not is_list(value):
        raise _wrong(name, "a list or a text", value)
    return value[at] if value else None


@declare("filter", "join", "The elements of a list as one text.", "{{ ['a', 'b'] | join('-') }}", "a-b")
def join(value: Any, separator: Any = "") -> Any:
    if value is None:
        return None
    if not is_list(value):
        raise _wrong("join", "a list", value)
    return bounded_join("" if separator is None else java_text(separator), map(java_text, value))


@declare(
    "filter",
    "slice",
    "From one place, counted from 0, up to but not including another.",
    "{{ 'Lovelace' | slice(0, 4) }}",
    "Love",
)
def slice_(value: Any, from_index: Any = 0, to_index: Any = None) -> Any:
    if value is None:
        return None
    if not isinstance(value, str) and not is_list(value):
        raise _wrong("slice", "a list or a text", value)
    size = len(value)
    start = integer(from_index, "fromIndex")
    end = size if to_index is None else integer(to_index, "toIndex")
    if not 0 <= start < max(size, 1) or not start < end <= size:
        raise ExpressionError(f"`slice` from {start} to {end} of {size}", code="index-out-of-range")
    return value[start:end]


@declare("filter", "sort", "In rising order.", "{{ [3, 1, 2] | sort }}", "[1,2,3]")
def sort(value: Any) -> Any:
    return _sorted("sort", value, False)


@declare("filter", "rsort", "In falling order.", "{{ [3, 1, 2] | rsort }}", "[3,2,1]")
def rsort(value: Any) -> Any:
    return _sorted("rsort", value, True)


def _sorted(name: str, value: Any, falling: bool) -> Any:
    if value is None:
        return None
    if not is_list(value):
        raise _wrong(name, "a list", value)

    def compare(left: Any, right: Any) -> int:
        if is_number(left) != is_number(right) or (type(left) is not type(right) and not is_number(left)):
            raise ExpressionError(f"`{name}` cannot compare {kind(left)} and {kind(right)}", code="expression-type")
        return int(left > right) - int(left < right)

    return sorted(value, key=cmp_to_key(compare), reverse=falling)


@declare("filter", "reverse", "A list from its end to its start.", "{{ [1, 2, 3] | reverse }}", "[3,2,1]")
def reverse(value: Any) -> Any:
    if value is None:
        return None
    if not is_list(value):
        raise _wrong("reverse", "a list", value)
    return list(reversed(value))


@declare(
    "filter",
    "merge",
    "A list with another appended, or a map with another's entries.",
    "{{ [1] | merge([2]) }}",
    "[1,2]",
)
def merge(value: Any, items: Any) -> Any:
    if value is None or items is None:
        return items if value is None else value
    if isinstance(value, Mapping) and isinstance(items, Mapping):
        return {**value, **items}
    if isinstance(value, Mapping) and is_list(items):
        return {**value, **{item: item for item in items}}
    if not is_list(value) or not (is_list(items) or isinstance(items, Mapping)):
        raise _wrong("merge", "two lists or two maps", items if is_list(value) else value)
    return appended(value, items)


@declare("filter", "keys", "The keys of a map, or the places of a list.", "{{ {'a': 1} | keys }}", '["a"]')
def keys(value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, Mapping):
        return list(value)
    if not is_list(value):
        raise _wrong("keys", "a map or a list", value)
    return list(range(len(value)))


@declare("filter", "values", "The values of a map.", "{{ {'a': 1} | values }}", "[1]")
def values(value: Any) -> Any:
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise _wrong("values", "a map", value)
    return list(value.values())


@declare(
    "filter", "flatten", "Lists inside a list as one list, one level deep.", "{{ [[1, 2], [3]] | flatten }}", "[1,2,3]"
)
def flatten(value: Any) -> Any:
    if value is None:
        return None
    if not is_list(value):
        raise _wrong("flatten", "a list", value)
    return [item for part in value for item in (part if is_list(part) else [part])]


@declare("filter", "chunk", "A list as lists of at most `size` elements.", "{{ [1, 2, 3] | chunk(2) }}", "[[1,2],[3]]")
def chunk(value: Any, size: Any) -> Any:
    if value is None:
        return None
    step = integer(size, "size")
    if not is_list(value) or step < 1:
        raise _wrong("chunk", "a list and a size above 0", value)
    return [list(value[at : at + step]) for at in range(0, len(value), step)]


@declare("filter", "distinct", "A list without repeated elements.", "{{ [1, 2, 1] | distinct }}", "[1,2]")
def distinct(value: Any) -> Any:
    if value is None:
        return None
    if not is_list(value):
        raise _wrong("distinct", "a list", value)
    unique: dict[Any, Any] = {}
    for item, stand_in in zip(value, all_frozen(value), strict=True):
        unique.setdefault(stand_in, item)
    return list(unique.values())


@declare("filter", "className", "The Java class that Kestra would name.", "{{ 'a' | className }}", "java.lang.String")
def class_name(value: Any) -> Any:
    names = {bool: "java.lang.Boolean", int: "java.lang.Long", float: "java.lang.Double", str: "java.lang.String"}
    if value is None:
        return None
    if isinstance(value, Mapping):
        return "java.util.LinkedHashMap"
    return "java.util.ArrayList" if is_list(value) else names.get(type(value), "java.lang.Object")
