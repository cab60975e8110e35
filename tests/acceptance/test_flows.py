"""The example flows do what they say. An example that nobody runs is one that is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from engine import Engine
from engine.model.execution import Execution
from engine.model.state import State

FLOWS = Path(__file__).parents[2] / "flows"
#: Examples that need a service have an acceptance test of their own, with a stand-in for the service.
WITH_A_SERVICE = {"openai_completion.yaml", "openai_function_call.yaml"}
CASES: list[tuple[str, Mapping[str, Any], State, Mapping[str, Any]]] = [
    ("hello_world.yaml", {}, State.SUCCESS, {"greeting": "Hello World!"}),
    ("hello_world.yaml", {"name": "Ada"}, State.SUCCESS, {"greeting": "Hello Ada!"}),
    ("parallel.yaml", {}, State.SUCCESS, {"summary": "120 orders, 45 customers, 8 products"}),
    ("dag.yaml", {}, State.SUCCESS, {"report": "Report on orders of customers"}),
    ("if_switch.yaml", {}, State.SUCCESS, {"tax": "19"}),
    ("if_switch.yaml", {"amount": 20, "country": "FR"}, State.SUCCESS, {"tax": "20"}),
    ("if_switch.yaml", {"country": "AT"}, State.SUCCESS, {"tax": "0"}),
    ("for_each.yaml", {}, State.SUCCESS, {"oslo": "1: Oslo"}),
    ("remember.yaml", {}, State.SUCCESS, {"runs": 1}),
    ("shell_hello.yaml", {"name": "Ada"}, State.SUCCESS, {"greeting": "Hello Ada", "letters": 3}),
    ("python_outputs.yaml", {}, State.SUCCESS, {"best": "Oslo", "total": 42}),
    ("files.yaml", {}, State.SUCCESS, {"dropped": 1, "newest": 3}),
    ("files.yaml", {"least": 100}, State.FAILED, {}),
    ("errors_branch.yaml", {}, State.SUCCESS, {}),
    ("errors_branch.yaml", {"stock": 0}, State.FAILED, {}),
]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Engine(home=tmp_path_factory.mktemp("home")) as engine:
        yield engine


def task_ids(execution: Execution) -> list[str]:
    return [run.task_id for run in execution.in_order()]


@pytest.mark.parametrize(("name", "inputs", "state", "outputs"), CASES)
def test_an_example_ends_as_it_says(
    engine: Engine, name: str, inputs: Mapping[str, Any], state: State, outputs: Mapping[str, Any]
) -> None:
    execution = engine.run(FLOWS / name, inputs=inputs)

    assert execution.state is state, execution.error
    assert dict(execution.outputs or {}) == outputs
    assert execution.namespace == "company.team"
    assert execution.flow_id == Path(name).stem


def test_only_the_branch_that_was_taken_leaves_task_runs(engine: Engine) -> None:
    execution = engine.run(FLOWS / "if_switch.yaml", inputs={"amount": 20})

    assert task_ids(execution) == ["is_large", "approve", "by_country", "german_tax"]


def test_each_value_has_its_own_task_runs(engine: Engine) -> None:
    execution = engine.run(FLOWS / "for_each.yaml")

    labels = {run.value: run for run in execution.in_order() if run.task_id == "label"}
    assert {value: run.outputs["value"] for value, run in labels.items() if run.outputs and value} == {
        "Lisbon": "0: Lisbon",
        "Oslo": "1: Oslo",
        "Quito": "2: Quito",
    }


def test_a_failure_stops_the_tasks_and_runs_the_errors_branch(engine: Engine) -> None:
    execution = engine.run(FLOWS / "errors_branch.yaml", inputs={"stock": 0})

    assert task_ids(execution) == ["check_stock", "tell_the_buyer"]


def test_every_example_is_run_by_a_test() -> None:
    assert {path.name for path in FLOWS.iterdir()} == {name for name, *_ in CASES} | WITH_A_SERVICE
