"""What an operation may cost in a Jinja2 template, judged before it is performed.

Python's own operations cannot be interrupted: printing, comparing or hashing small data that holds the same list many
times over can take for ever. So everything that an operation gets is weighed first, and what would make long results
out of short arguments (`*`, `center`, `%`, ...) is done here, or asked here.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from itertools import chain
from time import monotonic
from typing import Any

from jinja2.runtime import Undefined
from jinja2.sandbox import SandboxedFormatter
from markupsafe import Markup

from engine.errors import ExpressionError
from engine.expressions.evaluation import Evaluation
from engine.expressions.faults import limit
from engine.expressions.limits import MAX_BUILT, MAX_DEPTH, MAX_ITEMS, MAX_RANGE, MAX_TEXT
from engine.expressions.values import bounded_join, replaced

#: What is being evaluated in this thread: Jinja calls much of this without its context.
EVALUATION: ContextVar[Evaluation] = ContextVar("evaluation")

#: Bits of an integer that is calculated with: Python's have no bound, and multiplying long ones takes long.
MAX_BITS = 4096
#: Characters of a text that is a number, a pattern, or the like.
MAX_WORD = 4096

_CONTAINERS = (list, tuple, dict)
_VIEWS: tuple[type, ...] = (type({}.keys()), type({}.values()), type({}.items()))


def tick() -> Evaluation:
    """A step: now and then the time is looked at."""
    evaluation = EVALUATION.get()
    if monotonic() > evaluation.look_at:
        evaluation.spend(0)
    return evaluation


def weigh(value: Any, at_most: int = MAX_BUILT, *, whole: bool = False) -> Any:
    """Give back a value that can be walked over in good time; refuse any other.

    With `whole` it must also hold nothing that is undefined.
    """
    if not isinstance(value, _CONTAINERS):
        return value
    level: list[Any] = [value]
    values = size = 0
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for container in level:
            values += len(container) + 1
            if values > MAX_ITEMS or size > at_most:
                raise limit(f"Data of more than {MAX_ITEMS} values or {at_most} characters")
            for item in chain(container, container.values()) if isinstance(container, dict) else container:
                if isinstance(item, str):
                    size += len(item)
                elif isinstance(item, _CONTAINERS):
                    below.append(item)
                elif whole and isinstance(item, Undefined):
                    str(item)  # raises
        if not below:
            return value
        level = below
    raise limit(f"Data nested more than {MAX_DEPTH} levels deep")


def text(value: Any) -> str:
    """The text of a value, as Python prints it."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, _CONTAINERS):
        return str(weigh(value, MAX_TEXT, whole=True))
    if isinstance(value, Mapping):
        return text(as_dict(value))
    if callable(value) and not isinstance(value, Undefined):
        name = getattr(value, "__name__", type(value).__name__)
        raise ExpressionError(f"`{name}` is a function and no value", code="expression-type", hint="Call it: `name()`.")
    return str(value)


def as_dict(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """A lazy mapping as a dict, all the way down."""
    lazy = (
        (key, as_dict(item) if isinstance(item, Mapping) and not isinstance(item, dict) else item)
        for key, item in mapping.items()
    )
    return dict(lazy)


def settled(value: Any) -> Any:
    """What an operation gave, as data: lists in place of generators and views, plain text in place of markup."""
    if isinstance(value, Markup):
        value = str(value)
    elif isinstance(value, (Iterator, *_VIEWS)):
        value = list(each(value))
    if isinstance(value, (str, list)) and len(value) > MAX_WORD:
        EVALUATION.get().spend(len(value) if isinstance(value, str) else 8 * len(value))
    return value


def each(values: Any) -> Iterator[Any]:
    """The values of a loop, one step each."""
    for count, value in enumerate(values):
        tick()
        if count >= MAX_ITEMS:
            raise limit(f"A list of more than {MAX_ITEMS} elements")
        yield value


def joined(chunks: Iterable[str]) -> str:
    """The text of a macro, a block or a filter section."""
    result = bounded_join("", chunks)
    evaluation = EVALUATION.get(None)
    if evaluation is not None:
        evaluation.spend(len(result))
    return result


# -- operators


def operate(symbol: str, left: Any, right: Any) -> Any:
    """`left + right` and the like."""
    tick()
    weigh(left)
    weigh(right)
    if symbol == "%" and isinstance(left, str):
        return percent(left, right)
    if isinstance(left, int) and isinstance(right, int):
        _check_integers(symbol, left, right)
    elif symbol == "*":
        _check_repeated(left, right)
    elif symbol == "+" and isinstance(left, str) and isinstance(right, str) and len(left) + len(right) > MAX_TEXT:
        raise limit(f"Text longer than {MAX_TEXT} characters")
    return settled(_OPERATORS[symbol](left, right))


_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "**": operator.pow,
    "%": operator.mod,
}


