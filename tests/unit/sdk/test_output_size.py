"""Outputs that are too large fail their task, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from engine.errors import TaskFailed
from engine.sdk.outputs import LARGEST, plain


@pytest.mark.parametrize("outputs", [{"text": "x" * LARGEST}, {"a": "x" * (LARGEST // 2), "b": "y" * (LARGEST // 2)}])
def test_what_is_just_small_enough_is_kept(outputs: dict[str, Any]) -> None:
    assert plain(outputs) is outputs


@pytest.mark.parametrize(
    "outputs",
    [{"text": "x" * (LARGEST + 1)}, {"a": "x" * LARGEST, "b": "y"}, {"rows": ["x" * 1024] * (LARGEST // 1024)}],
    ids=["a text", "two texts", "a list"],
)
def test_what_is_too_large_is_a_failure_that_says_what_to_do(outputs: dict[str, Any]) -> None:
    with pytest.raises(TaskFailed, match=r"the task's outputs are 16\.\d MiB; the most that is kept is 16 MiB") as told:
        plain(outputs)
    assert told.value.hint is not None
    assert "give its URI" in told.value.hint
