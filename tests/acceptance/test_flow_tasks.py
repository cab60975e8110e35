"""The tasks about executions in real runs: on a database, by their YAML, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from engine import Engine
from engine.model.execution import Execution
from engine.model.scheduling import TriggerKey
from engine.model.state import State

CORE = "io.kestra.plugin.core"


@pytest.fixture
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Engine(home=tmp_path_factory.mktemp("home")) as engine:
        yield engine


def run(engine: Engine, tasks: str, *, head: str = "", inputs: dict[str, Any] | None = None) -> Execution:
    text = f"id: f\nnamespace: company.team\n{head}\ntasks:\n{tasks}".replace("CORE", CORE)
    return engine.run(engine.parse(text, file="f.yaml"), inputs=inputs)


def outputs_of(execution: Execution, task_id: str) -> Any:
    return next(run.outputs for run in execution.in_order() if run.task_id == task_id)


def test_labels_and_variables_are_seen_by_those_who_follow(engine: Engine) -> None:
    execution = run(
        engine,
        """
  - {id: label, type: io.kestra.core.tasks.executions.Labels, labels: {stage: "{{ vars.stage }}"}}
  - {id: set, type: CORE.execution.SetVariables, variables: {stage: live, db: {host: there}}}
  - {id: unset, type: CORE.execution.UnsetVariables, variables: [db.port]}
  - {id: seen, type: CORE.output.OutputValues, values: {vars: "{{ vars }}", label: "{{ labels.stage }}"}}
""",
        head="labels: {stage: none}\nvariables: {stage: draft, db: {host: here, port: 1}}",
    )
    assert execution.state is State.SUCCESS, execution.error
    assert outputs_of(execution, "seen")["values"] == {
        "vars": {"stage": "live", "db": {"host": "there"}},
        "label": "draft",
    }
    stored = engine.execution(execution.id)
    assert {name: value for name, value in stored.labels.items() if "." not in name} == {"stage": "draft"}


def test_exit_ends_the_execution(engine: Engine) -> None:
    execution = run(
        engine,
        """
  - {id: out, type: CORE.execution.Exit, runIf: "{{ 1 == 1 }}", state: CANCELED}
  - {id: never, type: CORE.log.Log, message: no}
""",
    )
    assert execution.state is State.CANCELLED
    assert [run.task_id for run in execution.in_order()] == ["out"]


def test_assert_fails_the_execution_and_tells_why(engine: Engine) -> None:
    task = "  - {id: a, type: CORE.execution.Assert, conditions: ['{{ 1 == 1 }}', '{{ 1 == 2 }}'], errorMessage: Oh}"
    execution = run(engine, task)
    assert execution.state is State.FAILED
    lines = [line.message for line in engine.store.logs(execution.id, min_level="ERROR")]
    assert lines == ["Assertion `{{ 1 == 2 }}` failed: it does not hold", "Oh", "1 assertion failed!"]
    assert [(each.name, each.value) for each in engine.store.metrics(execution.id)] == [("failed", 1), ("success", 1)]


def test_a_templated_task_gives_the_outputs_of_the_task_that_it_runs(engine: Engine) -> None:
    execution = run(
        engine,
        """
  - id: templated
    type: io.kestra.core.tasks.templating.TemplatedTask
    spec: |
      type: CORE.debug.{{ inputs.kind }}
      format: "{% raw %}{{ flow.id }}{% endraw %}"
  - {id: seen, type: CORE.debug.Return, format: "{{ outputs.templated.value }}"}
""",
        head="inputs: [{id: kind, type: STRING, defaults: Return}]",
    )
    assert outputs_of(execution, "seen") == {"value": "f"}


def test_a_templated_task_cannot_be_a_container(engine: Engine) -> None:
    execution = run(engine, '  - {id: t, type: CORE.templating.TemplatedTask, spec: "type: CORE.flow.Parallel"}')
    assert execution.state is State.FAILED
    assert "Parallel" in str(next(iter(execution.in_order())).error)


def test_logs_are_fetched_and_purged(engine: Engine) -> None:
    execution = run(
        engine,
        """
  - {id: warn, type: CORE.log.Log, level: WARN, message: "take care"}
  - {id: say, type: CORE.log.Log, message: "hello"}
  - {id: fetched, type: io.kestra.core.tasks.log.Fetch, level: WARN}
  - {id: rows, type: CORE.output.OutputValues, values: {first: "{{ fromIon(read(outputs.fetched.uri)) }}"}}
  - {id: purge, type: CORE.log.PurgeLogs, endDate: "{{ now() | dateAdd(1, 'DAYS') }}", logLevels: [WARN]}
