"""The operators. Integers have 64 bits and wrap; division truncates; text is never longer than MAX_TEXT."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from engine.errors import ExpressionError
from engine.expressions.faults import Undefined, Unstoppable, limit
from engine.expressions.limits import MAX_ITEMS, MAX_RANGE, MAX_TEXT, MAX_WALKED
from engine.expressions.resolve import call_method
from engine.expressions.values import all_frozen, condition, equal, is_list, is_number, java_text, kind


def joined(left: str, right: str) -> str:
    """Two texts in one, if it is not too long."""
    if len(left) + len(right) > MAX_TEXT:
        raise limit(f"Text longer than {MAX_TEXT} characters")
    return left + right


def appended(left: Iterable[Any], right: Iterable[Any]) -> list[Any]:
    """Two lists in one, if it is not too long."""
    items = [*left, *right]
    if len(items) > MAX_ITEMS:
        raise limit(f"A list of more than {MAX_ITEMS} elements")
    return items


def wrapped(number: int) -> int:
    """An integer as 64 bits hold it."""
    return ((number + (1 << 63)) & ((1 << 64) - 1)) - (1 << 63)


def _cannot(verb: str, left: Any, right: Any) -> ExpressionError:
    hint = "Turn text into a number with `| number`." if isinstance(left, str) or isinstance(right, str) else None
    return ExpressionError(f"Unable to {verb} {kind(left)} and {kind(right)}", code="expression-type", hint=hint)


def _arithmetic(
    verb: str, left: Any, right: Any, on_integers: Callable[[int, int], int], on_floats: Callable[[Any, Any], Any]
) -> Any:
    if not (is_number(left) and is_number(right)):
        raise _cannot(verb, left, right)
    if isinstance(left, int) and isinstance(right, int):
        return wrapped(on_integers(left, right))
    if isinstance(left, Decimal) or isinstance(right, Decimal):
        left, right = (Decimal(repr(x)) if isinstance(x, float) else Decimal(x) for x in (left, right))
    try:
        return on_floats(left, right)
    except (OverflowError, InvalidOperation):
        raise _cannot(verb, left, right) from None


def add(left: Any, right: Any) -> Any:
    """`+`: joins text, appends to lists, adds numbers."""
    if isinstance(left, str) or isinstance(right, str):
        return joined(java_text(left), java_text(right))
    if is_list(left):
        return appended(left, right if is_list(right) else [right])
    return _arithmetic("add", left, right, lambda a, b: a + b, lambda a, b: a + b)


def subtract(left: Any, right: Any) -> Any:
    """`-`: takes elements from a list, subtracts numbers."""
    if is_list(left):
        budget = [MAX_WALKED]
        gone = set(all_frozen(right if is_list(right) else [right], budget))
        return [item for item, frozen in zip(left, all_frozen(left, budget), strict=True) if frozen not in gone]
    return _arithmetic("subtract", left, right, lambda a, b: a - b, lambda a, b: a - b)


def multiply(left: Any, right: Any) -> Any:
    return _arithmetic("multiply", left, right, lambda a, b: a * b, lambda a, b: a * b)


def divide(left: Any, right: Any) -> Any:
    return _arithmetic("divide", left, right, _quotient, _float_quotient)


def modulo(left: Any, right: Any) -> Any:
    return _arithmetic("divide", left, right, lambda a, b: a - b * _quotient(a, b), _float_remainder)


def _quotient(left: int, right: int) -> int:
    if right == 0:
        raise ExpressionError("Unable to divide by zero", code="division-by-zero")
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _float_quotient(left: Any, right: Any) -> Any:
    if right != 0:
        return left / right
    if isinstance(left, Decimal):
        raise ExpressionError("Unable to divide by zero", code="division-by-zero")
    sign = math.copysign(1.0, left) * math.copysign(1.0, right)
    return math.nan if left == 0 or math.isnan(left) else math.copysign(math.inf, sign)


def _float_remainder(left: Any, right: Any) -> Any:
    if isinstance(left, Decimal):
        return left % right
    return math.nan if right == 0 or math.isinf(left) else math.fmod(left, right)


def negative(value: Any) -> Any:
    return subtract(0, value) if isinstance(value, int) and not isinstance(value, bool) else multiply(value, -1.0)


def positive(value: Any) -> Any:
    if not is_number(value):
        raise ExpressionError(f"`+` needs a number, and this is {kind(value)},", code="expression-type")
    return value


def concatenate(left: Any, right: Any) -> str:
    """`~`: null is nothing."""
    return joined("" if left is None else java_text(left), "" if right is None else java_text(right))


def _compare(left: Any, right: Any, holds: Callable[[Any, Any], bool]) -> bool:
    if left is None or right is None:
        return False
    if is_number(left) and is_number(right):
        return holds(left, right)
    for comparable in (datetime, timedelta):
        if isinstance(left, comparable) and isinstance(right, comparable):
            return holds(left, right)
    if type(left) is date and type(right) is date:
        return holds(left, right)
    raise _cannot("compare", left, right)


def contains(left: Any, right: Any) -> bool:
    """`contains`: element(s) of a list, key(s) of a map, part of a text."""
    if left is None:
        return False
    if isinstance(left, str):
        return java_text(right) in left
    if isinstance(left, Mapping):
        return all(key in left for key in right) if is_list(right) else right in left
    if is_list(left):
        budget = [MAX_WALKED]
        wanted = all_frozen(right if is_list(right) else [right], budget)
        return set(wanted) <= set(all_frozen(left, budget))
    raise ExpressionError(
        f"`contains` needs a list, map or text on its left, and this is {kind(left)},", code="expression-type"
    )


def is_in(left: Any, right: Any) -> bool:
    """`isIn`: whether the left side is an element of the right one."""
    return contains(right, [left] if is_list(right) else left)


def span(start: Any, end: Any, step: Any = 1) -> list[Any]:
    """`a..b`: both ends belong to it; also on single letters."""
    letters = isinstance(start, str) and isinstance(end, str) and len(start) == len(end) == 1
    first, last = (ord(start), ord(end)) if letters else (start, end)
    if not all(isinstance(number, int) and not isinstance(number, bool) for number in (first, last, step)):
        raise ExpressionError("A range needs two integers or two letters", code="expression-type")
    if step == 0:
        raise ExpressionError("A range cannot have steps of 0", code="expression-type")
    numbers = range(first, last + (1 if step > 0 else -1), step)
    if len(numbers) > MAX_RANGE:
        raise limit(f"A range of more than {MAX_RANGE} numbers")
    return [chr(number) for number in numbers] if letters else list(numbers)


def coalesce_null(left: Callable[[], Any], right: Callable[[], Any]) -> Any:
    """`??`: the right side where the left one fails or is null."""
    value = attempt(left)
    return right() if value is None else value


def coalesce_undefined(left: Callable[[], Any], right: Callable[[], Any]) -> Any:
    """`???`: the right side where the left one is undefined."""
    try:
        return left()
    except Undefined:
        return right()


def attempt(operand: Callable[[], Any]) -> Any:
    """The operand's value, or None where it fails in a way that a flow may catch."""
    try:
        return operand()
    except Unstoppable:
        raise
    except ExpressionError:
        return None


def ternary_condition(value: Any) -> bool:
    """A condition before `?`: null is false."""
    return value is not None and condition(value)


def key(value: Any) -> Any:
    """The key of an entry in a map."""
    is_key = isinstance(value, Hashable) and not isinstance(value, (tuple, Mapping))
    return value if is_key else java_text(value)


OPERATORS: dict[str, Callable[..., Any]] = {
    "+": add,
    "-": subtract,
    "*": multiply,
    "/": divide,
    "%": modulo,
    "negative": negative,
    "positive": positive,
    "~": concatenate,
    "..": span,
    "==": equal,
    "!=": lambda left, right: not equal(left, right),
    "<": lambda left, right: _compare(left, right, lambda a, b: a < b),
    ">": lambda left, right: _compare(left, right, lambda a, b: a > b),
    "<=": lambda left, right: _compare(left, right, lambda a, b: a <= b),
    ">=": lambda left, right: _compare(left, right, lambda a, b: a >= b),
    "contains": contains,
    "isIn": is_in,
    "condition": condition,
    "ternary": ternary_condition,
    "key": key,
    "method": call_method,
    "??": coalesce_null,
    "???": coalesce_undefined,
}
LAZY_OPERATORS = ("??", "???")
