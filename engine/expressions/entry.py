"""How a filter, function or test is declared: an ordinary function, and what the documentation says about it.

The argument names of the language are those of the Python function in camelCase, in the same order. What is
declared here is all that the parser, the checker and docs/expressions.md know about a name.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Literal, TypeVar

from msgspec import Struct

Kind = Literal["filter", "function", "test"]
Call = TypeVar("Call", bound=Callable[..., Any])

#: How a name is spelled in the tree, by its kind: those of different kinds never meet.
PREFIX: dict[Kind, str] = {"filter": "", "function": "fn:", "test": "is:"}


class Argument(Struct, frozen=True):
    """`name` as flows write it, `parameter` as the Python function calls it."""

    name: str
    parameter: str
    required: bool


class Entry(Struct, frozen=True, kw_only=True):
    """One name of the language.

    `example` gives `result` (None: each time another), with no variables at all unless it calls out.
    """

    kind: Kind
    name: str
    call: Callable[..., Any]
    arguments: tuple[Argument, ...]
    variadic: bool  #: takes any number of further arguments
    doc: str
    example: str
    result: str | None
    evaluation: bool  #: the function wants the Evaluation as its first argument
    outside: bool  #: calls out: its result depends on more than the context, the time and the seed
    lazy: bool  #: operands come as functions, because evaluating them may fail


#: kind -> name -> entry. Filled while the modules of the catalog are imported.
ENTRIES: dict[Kind, dict[str, Entry]] = {"filter": {}, "function": {}, "test": {}}


def declare(
    kind: Kind,
    name: str,
    doc: str,
    example: str,
    result: str | None = None,
    *,
    evaluation: bool = False,
    outside: bool = False,
    lazy: bool = False,
) -> Callable[[Call], Call]:
    """Declare the decorated function as a name of the language."""

    def register(call: Call) -> Call:
        parameters = list(inspect.signature(call).parameters.values())
        taken = int(evaluation) + int(kind != "function")
        arguments = tuple(
            Argument(camel(p.name), p.name, p.default is p.empty)
            for p in parameters[taken:]
            if p.kind is not p.VAR_POSITIONAL
        )
        ENTRIES[kind][name] = Entry(
            kind=kind,
            name=name,
            call=call,
            arguments=arguments,
            variadic=any(p.kind is p.VAR_POSITIONAL for p in parameters),
            doc=doc,
            example=example,
            result=result,
            evaluation=evaluation,
            outside=outside,
            lazy=lazy,
        )
        return call

    return register


def camel(name: str) -> str:
    """`from_index` -> `fromIndex`."""
    head, *rest = name.rstrip("_").split("_")
    return head + "".join(word.capitalize() for word in rest)
