"""The languages that expressions can be written in. A flow has one, and never mixes it with another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, Protocol

from msgspec import Struct

from engine.expressions import analysis, program
from engine.expressions.entry import Kind
from engine.expressions.functions import Functions


class Evaluate(Protocol):
    """Something that gives the value of a template. Raises ExpressionError."""

    def __call__(self, template: str, context: Mapping[str, Any], functions: Functions | None = None) -> Any: ...


class Language(Struct, frozen=True, kw_only=True):
    """What the engine does with a template. All of it raises ExpressionError for a text that is none."""

    name: str
    render: Evaluate  #: the text of a template
    evaluate: Evaluate  #: the native value of a template that is one expression, else its text
    condition: Evaluate  #: the text that `truthy` judges
    is_pure: Callable[[str], bool]  #: whether the result depends on the context, the time and the seed only
    check_syntax: Callable[[str], None]
    names: Callable[[Kind], Iterable[str]]  #: the filters, functions and tests that there are
    #: Whether a template means what it would mean in Kestra's language, so that its types can be judged as there.
    is_common: Callable[[str], bool]


def _names(kind: Kind) -> Iterable[str]:
    from engine.expressions.catalog import names

    return names(kind)


KESTRA = Language(
    name="kestra",
    render=program.render,
    evaluate=program.evaluate,
    condition=program.render,
    is_pure=analysis.is_pure,
    check_syntax=program.check_syntax,
    names=_names,
    is_common=lambda template: True,
)


def language(name: object) -> Language:
    """The language that a flow's `expressions` names: Kestra's, unless it is `jinja2`."""
    return _jinja2() if name == "jinja2" else KESTRA


@cache
def _jinja2() -> Language:
    from engine.expressions.jinja import program as jinja

    return Language(
        name="jinja2",
        render=jinja.render,
        evaluate=jinja.evaluate,
        condition=jinja.condition,
        is_pure=jinja.is_pure,
        check_syntax=jinja.check_syntax,
        names=jinja.names,
        is_common=jinja.only_paths,
    )
