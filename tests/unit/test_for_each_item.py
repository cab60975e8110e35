"""ForEachItem: a flow for each batch of the rows of a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine import Engine
from engine.errors import FlowInvalid
from engine.model.events import RestartRequested
from engine.model.execution import Execution
from engine.model.state import State
from engine.ports import ExecutionFilter
from engine.runtime.clock import SystemClock
from tests.simulation.play import told

ITEM = "io.kestra.plugin.core.flow.ForEachItem"
CHILD = """\
id: child
namespace: n
inputs:
  - {id: rows, type: STRING}
  - {id: number, type: INT}
  - {id: worst, type: INT, defaults: 0}
tasks:
  - id: check
    type: io.kestra.plugin.core.execution.Fail
    condition: "{{ inputs.number == inputs.worst and kv('healed', errorOnMissing=false) != 'yes' }}"
outputs:
  - {id: rows, value: "{{ inputs.rows }}"}
  - {id: number, value: "{{ inputs.number }}"}
"""
INPUTS = "{rows: '{{ read(taskrun.items) | trim }}', number: '{{ taskrun.iteration }}', worst: %d}"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(tmp_path) as held:
        held.library.keep(held.parse(CHILD, file="c.yaml"), CHILD)
        yield held


def parent(content: str, batch: str = "{rows: 2}", worst: int = 0, more: str = "", extra: str = "") -> str:
    return (
        "id: parent\nnamespace: n\ntasks:\n"
        f"  - {{id: file, type: io.kestra.plugin.core.storage.Write, content: '{content}'}}\n"
        f"  - id: each\n    type: {ITEM}\n    items: '{{{{ outputs.file.uri }}}}'\n    batch: {batch}\n"
        f"    namespace: n\n    flowId: child\n    inputs: {INPUTS % worst}\n{more}{extra}"
    )


def run(engine: Engine, source: str) -> Execution:
    return engine.run(engine.parse(source, file="p.yaml"))


def given(execution: Execution, task_id: str) -> Any:
    return next(run.outputs for run in execution.in_order() if run.task_id == task_id)


LINES = "a\n\n    b\n\n    c\n\n    d\n\n    e"  # YAML folds them to one each


def test_each_batch_is_a_run_of_the_flow(engine: Engine) -> None:
    execution = run(engine, parent(LINES))
    assert told(execution) == [
        "file SUCCESS",
        "each SUCCESS",
        "each_split SUCCESS",
        "each_items SUCCESS",
        "each_merge SUCCESS",
    ]
    items = given(execution, "each_items")
    assert (items["iterations"], items["numberOfBatches"]) == ({"SUCCESS": 3}, 3)
    with engine.files.open(given(execution, "each_merge")["subflowOutputs"]) as merged:
        assert merged.read().decode().splitlines() == [
            '{rows:"a\\nb",number:1}',
            '{rows:"c\\nd",number:2}',
            '{rows:"e",number:3}',
        ]
    with engine.files.open(f"{items['subflowOutputsBaseUri']}/2/outputs.ion") as one:
        assert one.read().decode().strip() == '{rows:"c\\nd",number:2}'


@pytest.mark.parametrize(("batch", "count"), [("{rows: 1}", 5), ("{partitions: 2}", 2), ("{bytes: 4B}", 3)])
def test_the_file_is_cut_as_the_flow_says(engine: Engine, batch: str, count: int) -> None:
    assert given(run(engine, parent(LINES, batch)), "each_items")["numberOfBatches"] == count


def test_an_empty_file_runs_nothing(engine: Engine) -> None:
    execution = run(engine, parent(""))
    assert execution.state is State.SUCCESS
    assert (given(execution, "each_items"), given(execution, "each_merge")) == (None, None)


def test_a_failed_batch_fails_it_and_a_restart_runs_that_batch_again(engine: Engine) -> None:
    source = parent(LINES, worst=2)
    failed = run(engine, source)
    assert failed.state is State.FAILED
    assert given(failed, "each_items")["iterations"] == {"SUCCESS": 2, "FAILED": 1}
    engine.kv.set("n", "healed", "yes")
    event = RestartRequested(at=SystemClock().now())
    engine.loop.ask(engine.parse(source, file="p.yaml"), failed.id, event).result(10)
    execution = engine.follow(failed.id, timeout=20)
    assert execution.state is State.SUCCESS
    assert given(execution, "each_items")["iterations"] == {"SUCCESS": 3}
    assert engine.store.executions(ExecutionFilter(flow_id="child"))[1] == 3


def test_a_failure_may_stay_where_it_is(engine: Engine) -> None:
    execution = run(engine, parent(LINES, worst=2, more="    transmitFailed: false\n"))
    assert execution.state is State.SUCCESS
    assert given(execution, "each_items")["iterations"] == {"SUCCESS": 2, "FAILED": 1}


def test_nobody_need_wait(engine: Engine) -> None:
    execution = run(engine, parent(LINES, more="    wait: false\n"))
    assert execution.state is State.SUCCESS
    assert given(execution, "each_items") == {"numberOfBatches": 3}


def test_it_may_stand_in_a_loop(engine: Engine) -> None:
    body = parent(LINES).split("tasks:\n")[1].replace("outputs.file.uri", "currentEachOutput(outputs.file).uri")
    inner = "".join(f"    {line}\n" for line in body.splitlines())
    source = (
        "id: parent\nnamespace: n\ntasks:\n  - id: loop\n    type: io.kestra.plugin.core.flow.ForEach\n"
        f"    values: [x, y]\n    tasks:\n{inner}"
    )
    execution = run(engine, source)
    assert execution.state is State.SUCCESS
    assert engine.store.executions(ExecutionFilter(flow_id="child"))[1] == 6


@pytest.mark.parametrize(
    "task",
    [
        "{id: x, type: io.kestra.plugin.core.flow.Subflow, namespace: n, flowId: itself}",
        f"{{id: x, type: {ITEM}, items: x, namespace: n, flowId: itself}}",
    ],
    ids=["Subflow", "ForEachItem"],
)
def test_a_flow_that_calls_itself_is_found(engine: Engine, task: str) -> None:
    with pytest.raises(FlowInvalid, match="runs the very flow"):
        engine.parse(f"id: itself\nnamespace: n\ntasks:\n  - {task}\n", file="f.yaml")


def test_the_names_of_its_tasks_are_taken(engine: Engine) -> None:
    taken = "  - {id: each_items, type: io.kestra.plugin.core.debug.Return}\n"
    with pytest.raises(FlowInvalid, match="each_items"):
        engine.parse(parent(LINES, extra=taken), file="f.yaml")
