"""One evaluation of one template: its scopes, its budget, and the calls that compiled code makes.

The compiled code sees this object as `context`. Whatever goes wrong leaves as an ExpressionError that knows where.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from engine.errors import (
    ExpressionError,
    FileRefused,
    IllegalState,
    InputsInvalid,
    NotFound,
    StoreError,
    TaskFailed,
    UsageError,
)
from engine.expressions import resolve
from engine.expressions.faults import Undefined, did_you_mean, limit, locate
from engine.expressions.functions import Functions
from engine.expressions.limits import MAX_BUILT, MAX_DEPTH, MAX_SECONDS, MAX_TEXT
from engine.expressions.values import MapEntry, kind, printed

_BETWEEN_LOOKS = 0.01  #: seconds
_LARGE = 4096
_DATA_ERRORS = (TypeError, ValueError, ArithmeticError, LookupError, AttributeError)
_REFUSALS = (NotFound, IllegalState, InputsInvalid, UsageError, FileRefused, StoreError, TaskFailed)

#: The text of a template that an expression made, on the budget of that expression.
Renderer = Callable[["Evaluation", str], str]
Macro = tuple[Callable[[], str], dict[str, Callable[[], Any]]]


class Evaluation:
    """The state of one evaluation."""

    __slots__ = (
        "built",
        "deadline",
        "depth",
        "drawn",
        "functions",
        "look_at",
        "macros",
        "render",
        "resolve_or_missing",
        "scopes",
        "template",
        "variables",
    )

    def __init__(
        self,
        template: str,
        variables: Mapping[str, Any],
        functions: Functions,
        render: Renderer,
        parent: Evaluation | None = None,
    ) -> None:
        self.template = template
        self.variables = variables
        self.functions = functions
        self.render = render  #: renders what an expression made, in the language of this template
        self.scopes: list[dict[str, Any]] = [{}]
        self.macros: dict[str, Macro] = {}
        self.look_at = 0.0  #: when to ask next for the processor's time, on the clock that costs less to ask
        self.resolve_or_missing = None  # part of what Jinja's preamble names; never called
        # A template that renders another shares its budget with it.
        self.built: int = parent.built if parent else 0
        self.depth: int = parent.depth + 1 if parent else 0
        self.deadline: float = parent.deadline if parent else time.thread_time() + MAX_SECONDS
        self.drawn: int = parent.drawn + 1 if parent else 0  #: how many values were drawn from the seed
        if self.depth > MAX_DEPTH:
            raise limit(f"Rendering nested more than {MAX_DEPTH} levels deep")

    # -- names

    def load(self, name: str, offset: int) -> Any:
        """The value of a variable: of the innermost scope that has it, or of the context."""
        for scope in reversed(self.scopes):
            if name in scope:
                return scope[name]
        if name in self.variables:
            return self.variables[name]
        raise locate(undefined_variable(name, self.variables), self.template, offset)

    def assign(self, name: str, value: Any) -> None:
        """`set`: overwrites the variable where it is, else makes it in the innermost scope."""
        for scope in reversed(self.scopes):
            if name in scope:
                scope[name] = value
                return
        self.scopes[0 if name in self.variables else -1][name] = value

    def attribute(self, value: Any, name: str, offset: int, path: str) -> Any:
        """`value.name`."""
        try:
            return resolve.attribute(value, name, path)
        except ExpressionError as error:
            raise locate(error, self.template, offset) from None

    def item(self, value: Any, key: Any, offset: int, path: str) -> Any:
        """`value[key]`."""
        try:
            return resolve.item(value, key, path)
        except ExpressionError as error:
            raise locate(error, self.template, offset) from None

    # -- calls

    def apply(self, operation: Callable[..., Any], offset: int, *arguments: Any, **named: Any) -> Any:
        """Call an operator, filter, function or test."""
        if time.monotonic() > self.look_at:
            self.check_time(offset)
        try:
            result = operation(*arguments, **named)
        except ExpressionError as error:
            raise locate(error, self.template, offset) from None
        except (RecursionError, MemoryError):
            raise locate(limit("Data that is too deep or too large"), self.template, offset) from None
        except _REFUSALS as error:
            refused = ExpressionError(error.message, code="expression-call", hint=error.hint)
            raise locate(refused, self.template, offset) from error
        except _DATA_ERRORS as error:
            broken = ExpressionError(f"Unable to compute this ({error}):", code="expression-type")
            raise locate(broken, self.template, offset) from error
        if isinstance(result, (str, list)) and len(result) > _LARGE:
            self.charge(len(result) if isinstance(result, str) else 8 * len(result), offset)
        return result

    def spend(self, size: int) -> None:
        """Count what was built, and stop an evaluation that has had its share or its time."""
        self.look_at = time.monotonic() + _BETWEEN_LOOKS
        self.built += size
        if self.built > MAX_BUILT:
            raise limit("Too much data built by one expression:")
        if time.thread_time() > self.deadline:
            raise limit(f"More than {MAX_SECONDS} s spent")

    def charge(self, size: int, offset: int) -> None:
        """Count what was built at a place."""
        try:
            self.spend(size)
        except ExpressionError as error:
            raise locate(error, self.template, offset) from None

    def check_time(self, offset: int) -> None:
        """Stop an evaluation that has had its time."""
        self.charge(0, offset)

    def call(self, name: str, offset: int, positional: list[Any], named: dict[str, Any]) -> str:
        """Call a macro: it sees its arguments, and no other variable."""
        body, parameters = self.macros[name]
        if self.depth >= MAX_DEPTH:
            raise locate(limit(f"Macros nested more than {MAX_DEPTH} levels deep"), self.template, offset)
        self.check_time(offset)
        if unknown := [key for key in named if key not in parameters]:
            error = ExpressionError(
                f"The macro `{name}` has no argument `{unknown[0]}`,",
                code="unknown-argument",
                hint=did_you_mean(unknown[0], parameters),
            )
            raise locate(error, self.template, offset)
        given = dict(zip(parameters, positional, strict=False)) | named
        outer = self.scopes, self.variables
        self.scopes, self.variables = [given], {}
        self.depth += 1
        try:
            for parameter, default in parameters.items():
                if parameter not in given:
                    given[parameter] = default()
            return body()
        except RecursionError:
            raise locate(limit("Macros nested too deeply"), self.template, offset) from None
        finally:
            self.scopes, self.variables = outer
            self.depth -= 1

    def block(self, name: str) -> str:
        """Render a block, with the variables that are in sight."""
        macro = self.macros.get(f"block {name}")
        if macro is None:
            return ""
        if self.depth >= MAX_DEPTH:
            raise limit(f"Blocks nested more than {MAX_DEPTH} levels deep")
        self.depth += 1
        try:
            return macro[0]()
        finally:
            self.depth -= 1

    # -- loops

    def items(self, value: Any, offset: int) -> list[Any] | tuple[Any, ...] | None:
        """What a loop runs over; null runs over nothing, and is not an empty list either."""
        if value is None or isinstance(value, (list, tuple)):
            return value
        if isinstance(value, Mapping):
            return [MapEntry(key, item) for key, item in value.items()]
        error = ExpressionError(f"A loop needs a list or a map, and this is {kind(value)},", code="expression-type")
        raise locate(error, self.template, offset)

    def loop(self, items: list[Any] | None, variable: str, offset: int) -> Iterator[None]:
        """Run over the items in one scope of their own."""
        scope: dict[str, Any] = {}
        self.scopes.append(scope)
        last = len(items or ()) - 1
        for index, item in enumerate(items or ()):
            if time.monotonic() > self.look_at:
                self.check_time(offset)
            scope["loop"] = {"index": index, "length": last + 1, "first": index == 0, "last": index == last,
                             "revindex": last - index}  # fmt: skip
            scope[variable] = item
            yield
        self.scopes.pop()


def undefined_variable(name: str, variables: Mapping[str, Any]) -> Undefined:
    """The error for a variable that is not there."""
    return Undefined(f"Unable to find `{name}`", code="unknown-variable", word=name, known=variables)


def print_chunks(chunks: Iterable[Any]) -> str:
    """Chunks of a template as text."""
    parts: list[str] = []
    size = 0
    for chunk in chunks:
        text = chunk if isinstance(chunk, str) else printed(chunk)
        size += len(text)
        if size > MAX_TEXT:
            raise limit(f"Text longer than {MAX_TEXT} characters")
        parts.append(text)
    return "".join(parts)
