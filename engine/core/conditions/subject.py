"""What conditions are asked about, and how their texts are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct, field

from engine.errors import ExpressionError
from engine.expressions import Functions, Language, language
from engine.model.execution import Execution
from engine.model.flow import Flow


class Subject(Struct, frozen=True, kw_only=True):
    """Who asks, about what. `functions.zone` is the zone of dates and times that name none."""

    flow: Flow  #: the flow that asks
    context: Mapping[str, Any]  #: what expressions see
    functions: Functions = field(default_factory=Functions)  #: what expressions may call
    execution: Execution | None = None  #: the execution that is asked about
    #: Of each MultipleCondition, by its id: what was satisfied before, within its window.
    satisfied: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def the_execution(self, condition: str) -> Execution:
        """The execution, for a kind of condition that needs one. Raises ExpressionError when there is none."""
        if self.execution is None:
            raise ExpressionError(
                f"{condition} is about an execution, and there is none here",
                code="no-execution",
                hint="It belongs to a listener or a Flow trigger.",
            )
        return self.execution

    @property
    def written_in(self) -> Language:
        """The language of the flow that asks."""
        return language(self.flow.expressions)

    def text(self, template: str) -> str:
        """A rendered text."""
        rendered: str = self.written_in.render(template, self.context, self.functions)
        return rendered

    def value(self, template: str) -> Any:
        """What a text stands for, as it is."""
        return self.written_in.evaluate(template, self.context, self.functions)

    def word(self, template: str, words: Sequence[str]) -> str:
        """A rendered text that is one of several words."""
        found = self.text(template).strip().upper()
        if found not in words:
            hint = f"It is one of {', '.join(words)}."
            raise ExpressionError(f"`{found[:50]}` is not what is due here", code="invalid-choice", hint=hint)
        return found
