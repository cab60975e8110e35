"""Tests: what may follow `is` and `is not`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from engine.errors import ExpressionError
from engine.expressions.entry import declare
from engine.expressions.operators import attempt
from engine.expressions.values import equal, is_list, kind
from engine.expressions.values import is_empty as empty_value


@declare(
    "test", "defined", "There is such a variable, and it is not null.", "{{ missing is defined }}", "false", lazy=True
)
def is_defined(value: Callable[[], Any]) -> bool:
    return attempt(value) is not None


@declare("test", "null", "It is null.", "{{ null is null }}", "true")
def is_null(value: Any) -> bool:
    return value is None


@declare("test", "empty", "It is null, blank text, or a list or map without content.", "{{ '' is empty }}", "true")
def is_empty(value: Any) -> bool:
    return empty_value(value)


@declare("test", "even", "An even number.", "{{ 2 is even }}", "true")
def is_even(value: Any) -> bool:
    return _whole("even", value) % 2 == 0


@declare("test", "odd", "An odd number.", "{{ 2 is odd }}", "false")
def is_odd(value: Any) -> bool:
    return _whole("odd", value) % 2 == 1


def _whole(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ExpressionError(f"The test `{name}` needs an integer, and this is {kind(value)},", code="expression-type")
    return value


@declare("test", "iterable", "A list.", "{{ [] is iterable }}", "true")
def is_iterable(value: Any) -> bool:
    return is_list(value)


@declare("test", "map", "A map.", "{{ {} is map }}", "true")
def is_map(value: Any) -> bool:
    return isinstance(value, Mapping)


@declare("test", "equalTo", "Equal to another value.", "{{ 1 is equalTo(1) }}", "true")
def is_equal_to(value: Any, value_: Any) -> bool:
    return equal(value, value_)


@declare("test", "json", "A text that is JSON.", "{{ '[1]' is json }}", "true")
def is_json(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        json.loads(value)
    except ValueError:
        return False
    return True
