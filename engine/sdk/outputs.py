"""What a task returned, as the data that is stored and that expressions see.

Always true: no live object gets through; what is not JSON data is a failure of the task, and told as one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json, to_json

from engine.errors import TaskFailed
from engine.sdk.task import Output


def plain(outputs: Output | Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Outputs as JSON data. Raises TaskFailed."""
    if outputs is None:
        return None
    if isinstance(outputs, Output):
        outputs = vars(outputs)  # `dict(model)` would look for more than there is
    if not isinstance(outputs, Mapping):
        raise TaskFailed(f"the task returned {type(outputs).__name__}; it must return an Output, a map or nothing")
    if all(isinstance(key, str) and _is_scalar(value) for key, value in outputs.items()):
        return outputs  # the common case, without a copy
    try:
        data: dict[str, Any] = from_json(to_json(outputs, by_alias=False), allow_inf_nan=False)
    except (ValueError, RecursionError) as error:
        hint = "return texts, numbers, truth values, lists and maps; JSON knows no NaN and no infinity"
        raise TaskFailed(f"the task's outputs are not JSON data: {error}", hint=hint) from None
    return data


def _is_scalar(value: Any) -> bool:
    kind = type(value)
    return value is None or kind is str or kind is bool or kind is int or (kind is float and math.isfinite(value))