def _check_integers(symbol: str, left: int, right: int) -> None:
    bits = left.bit_length() * abs(right) if symbol == "**" else left.bit_length() + right.bit_length()
    if bits > MAX_BITS and abs(left) > 1:
        raise limit(f"A number of more than {MAX_BITS} bits")


def _check_repeated(left: Any, right: Any) -> None:
    for sequence, times in ((left, right), (right, left)):
        if isinstance(sequence, (str, bytes)) and isinstance(times, int) and len(sequence) * times > MAX_TEXT:
            raise limit(f"Text longer than {MAX_TEXT} characters")
        if isinstance(sequence, (list, tuple)) and isinstance(times, int) and len(sequence) * times > MAX_ITEMS:
            raise limit(f"A list of more than {MAX_ITEMS} elements")


# -- text


_DIRECTIVE = re.compile(r"%(?:\((\w+)\))?([-#0 +]*)(\d*)(?:\.(\d*))?([diouxXeEfFgGcrsa%])")


def percent(pattern: str, values: Any) -> str:
    """`pattern % values`, one piece at a time, so that each can be measured. A width stands in the pattern itself."""
    given = values if isinstance(values, tuple) else (values,)
    parts: list[str] = []
    last = used = 0
    for match in _DIRECTIVE.finditer(pattern):
        parts.append(_no_directive(pattern[last : match.start()]))
        last = match.end()
        name, flags, width, precision, conversion = match.groups()
        if max(len(width), len(precision or "")) > 5:
            raise limit(f"Text padded to more than {MAX_RANGE} characters")
        if conversion == "%":
            parts.append("%")
            continue
        if name is None and used >= len(given):
            raise TypeError("not enough values for this format")
        value = values[name] if name is not None else given[used]
        used += name is None
        value = text(value) if conversion == "s" else weigh(value, MAX_TEXT)
        directive = f"%{flags}{width}{'' if precision is None else f'.{precision}'}{conversion}"
        parts.append(directive % (value,))
        EVALUATION.get().spend(len(parts[-1]))
    if used < len(given) and not isinstance(values, Mapping):
        raise TypeError("too many values for this format")
    return bounded_join("", [*parts, _no_directive(pattern[last:])])


def _no_directive(part: str) -> str:
    if "%" in part:
        raise ValueError("a `%` that is no format")
    return part


class MeasuredFormatter(SandboxedFormatter):
    """`'{:>10}'.format(x)`, one field at a time."""

    def format_field(self, value: Any, format_spec: str) -> Any:
        if re.search(r"\d{6}", format_spec):
            raise limit(f"Text padded to more than {MAX_RANGE} characters")
        result = super().format_field(text(value) if isinstance(value, _CONTAINERS) else value, format_spec)
        EVALUATION.get().spend(len(result))
        return result

    def convert_field(self, value: Any, conversion: Any) -> Any:
        return super().convert_field(weigh(value, MAX_TEXT), conversion)


def check_method(owner: str, name: str, arguments: tuple[Any, ...]) -> None:
    """Refuse a method of a text whose result would be too long."""
    if name in ("center", "ljust", "rjust", "zfill"):
        check_width(arguments)
    elif name in ("split", "rsplit", "splitlines"):
        check_length(owner, MAX_ITEMS)
    elif name == "replace" and len(arguments) > 1:
        replaced(owner, *map(str, arguments[:2]))
    elif name == "join" and arguments and isinstance(arguments[0], (list, tuple)):
        bounded_join(owner, (part for part in arguments[0] if isinstance(part, str)))


def check_width(arguments: Iterable[Any]) -> None:
    """Refuse numbers that no width has."""
    if any(isinstance(argument, int) and abs(argument) > MAX_RANGE for argument in arguments):
        raise limit(f"A width of more than {MAX_RANGE}")


def check_length(value: Any, at_most: int) -> None:
    """Refuse a text that is too long for what it is used for."""
    if isinstance(value, str) and len(value) > at_most:
        raise limit(f"Text longer than {at_most} characters, here,")
