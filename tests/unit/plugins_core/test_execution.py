"""The tasks about executions, logs and metrics, each run by the testing kit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest

from engine.model.events import Effects
from engine.model.state import State
from engine.ports import ExecutionSummary, LogLine
from engine.sdk.changes import NOTHING
from engine.sdk.fake_executions import FakeExecutions
from engine.sdk.ion import read_rows
from engine.sdk.testing import Log, TaskResult, run_task
from plugins.core.execution import Assert, Exit, Labels
from plugins.core.execution_history import Count, PurgeExecutions, Resume
from plugins.core.execution_variables import SetVariables, UnsetVariables
from plugins.core.log_history import Fetch, PurgeLogs
from plugins.core.metric import Publish
from plugins.core.output import OutputValues
from plugins.core.templating import TemplatedTask
from plugins.core.trigger import Toggle

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
VARS = {"a": 1, "db": {"host": "x", "port": 5}}
INPUTS = {"team": "x", "n": 2, "labels": {"a": "1"}, "list": [1, 2]}


def run(type_: type, **properties: Any) -> TaskResult:
    return run_task({"type": type_, **properties}, inputs=INPUTS, vars=VARS, secrets={"KEY": "s3cr3t-value"})


def an_execution(id_: str, state: State = State.SUCCESS, *, hours: float = 0, **fields: Any) -> ExecutionSummary:
    given = {"namespace": "acme", "flow_id": "hello", "flow_revision": 1, "labels": {}, "error": None, **fields}
    return ExecutionSummary(id=id_, state=state, started_at=NOON + timedelta(hours=hours), ended_at=None, **given)


def a_line(message: str, level: str = "INFO", execution_id: str = "execution", **fields: Any) -> LogLine:
    return LogLine(execution_id=execution_id, at=NOON, level=level, message=message, **fields)


@pytest.mark.parametrize(
    ("written", "labels"),
    [
        ({"team": "{{ inputs.team }}", "{{ inputs.team }}": 5, "yes": True}, {"team": "x", "x": "5", "yes": "true"}),
        ([{"key": "team", "value": "{{ inputs.team }}"}], {"team": "x"}),
        ('{"team": "{{ inputs.team }}", "n": 5}', {"team": "x", "n": "5"}),
        ('[{"key": "team", "value": "y"}]', {"team": "y"}),
        ("{{ inputs.labels }}", {"a": "1"}),
    ],
)
def test_labels_are_taken_in_every_form(written: Any, labels: dict[str, str]) -> None:
    result = run(Labels, labels=written)
    assert (result.state, result.effects) == (State.SUCCESS, Effects(labels=labels)), result.error


@pytest.mark.parametrize("written", ["team=x", "[1]", '{"a": {"b": 1}}', {"system.x": "1"}, "{{ inputs.list }}", None])
def test_what_is_no_label_is_refused(written: Any) -> None:
    result = run(Labels, labels=written)
    assert (result.state, result.effects) == (State.FAILED, NOTHING)


def test_variables_are_set() -> None:
    result = run(SetVariables, variables={"a": "{{ inputs.n }}", "new": {"{{ inputs.team }}": [1]}})
    assert result.effects == Effects(variables={"a": 2, "new": {"x": [1]}})


def test_variables_that_are_there_may_be_spared() -> None:
    assert run(SetVariables, variables={"a": 2}, overwrite=False).error == "the variable `a` is set already"
    assert run(SetVariables, variables={"b": 2}, overwrite=False).effects == Effects(variables={"b": 2})


def test_variables_are_unset_by_their_paths() -> None:
    assert run(UnsetVariables, variables=["a", "db.host"]).effects == Effects(unset=("a", "db.host"))
    assert run(UnsetVariables, variables=["db.user"]).error == "there is no variable `db.user`"
    assert run(UnsetVariables, variables=["a.b", "a"], ignoreMissing=True).effects == Effects(unset=("a",))


@pytest.mark.parametrize(
    ("written", "state"), [(None, State.SUCCESS), ("CANCELED", State.CANCELLED), ("KILLED", State.KILLED)]
)
def test_exit_says_how_the_execution_ends(written: str | None, state: State) -> None:
    given = {} if written is None else {"state": written}
    assert run(Exit, **given).effects == Effects(ending=state)


def test_exit_knows_final_states_only() -> None:
    assert run(Exit, state="RUNNING").state is State.FAILED


def test_assert_looks_at_every_condition() -> None:
    conditions = ["{{ inputs.n == 2 }}", "{{ inputs.nope }}", "{{ inputs.n == 3 }}", True, ""]
    result = run(Assert, conditions=conditions, errorMessage="no {{ inputs.team }}")
    assert (result.state, result.error) == (State.FAILED, "3 assertions failed!")
    assert [line.level for line in result.logs] == ["ERROR"] * 4
    assert "inputs.nope" in result.logs[0].message
    assert result.logs[-1] == Log("ERROR", "no x")
    assert [(metric.name, metric.value) for metric in result.metrics] == [("failed", 3), ("success", 2)]


def test_assert_is_content_when_all_hold() -> None:
    result = run(Assert, conditions=["{{ inputs.team == 'x' }}"], errorMessage="no")
    assert (result.state, result.logs) == (State.SUCCESS, [])
    assert run(Assert, conditions=["false"]).error == "1 assertion failed!"


@pytest.fixture
def executions() -> FakeExecutions:
    return FakeExecutions(
        [
            an_execution("a"),
            an_execution("b", State.FAILED, hours=2),
            an_execution("c", State.PAUSED, namespace="acme.team"),
            an_execution("execution", State.RUNNING, namespace="test", flow_id="flow"),
        ],
        [a_line("one"), a_line("two", "WARN", task_id="t"), a_line("old", execution_id="a"), a_line("3", "DEBUG")],
    )


@pytest.mark.parametrize(
    ("properties", "results"),
    [
        ({}, [(None, None, 4)]),
        ({"flows": [{"namespace": "acme", "flowId": "hello"}]}, [("acme", "hello", 2)]),
        ({"flows": [{"namespace": "acme", "flowId": "no"}], "expression": "{{ count == 0 }}"}, [("acme", "no", 0)]),
        ({"namespaces": ["acme", "acme.team"], "expression": "{{ count > 1 }}"}, [("acme", None, 2)]),
        ({"namespaces": ["acme"], "states": ["FAILED"]}, [("acme", None, 1)]),
        ({"namespaces": ["acme"], "startDate": "2026-03-01T13:00:00Z"}, [("acme", None, 1)]),
        ({"namespaces": ["acme"], "endDate": "2026-03-01T13:00:00"}, [("acme", None, 1)]),
    ],
)
def test_count(executions: FakeExecutions, properties: dict[str, Any], results: list[Any]) -> None:
    given = {"startDate": "2026-03-01T00:00:00Z", "expression": "{{ count >= 0 }}", **properties}
    result = run_task({"type": Count, **given}, executions=executions)
    found = [(each["namespace"], each["flowId"], each["count"]) for each in result.outputs["results"]]
    assert (found, result.outputs["total"]) == (results, sum(count for _, _, count in results)), result.error


def test_resume(executions: FakeExecutions) -> None:
    task = {"type": Resume, "executionId": "c", "inputs": {"ok": "{{ 1 == 1 }}"}}
    assert run_task(task, executions=executions).state is State.SUCCESS
    assert executions.resumed == {"c": {"ok": True}}
    assert run_task({"type": Resume, "executionId": "a"}, executions=executions).error == "execution a is SUCCESS"
    assert run_task({"type": Resume, "executionId": "z"}, executions=executions).error == "there is no execution `z`"
    other = run_task({**task, "namespace": "other"}, executions=executions)
    assert other.error == "execution c is one of acme.team/hello, not of other/hello"


def test_purge(executions: FakeExecutions) -> None:
    task = {"type": PurgeExecutions, "namespace": "acme", "endDate": "2026-03-01T13:00:00Z"}
    result = run_task(task, executions=executions)
    assert result.outputs == {"executionsCount": 1, "logsCount": 1, "metricsCount": 0, "storagesCount": 0}
    assert sorted(executions.summaries) == ["b", "c", "execution"]
    assert run_task({"type": PurgeExecutions}, executions=executions).error == 'property "endDate" is required'


def test_fetch_writes_the_lines_to_a_file(executions: FakeExecutions) -> None:
    result = run_task({"type": Fetch}, executions=executions)
    assert result.outputs["size"] == 2, result.error
    rows = list(read_rows(BytesIO(result.files[result.outputs["uri"]])))
    assert [(row["level"], row["message"], row["flowId"]) for row in rows] == [
        ("INFO", "one", "flow"),
        ("WARN", "two", "flow"),
    ]
    assert run_task({"type": Fetch, "tasksId": ["t"]}, executions=executions).outputs["size"] == 1
    assert run_task({"type": Fetch, "level": "DEBUG"}, executions=executions).outputs["size"] == 3
    assert run_task({"type": Fetch, "executionId": "a"}, executions=executions).outputs["size"] == 1
    assert run_task({"type": Fetch, "flowId": "other"}, executions=executions).state is State.FAILED


def test_purge_logs(executions: FakeExecutions) -> None:
    task = {"type": PurgeLogs, "endDate": "2026-03-02T00:00:00Z", "logLevels": ["WARN", "DEBUG"]}
    assert run_task(task, executions=executions).outputs == {"count": 2}
    assert [line.message for line in executions.lines] == ["one", "old"]


def test_output_values_keep_their_types() -> None:
    result = run(OutputValues, values={"n": "{{ inputs.n }}", "text": "{{ inputs.n }}!", "deep": {"l": ["{{ 1 }}"]}})
    assert result.outputs == {"values": {"n": 2, "text": "2!", "deep": {"l": [1]}}}


def test_a_templated_task_runs_what_it_says() -> None:
    spec = "type: io.kestra.plugin.core.output.{{ 'Output' }}Values\nvalues: {a: %s}"
    assert run(TemplatedTask, spec=spec % "{{ inputs.n }}").outputs == {"values": {"a": 2}}
    later = "'{% raw %}{{ inputs.list }}{% endraw %}'"
    assert run(TemplatedTask, spec=spec.replace("%s", later)).outputs == {"values": {"a": [1, 2]}}


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ("type: io.kestra.plugin.core.output.OutputValues", 'property "values" is required'),
        ("type: no.Such", 'there is no task type "no.Such"'),
        ("a: 1", "a task needs a `type`"),
        ("just text", "`spec` is not the definition of a task"),
        ("a: [", "this is not YAML"),
        ("type: io.kestra.plugin.core.templating.TemplatedTask", "cannot be another templated task"),
    ],
)
def test_a_templated_task_that_makes_no_sense(spec: str, error: str) -> None:
    result = run(TemplatedTask, spec=spec)
    assert result.state is State.FAILED
    assert error in str(result.error)


def test_what_an_inner_task_cannot_have_is_told() -> None:
    spec = "type: io.kestra.plugin.core.output.OutputValues\ntimeout: PT1S\nid: x\nvalues: {}"
    result = run(TemplatedTask, spec=spec)
    assert [line.level for line in result.logs] == ["WARN"]
    assert "`timeout`" in result.logs[0].message


def test_metrics_are_published() -> None:
    metrics = [
        {"type": "counter", "name": "rows", "value": "{{ inputs.n }}", "tags": {"name": "x"}},
        {"type": "timer", "name": "took", "value": "PT1.5S"},
    ]
    result = run(Publish, metrics=metrics)
    assert [tuple(metric) for metric in result.metrics] == [
        ("rows", "counter", 2.0, {"name": "x"}),
        ("took", "timer", 1.5, {}),
    ], result.error


def test_toggle_switches_a_trigger() -> None:
    executions = FakeExecutions()
    run_task({"type": Toggle, "trigger": "daily"}, executions=executions)
    switch = {"type": Toggle, "trigger": "daily", "namespace": "acme", "flowId": "f", "enabled": True}
    run_task(switch, executions=executions)
    assert executions.switched == {("test", "flow", "daily"): False, ("acme", "f", "daily"): True}
