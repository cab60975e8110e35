"""What a flow declares to be given when it starts."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Input(BaseModel):
    """One declared input."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        coerce_numbers_to_str=True,
        defer_build=True,
    )

    id: str
    type: str
    description: str | None = None
    display_name: str | None = None
    required: bool = True
    defaults: Any = None


INPUT_TYPES: dict[str, type[Input]] = dict.fromkeys(("STRING", "INT", "FLOAT", "BOOLEAN", "BOOL", "JSON"), Input)
