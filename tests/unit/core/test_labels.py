"""The labels of an execution."""

import pytest

from engine.core.labels import CORRELATION_ID, execution_labels
from engine.errors import InputsInvalid


def test_what_is_given_wins_over_what_the_flow_has() -> None:
    labels = execution_labels({"team": "blue", "why": "flow"}, {"why": "me"}, correlation_id="e1")
    assert labels == {"team": "blue", "why": "me", CORRELATION_ID: "e1"}


def test_an_execution_belongs_with_the_one_that_started_it() -> None:
    labels = execution_labels({}, {}, correlation_id="child", inherited={CORRELATION_ID: "root", "team": "blue"})
    assert labels == {CORRELATION_ID: "root"}


def test_all_names_that_belong_to_the_engine_are_refused_at_once() -> None:
    with pytest.raises(InputsInvalid) as caught:
        execution_labels({}, {"system.a": "1", "b": "2", "system.readOnly": "true"}, correlation_id="e1")
    assert len(caught.value.problems) == 2
    assert "Invalid label `system.a`" in caught.value.problems[0]
