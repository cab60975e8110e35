"""How an attack on an expression language has to end, whichever language it is."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytest

from engine.expressions import ExpressionError, Functions
from engine.expressions.language import Evaluate

#: Data that holds itself.
CYCLE: dict[str, Any] = {}
CYCLE["self"] = CYCLE
LOOP: list[Any] = []
LOOP.append(LOOP)

#: Seconds of this thread's processor. The budget is 0.6; the rest is for a machine that others keep busy, and still far
#: from the minutes and years that attacks take without one.
ENOUGH = 4


def ends_as_an_expression_error(run: Evaluate, attack: str, context: Mapping[str, Any]) -> None:
    start = time.thread_time()
    with pytest.raises(ExpressionError) as caught:
        run(attack, {**context, "again": "{{ render(again) }}"}, Functions(seed="x"))
    assert time.thread_time() - start < ENOUGH
    assert len(caught.value.message) < 1000
    assert caught.value.template
