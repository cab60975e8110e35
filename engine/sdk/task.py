"""The two things a plugin author writes: a task and its output.

    from engine import sdk

    class Greet(sdk.Task, type="acme.Greet"):
        name: str

        class Output(sdk.Output):
            greeting: str

        def run(self, ctx: sdk.RunContext) -> Output:
            return self.Output(greeting=f"Hello {self.name}")

Fields are the task's YAML properties (snake_case here, camelCase there). When `run` is called every expression
has been rendered and every value has its declared type.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from engine.model.flow import Task as FlowTask
from engine.sdk.context import RunContext
from engine.sdk.flows import EndedFlow, Ending, StartFlows

#: The properties that every task has, whatever it does. They are the engine's; no task type can have its own.
RESERVED = frozenset(key for name, field in FlowTask.model_fields.items() for key in (name, field.alias or name))

#: What repeating a task does outside the engine. `pure`: nothing, runs inside the engine's loop and must take
#: microseconds (shipped tasks only). `idempotent`: repeating is harmless. `effect`: it may matter.
Effect = Literal["pure", "idempotent", "effect"]


class Static:
    """Marks a property that is never an expression: `Annotated[int, Static()]`."""


class SecretMark:
    """Marks a property whose rendered value must never be shown."""


#: A text property that is masked in every log, error, output and page.
Secret = Annotated[str, SecretMark()]


class Example(NamedTuple):
    """A flow that shows a task at work. It is printed on the task's page, and has to be valid."""

    title: str
    yaml: str


class Output(BaseModel):
    """What a task gives to the tasks after it. Field names are the keys that expressions use."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Definition(BaseModel):
    """Base of what stands inside a task's properties: a message, a header, a filter."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        defer_build=True,
    )


class Task(Definition):
    """Base class of all task types. See the module's head for the shape."""

    TYPE: ClassVar[str] = ""
    ALIASES: ClassVar[tuple[str, ...]] = ()
    EFFECT: ClassVar[Effect] = "effect"
    EXAMPLES: ClassVar[tuple[Example, ...]] = ()
    DEPRECATED: ClassVar[str] = ""  #: the type to use instead

    def __init_subclass__(
        cls,
        *,
        type: str = "",  # noqa: A002  the word in YAML
        aliases: tuple[str, ...] = (),
        effect: Effect = "effect",
        **options: Any,
    ) -> None:
        super().__init_subclass__(**options)
        if type:
            cls.TYPE, cls.ALIASES, cls.EFFECT = type, aliases, effect

    @classmethod
    def __pydantic_init_subclass__(cls, **options: Any) -> None:
        super().__pydantic_init_subclass__(**options)
        if taken := sorted(RESERVED.intersection(cls.model_fields)):
            raise TypeError(f'{cls.__qualname__}: every task has a property "{taken[0]}" already; choose another name')

    @classmethod
    def template_variables(cls, ctx: RunContext) -> Mapping[str, Any] | None:
        """What the expressions in the properties see besides everything else, and before it."""
        return None

    @classmethod
    def outputs_for(cls, properties: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The JSON Schema of the outputs of a task with these properties, as written; None: what `Output` says.

        `validate` asks it, so that a flow that reads an output that will not be there is told so before it runs.
        Leave open what the properties do not settle: an expression among them may give anything.
        """
        return None

    def run(self, ctx: RunContext) -> Output | Mapping[str, Any] | StartFlows | None:
        """Do the work. Raise TaskFailed for a failure of the work; any other exception counts as one too."""
        raise NotImplementedError

    def flows_ended(self, ctx: RunContext, ended: Iterable[EndedFlow]) -> Output | Mapping[str, Any] | Ending | None:
        """Go on after `run` has returned `StartFlows`, in the order of its calls. The same attempt, on another thread.

        The properties have been rendered anew.
        """
        raise NotImplementedError
