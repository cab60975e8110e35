"""The engine as Python sees it."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import Engine
from engine.errors import IllegalState, InputsInvalid, NotFound, UsageError
from engine.model.flow import Flow
from engine.model.state import State

FLOW = """
id: greet
namespace: test.team
inputs:
  - {id: name, type: STRING, defaults: Ada}
  - {id: ticket, type: STRING, defaults: "{{ uuid() }}"}
labels: {team: blue}
tasks:
  - {id: hello, type: io.kestra.plugin.core.debug.Return, format: "Hello {{ inputs.name }}"}
outputs:
  - {id: text, type: STRING, value: "{{ outputs.hello.value }}"}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "greet.yaml"
    path.write_text(FLOW)
    return path


def test_a_run_gives_what_the_flow_declares(tmp_path: Path, file: Path) -> None:
    with Engine(tmp_path / "home") as engine:
        execution = engine.run(file, {"name": "Eva"}, {"why": "test"})
        assert (execution.state, execution.outputs) == (State.SUCCESS, {"text": "Hello Eva"})
        assert execution.labels == {"team": "blue", "why": "test", "system.correlationId": execution.id}
        again = engine.execution(execution.id)
        assert (again.outputs, len(again.task_runs)) == (execution.outputs, 1)


def test_the_system_labels_of_a_flow_are_not_those_of_its_executions(tmp_path: Path, file: Path) -> None:
    file.write_text(FLOW.replace("{team: blue}", '{team: blue, system.readOnly: "true"}'))
    with Engine(tmp_path / "home") as engine:
        execution = engine.run(file)
    assert execution.labels == {"team": "blue", "system.correlationId": execution.id}


def test_chance_in_a_default_is_new_for_each_run(tmp_path: Path, file: Path) -> None:
    with Engine(tmp_path / "home") as engine:
        tickets = {engine.run(file).inputs["ticket"] for _ in range(3)}
    assert len(tickets) == 3


def test_the_same_source_is_the_same_revision(tmp_path: Path, file: Path) -> None:
    with Engine(tmp_path / "home") as engine:
        assert [engine.run(file).flow_revision for _ in range(2)] == [1, 1]
        file.write_text(FLOW.replace("Hello", "Good day"))
        assert engine.run(file).flow_revision == 2
        assert engine.run("test.team/greet").outputs == {"text": "Good day Ada"}
        assert engine.run("test.team.greet").flow_revision == 2


def test_what_is_refused_leaves_nothing_behind(tmp_path: Path, file: Path) -> None:
    with Engine(tmp_path / "home") as engine:
        with pytest.raises(InputsInvalid, match="nmae"):
            engine.run(file, {"nmae": "x"})
        with pytest.raises(InputsInvalid, match=r"Invalid label `system.x`, .*, but received `y`"):
            engine.run(file, labels={"system.x": "y"})
        file.write_text(FLOW + "disabled: true\n")
        with pytest.raises(IllegalState, match="disabled"):
            engine.run(file)
        with pytest.raises(NotFound, match="no flow"):
            engine.run("test.team/greet")
        with pytest.raises(UsageError, match="not read from a text"):
            engine.run(Flow(id="a", namespace="b", tasks=engine.parse(FLOW, file="x").tasks))
        assert engine.store.flows() == []
        assert engine.unfinished() == []


def test_waiting_has_an_end_however_much_happens(tmp_path: Path) -> None:
    file = tmp_path / "busy.yaml"
    file.write_text("""
id: busy
namespace: test.team
tasks:
  - id: loop
    type: io.kestra.plugin.core.flow.LoopUntil
    condition: "false"
    checkFrequency: {interval: PT0.001S}
    tasks: [{id: look, type: io.kestra.plugin.core.debug.Return}]
""")
    with Engine(tmp_path / "home") as engine:
        execution = engine.submit(file)
        with pytest.raises(TimeoutError):
            engine.follow(execution.id, timeout=0.05)
        engine.kill(execution.id)
        assert engine.follow(execution.id).state is State.KILLED
