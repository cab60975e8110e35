"""Evaluating the expressions that steer an execution: `runIf`, a condition, a switch's value, a loop's values,
a flow's outputs, its listeners. What each means is the same whether it is evaluated in a decision or by a worker.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

from msgspec import Struct

from engine.core.coercion import coerce_to
from engine.errors import ExpressionError
from engine.expressions import KESTRA, Functions, Language, is_template
from engine.model.flow import FlowOutput
from engine.model.listeners import Listener

if TYPE_CHECKING:
    from engine.core.context import Context

#: The name under which a flow's outputs are evaluated; all other names are properties of a task.
OUTPUTS = "outputs"
#: The name under which a flow's listeners are judged. Only a flow that has some loads what judges them.
APPLYING = "listeners"
#: The name under which the values of any loop are evaluated.
VALUES = "values"
#: Properties of which only the truth counts, so that their text is kept nowhere.
VERDICTS = frozenset({"runIf", "condition", "when", "expression"})


class Asked(Struct, frozen=True):
    """A question that is more than one template, and knows how it is answered."""

    #: Whether it is work to be done: what goes wrong then is told as it is.
    IS_WORK: ClassVar[bool] = False

    def calls_out(self, written_in: Language) -> bool:
        """Whether a worker must answer it."""
        raise NotImplementedError

    def answer(self, context: Context, functions: Functions, written_in: Language) -> Any:
        """The answer. Raises ExpressionError; Unavailable when it turns out that a worker must give it."""
        raise NotImplementedError


def needs_outside(template: Any, written_in: Language = KESTRA) -> bool:
    """Whether evaluating this calls out, so that a worker must do it."""
    if isinstance(template, Asked):
        return template.calls_out(written_in)
    if isinstance(template, str):
        return is_template(template) and not written_in.is_pure(template)
    if isinstance(template, Mapping):
        return any(needs_outside(part, written_in) for pair in template.items() for part in pair)
    if isinstance(template, (list, tuple)):
        return any(needs_outside(part, written_in) for part in template)
    if isinstance(template, FlowOutput):
        return template.type == "SECRET" or needs_outside(template.value, written_in)  # only a worker can seal it
    if isinstance(template, Listener):
        from engine.core.conditions import calls_out

        return calls_out(template.conditions, written_in)
    return False


def answer(
    name: str, template: Any, context: Mapping[str, Any], functions: Functions, written_in: Language = KESTRA
) -> Any:
    """The value of a steering property. Raises ExpressionError.

    A loop's values, flow outputs and what is a map keep their types; everything else is judged as text.
    """
    if isinstance(template, Asked):
        return template.answer(cast("Context", context), functions, written_in)
    if name == OUTPUTS:
        return declared(template, context, functions, written_in)
    if name == APPLYING:
        from engine.core.conditions import which_apply

        return which_apply(template, cast("Context", context), functions)
    if name == VALUES or isinstance(template, Mapping):
        return deep(template, context, functions, written_in)
    if isinstance(template, bool):
        return "true" if template else "false"
    text = written_in.condition if name in VERDICTS else written_in.render
    return text(str(template), context, functions)


def declared(
    outputs: Iterable[FlowOutput], context: Mapping[str, Any], functions: Functions, written_in: Language
) -> dict[str, Any]:
    """Named outputs, each as its declared type."""
    return {output.id: _output(output, deep(output.value, context, functions, written_in)) for output in outputs}


def _output(output: FlowOutput, value: Any) -> Any:
    """An output as its declared type."""
    if value is None and output.required:
        raise ExpressionError(f"the output `{output.id}` is required, and its value is null", code="wrong-type")
    if value is None or output.type is None:
        return value
    try:
        return coerce_to(output.type, value)
    except ValueError as error:
        raise ExpressionError(f"the output `{output.id}` is no {output.type}: {error}", code="wrong-type") from None


def deep(template: Any, context: Mapping[str, Any], functions: Functions, written_in: Language) -> Any:
    """A value with every text in it evaluated, map keys too."""
    if isinstance(template, str):
        return written_in.evaluate(template, context, functions)
    if isinstance(template, Mapping):
        return {
            (written_in.render(key, context, functions) if isinstance(key, str) else key): deep(
                part, context, functions, written_in
            )
            for key, part in template.items()
        }
    if isinstance(template, Sequence):
        return [deep(part, context, functions, written_in) for part in template]
    return template
