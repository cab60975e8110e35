"""Functions: those that compute, and those that call out through what `Functions` offers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.errors import ExpressionError
from engine.expressions.entry import declare
from engine.expressions.faults import Unavailable
from engine.expressions.limits import MAX_DEPTH
from engine.expressions.operators import span
from engine.expressions.values import is_number, java_text, kind

if TYPE_CHECKING:
    from engine.expressions.evaluation import Evaluation


def outside(evaluation: Evaluation, field: str, name: str) -> Any:
    """What the world offers under a name, or the error that says that it does not."""
    call = getattr(evaluation.functions, field)
    if call is None:
        raise Unavailable(
            f"The function `{name}` is not available here,",
            code="function-unavailable",
            hint="It needs a running task: use it in a task's property.",
        )
    return call


def _given(**named: Any) -> dict[str, Any]:
    return {name: value for name, value in named.items() if value is not None}


@declare("function", "range", "Numbers from one to another, both included.", "{{ range(0, 6, 2) }}", "[0,2,4,6]")
def range_(start: Any, end: Any, increment: Any = 1) -> list[Any]:
    return span(start, end, increment)


@declare("function", "max", "The largest argument.", "{{ max(1, 5, 3) }}", "5")
def max_(*values: Any) -> Any:
    return max(_numbers("max", values))


@declare("function", "min", "The smallest argument.", "{{ min(1, 5, 3) }}", "1")
def min_(*values: Any) -> Any:
    return min(_numbers("min", values))


def _numbers(name: str, values: tuple[Any, ...]) -> tuple[Any, ...]:
    wrong = [value for value in values if not is_number(value)]
    if wrong or not values:
        found = kind(wrong[0]) if wrong else "nothing"
        raise ExpressionError(f"`{name}` needs numbers, and got {found},", code="expression-type")
    return values


@declare("function", "block", "The text of a block of this template.", "{{ block('missing') }}", "", evaluation=True)
def block(evaluation: Evaluation, name: Any) -> str:
    return evaluation.block(java_text(name))


@declare(
    "function",
    "render",
    "The text that a template in a value gives; again while it changes, if `recursive`.",
    "{{ render('{' ~ '{ 1 + 1 }}') }}",
    "2",
    evaluation=True,
)
def render(evaluation: Evaluation, to_render: Any, recursive: Any = True) -> Any:
    from engine.expressions.program import render_within

    text = to_render
    for _ in range(MAX_DEPTH):
        before, text = text, render_within(evaluation, text)
        if recursive is not True or text == before or not isinstance(text, str):
            return text
    raise ExpressionError(f"More than {MAX_DEPTH} rounds of rendering", code="expression-limit")


@declare(
    "function",
    "renderOnce",
    "The text that a template in a value gives.",
    "{{ renderOnce('{' ~ '{ 1 + 1 }}') }}",
    "2",
    evaluation=True,
)
def render_once(evaluation: Evaluation, to_render: Any) -> Any:
    return render(evaluation, to_render, False)


@declare("function", "secret", "A secret.", "{{ secret('API_KEY') }}", evaluation=True, outside=True)
def secret(evaluation: Evaluation, key: Any, namespace: Any = None, subkey: Any = None, full: Any = None) -> Any:
    call = outside(evaluation, "secret", "secret")
    return call(key, **_given(namespace=namespace, subkey=subkey, full=full))


@declare("function", "kv", "A value of the key-value store.", "{{ kv('KEY') }}", evaluation=True, outside=True)
def kv(evaluation: Evaluation, key: Any, namespace: Any = None, error_on_missing: Any = None) -> Any:
    call = outside(evaluation, "kv", "kv")
    return call(key, **_given(namespace=namespace, error_on_missing=error_on_missing))


@declare("function", "read", "The text of a file.", "{{ read(outputs.task.uri) }}", evaluation=True, outside=True)
def read(evaluation: Evaluation, path: Any, version: Any = None) -> Any:
    return outside(evaluation, "read", "read")(path, **_given(version=version))
