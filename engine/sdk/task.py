"""The two things a plugin author writes: a task and its output.

    class Greet(Task, type="acme.Greet"):
        name: str

        class Output(Output):
            greeting: str

        def run(self, ctx: RunContext) -> Output:
            return self.Output(greeting=f"Hello {self.name}")

Fields are the task's YAML properties (snake_case here, camelCase there). When `run` is called every expression
has been rendered and every value has its declared type.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from engine.sdk.context import RunContext

#: What repeating a task does outside the engine. `pure`: nothing, runs inside the engine's loop and must take
#: microseconds (shipped tasks only). `idempotent`: repeating is harmless. `effect`: it may matter.
Effect = Literal["pure", "idempotent", "effect"]


class Static:
    """Marks a property that is never an expression: `Annotated[int, Static()]`."""


class SecretMark:
    """Marks a property whose rendered value must never be shown."""


#: A text property that is masked in every log, error, output and page.
Secret = Annotated[str, SecretMark()]


class Output(BaseModel):
    """What a task gives to the tasks after it. Field names are the keys that expressions use."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Task(BaseModel):
    """Base class of all task types. See the module's head for the shape."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True,
                              validate_by_alias=True, defer_build=True)

    TYPE: ClassVar[str] = ""
    ALIASES: ClassVar[tuple[str, ...]] = ()
    EFFECT: ClassVar[Effect] = "effect"

    def __init_subclass__(cls, *, type: str = "", aliases: tuple[str, ...] = (), effect: Effect = "effect",  # noqa: A002
                          **options: Any) -> None:
        super().__init_subclass__(**options)
        if type:
            cls.TYPE, cls.ALIASES, cls.EFFECT = type, aliases, effect

    def run(self, ctx: RunContext) -> Output | Mapping[str, Any] | None:
        """Do the work. Raise TaskFailed for a failure of the work; any other exception counts as one too."""
        raise NotImplementedError
