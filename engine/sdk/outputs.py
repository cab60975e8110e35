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

#: How large the outputs of one attempt may be, in bytes of JSON. They stand in the database and in memory.
LARGEST = 16 * 1024 * 1024


def plain(outputs: Output | Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Outputs as JSON data. Raises TaskFailed."""
    if outputs is None:
        return None
    if isinstance(outputs, Output):
        outputs = vars(outputs)  # `dict(model)` would look for more than there is
    if not isinstance(outputs, Mapping):
        raise TaskFailed(f"the task returned {type(outputs).__name__}; it must return an Output, a map or nothing")
    if all(isinstance(key, str) and _is_scalar(value) for key, value in outputs.items()):
        _check_size(sum(len(value) for value in outputs.values() if type(value) is str))
        return outputs  # the common case, without a copy
    try:
        text = to_json(outputs, by_alias=False)
        _check_size(len(text))
        data: dict[str, Any] = from_json(text, allow_inf_nan=False)
    except (ValueError, RecursionError) as error:
        hint = "return texts, numbers, truth values, lists and maps; JSON knows no NaN and no infinity"
        raise TaskFailed(f"the task's outputs are not JSON data: {error}", hint=hint) from None
    return data


def _check_size(size: int) -> None:
    if size > LARGEST:
        raise TaskFailed(
            f"the task's outputs are {size / 1024**2:,.1f} MiB; the most that is kept is {LARGEST // 1024**2} MiB",
            hint="write what is large to a file, and give its URI",
        )


def _is_scalar(value: Any) -> bool:
    kind = type(value)
    return value is None or kind is str or kind is bool or kind is int or (kind is float and math.isfinite(value))
