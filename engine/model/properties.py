"""Properties that several nouns share: labels, retries, named outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from engine.model.definition import Definition
from engine.model.inputs import InputType


def _as_labels(labels: Any) -> Any:
    """Labels are a map, or a list of {key, value}; their values are text, however they are written."""
    if isinstance(labels, (list, tuple)):
        if not all(isinstance(entry, Mapping) and set(entry) == {"key", "value"} for entry in labels):
            raise ValueError("labels are a map, or a list of entries with `key` and `value`")
        labels = {entry["key"]: entry["value"] for entry in labels}
    if not isinstance(labels, Mapping):
        return labels
    return {key: str(value).lower() if isinstance(value, bool) else value for key, value in labels.items()}


Labels = Annotated[Mapping[str, str], BeforeValidator(_as_labels)]


class Retry(Definition):
    """When a failed attempt is repeated. `max_attempt` counts all attempts, the first included."""

    type: Literal["constant", "exponential", "random"]
    interval: str | None = None
    max_interval: str | None = None
    min_interval: str | None = None
    delay_factor: float | None = None
    max_attempt: int | None = Field(default=None, ge=1, alias="maxAttempt")
    max_attempts: int | None = Field(default=None, ge=1, alias="maxAttempts")
    max_duration: str | None = None
    warning_on_retry: bool = False
    behavior: Literal["RETRY_FAILED_TASK", "CREATE_NEW_EXECUTION"] = "RETRY_FAILED_TASK"


class FlowOutput(Definition):
    """A named value of the whole flow, rendered when an execution ends."""

    id: str
    type: InputType | None = None  #: None: whatever the expression gives
    value: Any = None
    display_name: str | None = None
    description: str | None = None
    required: bool | None = None  #: True: null is an error