""",
    )
    assert execution.state is State.SUCCESS, execution.error
    assert outputs_of(execution, "fetched")["size"] == 1
    row = outputs_of(execution, "rows")["values"]["first"]
    assert (row["message"], row["taskId"], row["executionId"]) == ("take care", "warn", execution.id)
    assert outputs_of(execution, "purge") == {"count": 1}
    assert [line.message for line in engine.store.logs(execution.id, task_id="warn")] == []


def test_executions_are_counted_and_purged_with_their_files(engine: Engine) -> None:
    write = "  - {id: write, type: CORE.storage.Write, content: x}"
    old = run(engine, write)
    uri = outputs_of(old, "write")["uri"]
    execution = run(
        engine,
        """
  - id: count
    type: CORE.execution.Count
    flows: [{namespace: company.team, flowId: f}]
    states: [SUCCESS]
    startDate: "{{ now() | dateAdd(-1, 'DAYS') }}"
    expression: "{{ count >= 1 }}"
  - {id: purge, type: CORE.storage.Purge, endDate: "{{ now() | dateAdd(1, 'DAYS') }}"}
""",
    )
    assert execution.state is State.SUCCESS, execution.error
    assert outputs_of(execution, "count") == {
        "results": [{"namespace": "company.team", "flowId": "f", "count": 1}],
        "total": 1,
    }
    assert outputs_of(execution, "purge")["executionsCount"] == 1
    assert outputs_of(execution, "purge")["storagesCount"] == 1
    assert engine.store.execution(old.id) is None
    assert not engine.files.exists(uri)


def test_a_paused_execution_is_resumed_with_what_it_asks_for(engine: Engine) -> None:
    text = f"""
id: waits
namespace: company.team
tasks:
  - {{id: pause, type: {CORE}.flow.Pause, onResume: [{{id: ok, type: BOOLEAN}}]}}
  - {{id: seen, type: {CORE}.debug.Return, format: "{{{{ outputs.pause.onResume.ok }}}}"}}
"""
    waiting = engine.submit(engine.parse(text, file="waits.yaml"))
    resume = "  - {id: r, type: CORE.execution.Resume, executionId: '{{ inputs.id }}', inputs: {ok: INPUT}}"
    head = "inputs: [{id: id, type: STRING}]"
    wrong = run(engine, resume.replace("INPUT", "perhaps"), head=head, inputs={"id": waiting.id})
    assert "ok" in str(next(iter(wrong.in_order())).error)
    right = run(engine, resume.replace("INPUT", "'{{ 1 == 1 }}'"), head=head, inputs={"id": waiting.id})
    assert right.state is State.SUCCESS, next(iter(right.in_order())).error
    ended = engine.follow(waiting.id, timeout=20)
    assert outputs_of(ended, "seen") == {"value": "true"}


def test_metrics_and_wishes_about_triggers_are_kept(engine: Engine) -> None:
    execution = run(
        engine,
        """
  - id: publish
    type: CORE.metric.Publish
    metrics: [{type: counter, name: rows, value: "{{ 2 + 3 }}", tags: {value: x}}]
  - {id: off, type: io.kestra.core.tasks.trigger.Toggle, trigger: daily}
""",
    )
    assert execution.state is State.SUCCESS, execution.error
    (metric,) = engine.store.metrics(execution.id)
    assert (metric.name, metric.kind, metric.value, metric.tags) == ("rows", "counter", 5, {"value": "x"})
    kept = engine.store.trigger_state(TriggerKey("company.team", "f", "daily"))
    assert kept is not None
    assert kept.disabled
