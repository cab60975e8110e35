"""What compiled templates call: operators, filters, functions and tests, by the names that the parser gives them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any

from engine.expressions.catalog import all_entries
from engine.expressions.entry import PREFIX
from engine.expressions.evaluation import print_chunks
from engine.expressions.operators import OPERATORS

if TYPE_CHECKING:
    from engine.expressions.evaluation import Evaluation

CALLS: dict[str, Callable[..., Any]] = {f"op:{symbol}": call for symbol, call in OPERATORS.items()}
CALLS.update({PREFIX[entry.kind] + entry.name: entry.call for entry in all_entries()})


#: What generated code calls a function of: it is given an Evaluation and yields the chunks of a template.
Root = Callable[["Evaluation"], Iterator[Any]]


class _Surroundings:
    """What generated code calls `environment`, without Jinja behind it."""

    filters = CALLS
    undefined = None  # part of what Jinja's preamble names; never called
    concat = staticmethod(print_chunks)


def bound(code: CodeType) -> Root:
    """The function of a compiled template. Its defaults are those that Jinja gives: `missing` and `environment`."""
    return FunctionType(code, {"Undefined": None}, "root", (None, _Surroundings))
