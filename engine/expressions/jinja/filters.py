"""Jinja2's own filters and tests, each behind a guard, and the functions of this engine as globals.

Those whose result can be far longer than what they get are written anew; two are left out: `random`, because what was
decided must come out the same when it is decided again, and `pprint`, because its text is for programmers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import reduce, wraps
from typing import Any

from jinja2 import filters as stock
from jinja2 import tests as stock_tests
from jinja2.runtime import Context, Undefined
from jinja2.utils import pass_context, pass_environment

from engine.errors import ExpressionError
from engine.expressions.catalog import lookup, names
from engine.expressions.entry import Entry
from engine.expressions.faults import did_you_mean, limit
from engine.expressions.jinja.guards import (
    EVALUATION,
    MAX_WORD,
    as_dict,
    check_length,
    check_width,
    each,
    joined,
    operate,
    percent,
    settled,
    text,
    tick,
    weigh,
)
from engine.expressions.limits import MAX_ITEMS, MAX_RANGE, MAX_TEXT
from engine.expressions.values import bounded_join, replaced, time_text

Call = Callable[..., Any]

LEFT_OUT = {
    "random": "Every evaluation gives the same: use the function `randomInt`.",
    "pprint": "Write `tojson(indent=2)`.",
}
#: These look at one thing, or hand everything on, whatever the size of what they get.
_LIGHT = {"count", "d", "default", "first", "last", "length", "attr"}
#: These have a width, or a number of something.
_SIZED = {"batch", "center", "round", "slice", "truncate", "wordwrap"}
#: How long a text may be for those that take much longer than it takes to read it.
_LONGEST = {
    "float": MAX_WORD, "int": MAX_WORD, "urlize": MAX_RANGE, "wordwrap": MAX_RANGE, "striptags": MAX_RANGE,
    **dict.fromkeys(("batch", "groupby", "list", "map", "max", "min", "reject", "reverse", "select", "slice", "sort",
                     "title", "unique", "wordcount"), MAX_ITEMS),
}  # fmt: skip

#: Names that are put around parts of a template. No template can spell them.
EACH, JOINED, WEIGHED = "each value", "joined text", "weighed value"


def guarded(name: str, call: Call) -> Call:
    """A filter, test or function that looks at what it gets before it works."""

    @wraps(call)
    def run(*arguments: Any, **named: Any) -> Any:
        tick()
        for value in (*arguments, *named.values()):
            if name not in _LIGHT:
                weigh(value)
            check_length(value, _LONGEST.get(name, MAX_TEXT))
        if name in _SIZED:
            check_width([*arguments, *named.values()])
        return settled(call(*arguments, **named))

    return run


def join(environment: Any, values: Any, d: Any = "", attribute: Any = None) -> str:
    if attribute is not None:
        values = map(stock.make_attrgetter(environment, attribute), values)
    return bounded_join(text(d), map(text, each(values)))


def indent(value: Any, width: Any = 4, first: bool = False, blank: bool = False) -> str:
    lines, added = text(value), len(width) if isinstance(width, str) else int(width)
    if len(lines) + (lines.count("\n") + 1) * added > MAX_TEXT:
        raise limit(f"Text longer than {MAX_TEXT} characters")
    return stock.do_indent(lines, width, first, blank)


def replace(value: Any, old: Any, new: Any, count: int | None = None) -> str:
    whole, old, new = text(value), text(old), text(new)
    everywhere = replaced(whole, old, new)
    return everywhere if count is None else whole.replace(old, new, count)


def format_(pattern: Any, *arguments: Any, **named: Any) -> str:
    if arguments and named:
        raise TypeError("`format` takes values by place or by name, not both")
    return percent(text(pattern), named or arguments)


def sum_(environment: Any, values: Any, attribute: Any = None, start: Any = 0) -> Any:
    if attribute is not None:
        values = map(stock.make_attrgetter(environment, attribute), values)
    return reduce(lambda left, right: operate("+", left, right), each(values), start)


def tojson(value: Any, indent: int | None = None) -> str:
    check_width([(indent or 0) * 1000])
    weigh(value, MAX_TEXT, whole=True)
    encoder = json.JSONEncoder(sort_keys=True, ensure_ascii=False, indent=indent, default=_json_value)
    return encoder.encode(value) if indent is None else bounded_join("", encoder.iterencode(value))


def _json_value(value: Any) -> Any:
    if isinstance(value, Undefined):
        str(value)  # raises
    if isinstance(value, Mapping):
        return as_dict(value)
    try:
        return time_text(value)
    except (TypeError, AttributeError):
        return str(value)


def _filters() -> dict[str, Call]:
    own: dict[str, Call] = {
        "join": pass_environment(join),
        "indent": indent,
        "replace": replace,
        "format": format_,
        "string": text,
        "sum": pass_environment(sum_),
        "tojson": tojson,
    }
    kept: dict[str, Any] = {**stock.FILTERS, **own}
    found = {name: guarded(name, call) for name, call in kept.items() if name not in LEFT_OUT}
    return {**found, EACH: each, JOINED: lambda parts: joined(map(text, parts)), WEIGHED: weigh}


def _function(entry: Entry) -> Call:
    """A function of this engine as a Python callable; arguments have the names that flows use."""
    parameters = {argument.name: argument.parameter for argument in entry.arguments}

    def call(*arguments: Any, **named: Any) -> Any:
        if unknown := [name for name in named if name not in parameters]:
            message = f"`{entry.name}` has no argument `{unknown[0]}`,"
            raise ExpressionError(message, code="unknown-argument", hint=did_you_mean(unknown[0], parameters))
        if not entry.variadic:
            arguments = arguments[: len(parameters)]
        given = [*list(parameters)[: len(arguments)], *named]
        if missing := [a.name for a in entry.arguments if a.required and a.name not in given]:
            raise ExpressionError(f"`{entry.name}` needs the argument `{missing[0]}`,", code="missing-argument")
        first = (EVALUATION.get(),) if entry.evaluation else ()
        return entry.call(*first, *arguments, **{parameters[name]: value for name, value in named.items()})

    call.__name__ = entry.name
    return call


def _functions() -> dict[str, Call]:
    """`range` is Jinja2's own, and so are its other globals; blocks there are none."""
    found = {name: lookup("function", name) for name in names("function") if name not in ("block", "range")}
    return {name: _function(entry) for name, entry in found.items() if entry is not None}


@pass_context
def finalize(_context: Context, value: Any) -> str:
    """What `{{ value }}` writes. That it takes the context keeps Jinja from calling it while it compiles."""
    return text(value)


FILTERS = _filters()
_STOCK_TESTS: dict[str, Any] = {**stock_tests.TESTS}
TESTS = {name: guarded(name, call) for name, call in _STOCK_TESTS.items()}
FUNCTIONS = _functions()
#: The functions whose result depends on more than the context, the time and the seed.
OUTSIDE = frozenset(name for name in names("function") if (entry := lookup("function", name)) and entry.outside)
