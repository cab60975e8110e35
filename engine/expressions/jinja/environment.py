"""The sandbox: which names, attributes and calls a Jinja2 template reaches, and how its source becomes a tree.

Tokens carry their character offset where Jinja has line numbers: it only hands the number along, from tokens to nodes
to errors, and so each error knows its column.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from functools import partial, update_wrapper
from types import BuiltinMethodType
from typing import Any

from jinja2 import nodes
from jinja2.exceptions import TemplateSyntaxError, UndefinedError
from jinja2.lexer import TokenStream, newline_re
from jinja2.runtime import Context, LoopContext, Macro, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Cycler, Joiner, Namespace, missing

from engine.errors import ExpressionError
from engine.expressions.evaluation import Evaluation
from engine.expressions.faults import Undefined, limit
from engine.expressions.jinja.filters import EACH, FILTERS, FUNCTIONS, JOINED, TESTS, WEIGHED, finalize
from engine.expressions.jinja.guards import (
    EVALUATION,
    MeasuredFormatter,
    check_method,
    joined,
    operate,
    settled,
    tick,
    weigh,
)
from engine.expressions.limits import MAX_HEIGHT, MAX_TOKENS

_TEXT_METHODS = {
    "capitalize", "casefold", "center", "count", "endswith", "find", "format", "format_map", "index", "isalnum",
    "isalpha", "isascii", "isdecimal", "isdigit", "islower", "isnumeric", "isspace", "istitle", "isupper", "join",
    "ljust", "lower", "lstrip", "partition", "removeprefix", "removesuffix", "replace", "rfind", "rindex", "rjust",
    "rpartition", "rsplit", "rstrip", "split", "splitlines", "startswith", "strip", "swapcase", "title", "upper",
    "zfill",
}  # fmt: skip
_TIME_METHODS = {
    "astimezone", "date", "day", "days", "hour", "isocalendar", "isoformat", "isoweekday", "microsecond",
    "microseconds", "minute", "month", "second", "seconds", "strftime", "time", "timestamp", "timetuple",
    "total_seconds", "tzname", "utcoffset", "weekday", "year",
}  # fmt: skip
#: What can be reached of data, by its kind. Of what Jinja itself makes, all that it offers can.
_REACHABLE: tuple[tuple[type | tuple[type, ...], set[str]], ...] = (
    (str, _TEXT_METHODS),
    (Mapping, {"get", "items", "keys", "values"}),
    ((list, tuple), {"count", "index"}),
    ((date, datetime, time, timedelta), _TIME_METHODS),
    (float, {"is_integer"}),
)
_OF_JINJA = (Cycler, Joiner, LoopContext, Macro, Namespace)

#: What needs other templates, or HTML.
_REFUSED: tuple[tuple[type[nodes.Node], str], ...] = (
    (nodes.Block, "block"),
    (nodes.Extends, "extends"),
    (nodes.Include, "include"),
    (nodes.Import, "import"),
    (nodes.FromImport, "from"),
    (nodes.ScopedEvalContextModifier, "autoescape"),
)


def _not_found(obj: Any, name: Any, message: str | None) -> Exception:
    if obj is missing:
        known = [*EVALUATION.get().variables, *FUNCTIONS]
        return Undefined(f"Unable to find `{name}`", code="unknown-variable", word=str(name), known=known)
    if isinstance(obj, Mapping):
        return Undefined(f"Unable to find `{name}`", code="unknown-attribute", word=str(name), known=list(obj))
    return Undefined(f"Unable to find this ({message})", code="unknown-attribute")


class Unknown(StrictUndefined):
    """What is not there: an error with a hint as soon as it is used."""

    __slots__ = ()

    def __init__(
        self, hint: str | None = None, obj: Any = missing, name: str | None = None, exc: Any = UndefinedError
    ) -> None:
        if exc is UndefinedError and hint is None:
            exc = partial(_not_found, obj, name)
        super().__init__(hint, obj, name, exc)


class FlowContext(Context):
    """Names are looked up when they are used: variables of the template, then of the flow, then functions."""

    evaluation: Evaluation

    def resolve_or_missing(self, key: str) -> Any:
        if key in self.vars:
            return self.vars[key]
        if key in self.evaluation.variables:
            return self.evaluation.variables[key]
        return self.environment.globals.get(key, missing)


class FlowEnvironment(ImmutableSandboxedEnvironment):
    """Without loaders and extensions; every filter, test, call and operator is measured."""

    context_class = FlowContext
    intercepted_binops = frozenset(["+", "-", "*", "/", "//", "%", "**"])
    concat = staticmethod(joined)

    def __init__(self) -> None:
        # Constants are not folded: that would run filters while compiling, before there is any budget.
        super().__init__(
            undefined=Unknown, autoescape=False, optimized=False, keep_trailing_newline=True, finalize=finalize
        )
        self.filters = dict(FILTERS)
        self.tests = dict(TESTS)
        del self.globals["lipsum"]
        self.globals.update(FUNCTIONS)

    # -- from source to tree

    def _tokenize(
        self, source: str, name: str | None, filename: str | None = None, state: str | None = None
    ) -> TokenStream:
        return TokenStream(self.lexer.wrap(self._placed(source)), name, filename)

    def _placed(self, source: str) -> Iterator[tuple[int, str, str]]:
        """Tokens with offsets for line numbers. White space that a dash takes away lies between two tokens."""
        source = newline_re.sub("\n", source)
        end = count = 0
        try:
            for _, kind, value in self.lexer.tokeniter(source, None):
                start = max(source.find(value, end), end)
                end = start + len(value)
                count += kind != "whitespace"
                if count > MAX_TOKENS:
                    raise limit(f"A template of more than {MAX_TOKENS} words and signs")
                yield start, kind, value
        except TemplateSyntaxError as error:
            error.lineno = end
            raise

    def tree(self, source: str) -> nodes.Template:
        """The tree of a template, before anything is put around its parts."""
        tree = self.parse(source)
        for kind, tag in _REFUSED:
            if (found := tree.find(kind)) is not None:
                error = ExpressionError(f"The tag `{tag}` does not exist here:", code="unknown-tag")
                error.offset = found.lineno
                raise error
        level: list[nodes.Node] = [tree]
        for _ in range(MAX_HEIGHT):
            level = [child for node in level for child in node.iter_child_nodes()]
            if not level:
                return tree
        raise limit(f"An expression of more than {MAX_HEIGHT} steps")

    def measured(self, tree: nodes.Template) -> nodes.Template:
        """The same tree, with guards around what Jinja compiles to Python's own operations."""
        for loop in tree.find_all(nodes.For):
            loop.iter = _around(loop.iter, EACH)
        for comparison in tree.find_all(nodes.Compare):
            comparison.expr = _around(comparison.expr, WEIGHED)
            for operand in comparison.ops:
                operand.expr = _around(operand.expr, WEIGHED)
        for concatenation in tree.find_all(nodes.Concat):
            parts = nodes.List(concatenation.nodes, lineno=concatenation.lineno)
            concatenation.nodes = [_around(parts, JOINED)]
        for subscript in tree.find_all(nodes.Getitem):
            if isinstance(subscript.arg, nodes.Slice):  # compiled to Python's own: `None[1:2]` would make it warn
                subscript.node = nodes.Filter(subscript.node, WEIGHED, [], [], None, None, lineno=subscript.lineno)
            else:
                subscript.arg = _around(subscript.arg, WEIGHED)
        for pair in tree.find_all(nodes.Pair):
            pair.key = _around(pair.key, WEIGHED)
        return tree.set_environment(self)  # type: ignore[return-value]  # it returns the node itself

    # -- at run time

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        return operate(operator, left, right)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805  # as Jinja names them
        tick()
        for value in (*args, *kwargs.values()):
            weigh(value)
        if isinstance(__obj, BuiltinMethodType) and isinstance(__obj.__self__, str):
            check_method(__obj.__self__, __obj.__name__, (*args, *kwargs.values()))
        return settled(super().call(__context, __obj, *args, **kwargs))

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if isinstance(obj, _OF_JINJA):
            return super().is_safe_attribute(obj, attr, value)
        return any(isinstance(obj, types) and attr in reachable for types, reachable in _REACHABLE)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """`obj.attribute`: a key wins over a method of the same name."""
        if isinstance(obj, Mapping) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)

    def wrap_str_format(self, value: Any) -> Any:
        if not isinstance(value, BuiltinMethodType) or value.__name__ not in ("format", "format_map"):
            return None
        pattern = value.__self__
        if not isinstance(pattern, str):
            return None

        def formatted(*arguments: Any, **named: Any) -> str:
            if value.__name__ == "format_map":
                (named,), arguments = arguments, ()
            return MeasuredFormatter(self).vformat(pattern, arguments, named)

        return update_wrapper(formatted, value)


def _around(node: Any, guard: str) -> nodes.Expr:
    if isinstance(node, nodes.Const):
        return node
    return nodes.Filter(node, guard, [], [], None, None, lineno=node.lineno)


ENVIRONMENT = FlowEnvironment()
