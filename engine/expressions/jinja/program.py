"""Jinja2 templates ready to run, and what can be known of one without running it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from types import CodeType
from typing import Any, NoReturn

from jinja2 import nodes
from jinja2.environment import Template
from jinja2.exceptions import TemplateError, TemplateSyntaxError

from engine.errors import ExpressionError, IllegalState, InputsInvalid, NotFound, UsageError
from engine.expressions.entry import Kind
from engine.expressions.evaluation import Evaluation, print_chunks
from engine.expressions.faults import did_you_mean, limit, locate
from engine.expressions.functions import NOTHING, Functions
from engine.expressions.jinja.environment import ENVIRONMENT, FlowContext
from engine.expressions.jinja.filters import FILTERS, FUNCTIONS, LEFT_OUT, OUTSIDE, TESTS
from engine.expressions.jinja.guards import EVALUATION, weigh
from engine.expressions.limits import COMPILED, COMPILED_LARGE, MAX_SOURCE, SMALL_SOURCE

_VALUE = "_value"
_FILE = "<template>"
_REFUSALS = (NotFound, IllegalState, InputsInvalid, UsageError)
_DATA_ERRORS = (
    TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError, AssertionError, RuntimeError,
)  # fmt: skip
_KNOWN: dict[Kind, Mapping[str, Any]] = {"filter": FILTERS, "function": FUNCTIONS, "test": TESTS}


class Program:
    """A template that is ready to run. `value` runs another compilation than `text`, made when it is first asked."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.tree = parse(source)
        self.single = _single(self.tree)
        self._compiled: dict[bool, Template] = {}

    def text(self, evaluation: Evaluation) -> str:
        """What the template prints."""
        return self._run(evaluation, native=False)[0]

    def value(self, evaluation: Evaluation) -> Any:
        """The native value of a single expression; of any other template, its text."""
        if self.single is None:
            return self.text(evaluation)
        return self._run(evaluation, native=True)[1].vars[_VALUE]

    def _run(self, evaluation: Evaluation, *, native: bool) -> tuple[str, FlowContext]:
        outer = EVALUATION.set(evaluation)
        template = None
        try:
            template = self._template(native)
            context = FlowContext(ENVIRONMENT, {}, None, {})
            context.evaluation = evaluation
            printed = print_chunks(template.root_render_func(context))
            if native:
                context.vars[_VALUE] = _data(context.vars[_VALUE])
            return printed, context
        except ExpressionError as error:
            raise locate(error, self.source, _place(error, template)) from error.__cause__
        except (RecursionError, MemoryError) as error:
            deep = limit("Data or calls that are too deep or too large")
            raise locate(deep, self.source, _place(error, template)) from None
        except _REFUSALS as error:
            refused = ExpressionError(error.message, code="expression-call", hint=error.hint)
            raise locate(refused, self.source, _place(error, template)) from error
        except _DATA_ERRORS as error:
            broken = ExpressionError(f"Unable to compute this ({str(error)[:200]}):", code="expression-type")
            raise locate(broken, self.source, _place(error, template)) from error
        finally:
            EVALUATION.reset(outer)

    def compile(self) -> None:
        """Find what is wrong with the template before it runs."""
        self._template(native=False)

    def _template(self, native: bool) -> Template:
        if native not in self._compiled:
            tree = parse(self.source)  # measuring changes it
            if native:
                assert isinstance(self.single, nodes.Expr)
                at = self.single.lineno
                tree.body = [nodes.Assign(nodes.Name(_VALUE, "store", lineno=at), _single(tree), lineno=at)]
            self._compiled[native] = _compiled(self.source, ENVIRONMENT.measured(tree))
        return self._compiled[native]


def _compiled(source: str, tree: nodes.Template) -> Template:
    try:
        code = ENVIRONMENT.compile(tree, filename=_FILE)
        assert isinstance(code, CodeType)
        return Template.from_code(ENVIRONMENT, code, {})
    except (RecursionError, MemoryError, SyntaxError):
        raise locate(limit("An expression that is too deep or too long"), source, 0) from None
    except TemplateSyntaxError as error:
        raise _misspelt(error, source) from None


def parse(source: str) -> nodes.Template:
    """The tree of a template. Raises ExpressionError."""
    if len(source) > MAX_SOURCE:
        raise locate(limit(f"A template of more than {MAX_SOURCE} characters"), source[:200], 0)
    try:
        tree = ENVIRONMENT.tree(source)
        _check_names(tree, source)
        return tree
    except ExpressionError as error:
        raise locate(error, source, error.offset or 0) from None
    except TemplateSyntaxError as error:
        raise _misspelt(error, source) from None
    except (RecursionError, MemoryError, ValueError):
        raise locate(limit("An expression that is too deep or too long"), source, 0) from None


def _misspelt(error: TemplateSyntaxError, source: str) -> ExpressionError:
    message = re.sub(r" at \d+$|\.$", "", error.message or "Not a template")
    hint = "This flow is written in Jinja2: `{{ a if b else c }}`, `{{ a | default(b) }}`."
    found = ExpressionError(f"{message},", code="expression-syntax", hint=hint if "?" in message else None)
    return locate(found, source, min(error.lineno, len(source)))


