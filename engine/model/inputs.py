"""What a flow declares to be given when it starts: one class for each kind of input.

A declaration says what is accepted; `engine.core.inputs` turns what is submitted into values. In memory, and in the
store, every value is plain JSON: dates, times and durations are their ISO-8601 text, a file is its URI, and a secret
is sealed (`engine.model.sealed`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints, field_validator

from engine.model.definition import Definition

InputId = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9][.a-zA-Z0-9_-]*$", min_length=1, max_length=256)]
InputType = Literal[
    "STRING", "ENUM", "SELECT", "MULTISELECT", "INT", "FLOAT", "BOOLEAN", "BOOL", "DATETIME", "DATE", "TIME",
    "DURATION", "FILE", "JSON", "YAML", "URI", "SECRET", "ARRAY", "EMAIL",
]  # fmt: skip
ItemType = Literal[
    "STRING", "INT", "FLOAT", "BOOLEAN", "BOOL", "DATETIME", "DATE", "TIME", "DURATION", "JSON", "YAML", "URI", "EMAIL"
]


class DependsOn(Definition):
    """An input that is only asked for when others are given, and a condition over them holds."""

    inputs: tuple[str, ...] = ()
    condition: str | bool | None = None


class Input(Definition):
    """One declared input. Dots in the id nest: `a.b` is `inputs.a.b`."""

    TYPES: ClassVar[tuple[str, ...]] = ()

    id: InputId
    type: str
    description: str | None = None
    display_name: str | None = Field(default=None, max_length=64)
    required: bool = True
    defaults: Any = None  #: a value, or an expression over other inputs
    prefill: Any = None  #: what a form starts with; not a default
    depends_on: DependsOn | None = None

    @property
    def title(self) -> str:
        """What people are asked for."""
        return self.display_name or self.id


class StringInput(Input):
    """Text. `validator` is a regular expression that it must match from end to end."""

    TYPES = ("STRING",)
    validator: str | None = None


class IntInput(Input):
    """A whole number of 64 bits; the bounds are inclusive."""

    TYPES = ("INT",)
    min: int | None = None
    max: int | None = None


class FloatInput(Input):
    """A number; the bounds are inclusive."""

    TYPES = ("FLOAT",)
    min: float | None = None
    max: float | None = None


class BooleanInput(Input):
    """True or false."""

    TYPES = ("BOOLEAN", "BOOL")


class MomentInput(Input):
    """A date, a time or an instant, between two others. The value is its ISO-8601 text; an instant's is in UTC."""

    TYPES = ("DATETIME", "DATE", "TIME")
    after: str | None = None
    before: str | None = None


class DurationInput(Input):
    """A length of time, as ISO-8601 text; the bounds are inclusive."""

    TYPES = ("DURATION",)
    min: str | None = None
    max: str | None = None


class Choice(Definition):
    """A value under the name that a form shows."""

    label: str
    value: str


class SelectInput(Input):
    """One of several texts, listed or given by an expression."""

    TYPES = ("SELECT", "ENUM")
    values: tuple[str | Choice, ...] | None = None
    expression: str | None = None
    allow_custom_value: bool = False
    auto_select_first: bool = False
    is_radio: bool = False

    @property
    def listed(self) -> tuple[str, ...]:
        """The values without their labels."""
        return _listed(self.values)


class MultiselectInput(Input):
    """Several of several values."""

    TYPES = ("MULTISELECT",)
    values: tuple[str | Choice, ...] | None = None
    options: tuple[str, ...] | None = None  #: the older name of `values`
    expression: str | None = None
    item_type: ItemType = "STRING"
    allow_custom_value: bool = False
    auto_select_first: bool = False

    @property
    def listed(self) -> tuple[str, ...]:
        """The values without their labels."""
        return _listed(self.values if self.values is not None else self.options)


class SecretInput(Input):
    """Text that is kept sealed and shown to nobody. `validator` is as that of a STRING."""

    TYPES = ("SECRET",)
    validator: str | None = None


class FileInput(Input):
    """A file: a local one, which is uploaded, or the URI of one that is stored already."""

    TYPES = ("FILE",)
    allowed_file_extensions: tuple[str, ...] | None = None  #: as `.csv`; the case of letters does not matter
    extension: str | None = None  #: of the name that an upload without one gets; it limits nothing

    def accepts(self, name: str) -> bool:
        """Whether a file may have this name."""
        endings = [f".{ending.lower().lstrip('.')}" for ending in self.allowed_file_extensions or ()]
        return not endings or name.lower().endswith(tuple(endings))


class JsonInput(Input):
    """Any JSON value, submitted as text or as it is, that fulfils `jsonSchema` (JSON Schema 2020-12)."""

    TYPES = ("JSON",)
    json_schema: Mapping[str, Any] | bool | None = None

    @field_validator("json_schema", mode="before")
    @classmethod
    def _from_text(cls, schema: Any) -> Any:
        try:
            return json.loads(schema) if isinstance(schema, str) else schema
        except ValueError as error:
            raise ValueError(f'"jsonSchema" is no JSON: {error}') from None


class YamlInput(Input):
    """Any value that YAML writes, submitted as text or as it is."""

    TYPES = ("YAML",)


class UriInput(Input):
    """A URI, as text."""

    TYPES = ("URI",)


class EmailInput(Input):
    """An e-mail address, or empty text."""

    TYPES = ("EMAIL",)


class ArrayInput(Input):
    """A list whose items all have one type."""

    TYPES = ("ARRAY",)
    item_type: ItemType


#: Every type that a flow may declare -> its class.
INPUT_TYPES: Mapping[str, type[Input]] = {
    name: declared
    for declared in (
        StringInput, IntInput, FloatInput, BooleanInput, MomentInput, DurationInput, SelectInput, MultiselectInput,
        SecretInput, FileInput, JsonInput, YamlInput, UriInput, EmailInput, ArrayInput,
    )
    for name in declared.TYPES
}  # fmt: skip


def _listed(values: tuple[str | Choice, ...] | tuple[str, ...] | None) -> tuple[str, ...]:
    return tuple(value.value if isinstance(value, Choice) else value for value in values or ())
