"""What an execution sees of the one that started it, and what it is given."""

from __future__ import annotations

import json
from typing import Any

from engine.model.state import State
from tests.unit.triggering.upstreams import MINUTE, NOON, Memory, execution, judged, watcher


def test_what_an_execution_sees_of_the_one_that_started_it() -> None:
    verdict = judged(
        watcher({}), execution(state=State.FAILED, labels={"a.b": "c", "env": "x", "system.correlationId": "y"})
    )
    assert verdict.variables == {
        "executionId": "daily-1",
        "executionLabels": {"a": {"b": "c"}, "env": "x"},
        "namespace": "acme.sales",
        "flowId": "daily",
        "flowRevision": 3,
        "state": "FAILED",
        "startDate": "2026-05-06T11:59:00Z",
        "endDate": "2026-05-06T12:00:00Z",
        "firstFailedTaskId": "rows",
        "lastTaskId": "rows",
        "outputs": {"day": "of daily-1"},
    }
    assert json.loads(json.dumps(verdict.variables)) == verdict.variables
    bare = judged(watcher({}), execution(outputs=None)).variables
    assert "outputs" not in bare
    assert "firstFailedTaskId" not in bare


def test_inputs_and_labels_are_rendered_with_what_the_upstream_has() -> None:
    given: dict[str, Any] = {
        "inputs": {
            "rows": "{{ outputs.rows.value }}",
            "day": "{{ trigger.outputs.day }}",
            "{{ 'name' }}": ["{{ flow.id }}", {"state": "{{ trigger.state }}"}],
            "limit": "{{ vars.limit }}",
            "plain": 3,
        },
        "labels": {"from": "{{ trigger.flowId }}", "{{ labels.env }}": "yes"},
    }
    verdict = judged(watcher(given, variables={"limit": 9}), execution())
    assert verdict.inputs == {
        "rows": 7,
        "day": "of daily-1",
        "name": ["daily", {"state": "SUCCESS"}],
        "limit": 9,
        "plain": 3,
    }
    assert verdict.labels == {"from": "daily", "prod": "yes"}


BOTH = {"dependsOn": [{"flowId": "daily"}, {"flowId": "weekly"}]}


def test_outputs_of_several_are_below_the_id_of_their_flow() -> None:
    asking = watcher(
        {**BOTH, "inputs": {"a": "{{ trigger.outputs.daily.day }}", "b": "{{ trigger.outputs.weekly.day }}"}}
    )
    first = judged(asking, execution())
    assert not first.fires
    verdict = judged(asking, execution("weekly"), at=NOON + MINUTE, memory=first.memory)
    assert verdict.inputs == {"a": "of daily-1", "b": "of weekly-1"}
    assert verdict.variables["outputs"]["day"] == "of weekly-1"
    assert verdict.variables["executionId"] == "weekly-1"


def test_outputs_of_the_last_one_come_before_all_whatever_was_seen_when() -> None:
    asking = watcher(BOTH)
    first = judged(asking, execution("weekly"), at=NOON + MINUTE)
    verdict = judged(asking, execution(), at=NOON, memory=first.memory)
    assert verdict.fires
    assert verdict.variables["outputs"]["day"] == "of daily-1"


def test_the_id_of_a_flow_comes_before_an_output_of_that_name_where_there_are_several() -> None:
    first = judged(watcher(BOTH), execution())
    verdict = judged(watcher(BOTH), execution("weekly", outputs={"daily": 5}), memory=first.memory)
    assert verdict.variables["outputs"] == {"day": "of daily-1", "daily": {"day": "of daily-1"}, "weekly": {"daily": 5}}


def test_outputs_of_a_single_one_are_read_either_way() -> None:
    asking = watcher({"dependsOn": [{"flowId": "daily"}]})
    assert judged(asking, execution()).variables["outputs"] == {"day": "of daily-1", "daily": {"day": "of daily-1"}}
    hides = judged(asking, execution(outputs={"daily": 5})).variables["outputs"]
    assert hides == {"daily": 5}


def test_a_memory_goes_to_json_and_back() -> None:
    memory = judged(watcher(BOTH), execution(outputs={"n": [1, {"x": None}]})).memory
    assert Memory.read(json.loads(json.dumps(memory.stored()))) == memory