def _check_names(tree: nodes.Template, source: str) -> None:
    """Filters, tests and functions that do not exist are found before anything runs."""
    own = {name.name for name in tree.find_all(nodes.Name) if name.ctx != "load"}
    own |= {macro.name for macro in tree.find_all(nodes.Macro)} | set(ENVIRONMENT.globals) | {"loop", "caller"}
    for used in tree.find_all((nodes.Filter, nodes.Test)):
        kind: Kind = "filter" if isinstance(used, nodes.Filter) else "test"
        if used.name not in _KNOWN[kind]:
            _unknown(kind, used.name, source.find(used.name, used.lineno))
    for call in tree.find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name not in own:
            _unknown("function", call.node.name, call.node.lineno)


def _unknown(kind: Kind, name: str, offset: int) -> NoReturn:
    hint = LEFT_OUT.get(name) if kind == "filter" else None
    if kind == "filter" and hint is None and name in FUNCTIONS:
        hint = f"`{name}` is a function: write `{name}(...)`."
    error = ExpressionError(
        f"Unable to find the {kind} `{name}`", code=f"unknown-{kind}", hint=hint or did_you_mean(name, names(kind))
    )
    error.offset = offset
    raise error


def names(kind: Kind) -> Iterable[str]:
    """All names of a kind that a template can use."""
    return [name for name in _KNOWN[kind] if " " not in name]


def _single(tree: nodes.Template) -> nodes.Expr | None:
    """The only expression of a template that is nothing else but white space."""
    if len(tree.body) != 1 or not isinstance(tree.body[0], nodes.Output):
        return None
    parts = tree.body[0].nodes
    values = [node for node in parts if not isinstance(node, nodes.TemplateData)]
    blank = all(not node.data.strip() for node in parts if isinstance(node, nodes.TemplateData))
    return values[0] if blank and len(values) == 1 else None


def _data(value: Any) -> Any:
    """A value as it leaves an expression."""
    weigh(value, whole=True)
    if isinstance(value, (tuple, range)):
        return list(value)
    if callable(value) or type(value).__module__.startswith("jinja2"):
        str(value)  # raises if it is undefined
        hint = "Call it, or take a part of it."
        raise ExpressionError("This is a function and no value,", code="expression-type", hint=hint)
    return value


def _place(error: BaseException, template: Template | None) -> int:
    """Where in the template an error came up; its start when it was somewhere else."""
    found, step = 0, error.__traceback__
    while step is not None and template is not None:
        if step.tb_frame.f_code.co_filename == _FILE:
            found = template.get_corresponding_lineno(step.tb_lineno)
        step = step.tb_next
    return found


def _made(source: str) -> Program:
    return Program(source)


_small: Callable[[str], Program] = lru_cache(maxsize=COMPILED)(_made)
_large: Callable[[str], Program] = lru_cache(maxsize=COMPILED_LARGE)(_made)


def program(source: str) -> Program:
    """The program of a template. Raises ExpressionError when it is not one."""
    return _small(source) if len(source) <= SMALL_SOURCE else _large(source)


def render_within(evaluation: Evaluation, template: str) -> str:
    """Render a template that an expression made, on the budget of that expression."""
    inner = Evaluation(template, evaluation.variables, evaluation.functions, render_within, evaluation)
    try:
        return program(template).text(inner)
    finally:
        evaluation.built, evaluation.drawn = inner.built, inner.drawn


def render(template: str, context: Mapping[str, Any], functions: Functions | None = None) -> str:
    """The text of a template. A text without `{` comes back as it is."""
    if "{" not in template:
        return template
    return program(template).text(Evaluation(template, context, functions or NOTHING, render_within))


def evaluate(template: str, context: Mapping[str, Any], functions: Functions | None = None) -> Any:
    """The native value of a template that is one expression, white space around it apart; else its text."""
    if "{" not in template:
        return template
    return program(template).value(Evaluation(template, context, functions or NOTHING, render_within))


def condition(template: str, context: Mapping[str, Any], functions: Functions | None = None) -> str:
    """The text that tells whether a condition holds: Python's own truth for anything but text."""
    value = evaluate(template, context, functions)
    return value if isinstance(value, str) else str(bool(value)).lower()


def check_syntax(template: str) -> None:
    """Raise ExpressionError, with its offset, when a text is no valid template."""
    if "{" in template:
        program(template).compile()


@lru_cache(maxsize=COMPILED)
def is_pure(template: str) -> bool:
    """Whether the result depends on nothing but the context, the time and the seed. ExpressionError for bad syntax."""
    if "{" not in template:
        return True
    return not any(name.name in OUTSIDE for name in program(template).tree.find_all(nodes.Name))


def only_paths(template: str) -> bool:
    """Whether a template is text and paths (`{{ a.b }}`): those mean the same in every language."""
    return all(
        isinstance(part, nodes.Output)
        and all(isinstance(node, nodes.TemplateData) or _is_path(node) for node in part.nodes)
        for part in program(template).tree.body
    )


def _is_path(node: nodes.Node) -> bool:
    while isinstance(node, nodes.Getattr):
        node = node.node
    return isinstance(node, nodes.Name)
