"""The base of everything that people write in YAML."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Definition(BaseModel):
    """Base of everything that is written in YAML: frozen, and unknown properties are errors."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        arbitrary_types_allowed=True,
        coerce_numbers_to_str=True,  # `description: 5` is as good as "5"
        defer_build=True,  # a schema is compiled when first used: a start pays only for what its flow contains
    )
