"""The names of states."""

import pytest

from engine.model.conditions import CONDITION_TYPES
from engine.model.state import State


def test_the_older_spelling_of_cancelled() -> None:
    assert State("CANCELED") is State.CANCELLED
    status = CONDITION_TYPES["io.kestra.plugin.core.condition.ExecutionStatus"]
    assert status.model_validate({"type": "x", "in": ["CANCELED"]}).in_ == (State.CANCELLED,)  # type: ignore[attr-defined]


def test_no_other_name_is_a_state() -> None:
    with pytest.raises(ValueError, match="CANCELLING"):
        State("CANCELLING")
