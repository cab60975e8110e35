"""Flows that are right: what they become."""

from __future__ import annotations

import pytest

from engine.dialect import load
from engine.errors import FlowInvalid
from engine.model.flow import Dag, Flow, Parallel, RunnableTask, Switch
from tests.unit.dialect.flows import CHAT, LOG, RETURN, Index, read_flow, tasks_flow

NESTED = f"""
id: demo
namespace: acme.team
labels: {{team: data, tier: 1, critical: true}}
inputs:
  - id: who
    type: STRING
    defaults: you
tasks:
  - id: hello
    type: io.kestra.core.tasks.log.Log
    message: "Hi {{{{ inputs.who }}}}"
  - id: fan
    type: io.kestra.plugin.core.flow.Parallel
    concurrent: 2
    tasks:
      - {{id: chat, type: {CHAT}, apiKey: key, temperature: "{{{{ vars.t }}}}"}}
      - id: pick
        type: io.kestra.plugin.core.flow.Switch
        value: "{{{{ inputs.who }}}}"
        cases:
          true:
            - {{id: yes-it-is, type: {RETURN}, format: 1}}
          2: [{{id: two, type: {RETURN}}}]
  - id: graph
    type: io.kestra.plugin.core.flow.Dag
    tasks:
      - task: {{id: first, type: {RETURN}}}
      - task: {{id: second, type: {RETURN}, when: "{{{{ true }}}}"}}
        dependsOn: [first]
errors:
  - {{id: alarm, type: {LOG}, message: failed}}
"""


def flow_of(source: str) -> Flow:
    parsed = read_flow(source)
    assert [finding.message for finding in parsed.diagnostics] == []
    assert parsed.flow is not None
    return parsed.flow


def test_a_tree_of_containers_is_built() -> None:
    flow = flow_of(NESTED)
    assert [task.id for task in flow.walk()] == [
        "hello", "fan", "chat", "pick", "yes-it-is", "two", "graph", "first", "second", "alarm",
    ]  # fmt: skip
    _, fan, graph = flow.tasks
    assert isinstance(fan, Parallel)
    assert fan.concurrent == 2
    assert isinstance(fan.tasks[1], Switch)
    assert set(fan.tasks[1].cases) == {"true", "2"}
    assert isinstance(graph, Dag)
    assert graph.tasks[1].depends_on == ("first",)
    assert graph.tasks[1].task.run_if == "{{ true }}"


def test_a_runnable_task_keeps_its_properties_as_written_under_its_canonical_type() -> None:
    hello = flow_of(NESTED).tasks[0]
    assert isinstance(hello, RunnableTask)
    assert hello.type == LOG
    assert hello.properties == {"message": "Hi {{ inputs.who }}"}


def test_labels_are_text_whether_written_as_a_map_or_as_a_list() -> None:
    assert flow_of(NESTED).labels == {"team": "data", "tier": "1", "critical": "true"}
    listed = tasks_flow(f"  - {{id: a, type: {RETURN}}}\n", labels="[{key: team, value: data}, {key: n, value: 2}]")
    assert flow_of(listed).labels == {"team": "data", "n": "2"}


def test_the_place_of_every_task_is_known() -> None:
    parsed = read_flow(NESTED)
    places = {task.id: path for path, task in parsed.tasks}
    assert places["two"] == ("tasks", 1, "tasks", 1, "cases", "2", 0)
    assert parsed.document is not None
    assert parsed.document.span(places["graph"]).line == NESTED.splitlines().index("  - id: graph") + 1


def test_a_property_without_a_value_counts_as_absent() -> None:
    task = flow_of(tasks_flow(f"  - id: a\n    type: {RETURN}\n    format:\n    retry:\n    disabled:\n")).tasks[0]
    assert isinstance(task, RunnableTask)
    assert task.properties == {}


def test_scalars_that_older_yaml_would_change_stay_text() -> None:
    source = tasks_flow(f"  - {{id: a, type: {RETURN}}}\n") + (
        "variables:\n  on: yes\n  day: 2024-02-30\n  time: 1:30\n  mode: 0755\n  count: 1_000\n  hex: 0x1F\n"
        "  version: 1.10.2\n  real: 1.5\n  whole: -3\n  exp: 1e3\n  truth: True\n  nothing: ~\n"
    )
    assert flow_of(source).variables == {
        "on": "yes", "day": "2024-02-30", "time": "1:30", "mode": "0755", "count": "1_000", "hex": "0x1F",
        "version": "1.10.2", "real": 1.5, "whole": -3, "exp": 1000.0, "truth": True, "nothing": None,
    }  # fmt: skip


def test_anchors_and_merge_keys_work() -> None:
    flow = flow_of(f"""
id: demo
namespace: acme
variables:
  base: &base {{region: eu, size: 1}}
  more: {{<<: *base, size: 2}}
  both: {{<<: [*base, {{size: 3, zone: a}}]}}
tasks:
  - &task
    id: a
    type: {RETURN}
  - {{<<: *task, id: b}}
""")
    assert flow.variables["more"] == {"region": "eu", "size": 2}
    assert flow.variables["both"] == {"region": "eu", "size": 1, "zone": "a"}
    assert [task.id for task in flow.tasks] == ["a", "b"]


def test_load_gives_the_flow_or_the_whole_report() -> None:
    assert load(NESTED, types=Index()).id == "demo"
    with pytest.raises(FlowInvalid) as caught:
        load(NESTED.replace("message:", "mesage:", 1), file="a.yaml", types=Index())
    assert "a.yaml:12:5: error[unknown-property]" in caught.value.message
    assert 'hint: did you mean "message"?' in caught.value.message
    assert [finding.code for finding in caught.value.diagnostics] == ["missing-property", "unknown-property"]
