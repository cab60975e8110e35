"""`subflow()`: in an input, in a task, in itself, and from the threads that the flow itself needs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import Engine
from engine.errors import InputsInvalid
from engine.model.state import State
from engine.ports import ExecutionFilter
from engine.runtime import subflows
from engine.settings import Executor, find_project, load_settings

CHOICES = """\
id: choices
namespace: n
inputs:
  - {id: last, type: STRING, defaults: c}
tasks:
  - {id: wait, type: io.kestra.plugin.core.flow.Sleep, duration: PT0.001S}
outputs:
  - {id: list, value: ["a", "b", "{{ inputs.last }}"]}
"""
CHOOSE = """\
id: choose
namespace: n
inputs:
  - {id: one, type: SELECT, expression: "{{ subflow('n', 'choices', {'last': 'z'}).list }}"}
tasks:
  - {id: say, type: io.kestra.plugin.core.debug.Return, format: "{{ inputs.one }}"}
"""
MANY = """\
id: many
namespace: n
tasks:
  - id: each
    type: io.kestra.plugin.core.flow.ForEach
    values: [1, 2, 3, 4, 5, 6]
    concurrencyLimit: 0
    tasks:
      - {id: ask, type: io.kestra.plugin.core.debug.Return, format: "{{ subflow('n', 'choices').list | last }}"}
"""
ITSELF = """\
id: itself
namespace: n
tasks:
  - {id: again, type: io.kestra.plugin.core.debug.Return, format: "{{ subflow('n', 'itself') }}"}
"""
FAILS = """\
id: fails
namespace: n
tasks:
  - {id: fail, type: io.kestra.plugin.core.execution.Fail, errorMessage: no luck}
"""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """One worker only: it must not be what a subflow waits for."""
    settings = load_settings(find_project(tmp_path)).model_copy(update={"executor": Executor(threads=1)})
    with Engine(tmp_path, settings=settings) as engine:
        yield engine


def flow(engine: Engine, source: str) -> None:
    """Have the engine know a flow."""
    parsed = engine.parse(source, file="f.yaml")
    engine.store.save_flow(parsed.namespace, parsed.id, source, at=engine._clock.now(), disabled=False)


def asking(expression: str) -> str:
    return f"""\
id: asking
namespace: n
tasks:
  - {{id: ask, type: io.kestra.plugin.core.debug.Return, format: "{{{{ {expression} }}}}"}}
"""


def test_an_input_chooses_from_what_a_flow_gives(engine: Engine, tmp_path: Path) -> None:
    flow(engine, CHOICES)
    execution = engine.run(engine.parse(CHOOSE, file="f.yaml"), inputs={"one": "z"})
    assert next(execution.in_order()).outputs == {"value": "z"}
    with pytest.raises(InputsInvalid, match="one"):
        engine.run(engine.parse(CHOOSE, file="f.yaml"), inputs={"one": "c"})


def test_tasks_on_all_workers_wait_for_flows_that_need_workers(engine: Engine) -> None:
    flow(engine, CHOICES)
    execution = engine.run(engine.parse(MANY, file="f.yaml"))
    assert execution.state is State.SUCCESS
    assert [run.outputs for run in execution.in_order() if run.task_id == "ask"] == [{"value": "c"}] * 6


def test_a_flow_that_calls_itself_comes_to_an_end(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subflows, "MAX_WAITING", 4)
    flow(engine, ITSELF)
    execution = engine.run("n/itself")
    assert execution.state is State.FAILED
    assert "The flow n/itself ended FAILED" in str(next(execution.in_order()).error)
    assert len(engine.store.executions(ExecutionFilter(flow_id="itself"))[0]) == 5


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("subflow('n', 'fails')", "The flow n/fails ended FAILED"),
        ("subflow('n', 'nobody')", "there is no flow `n/nobody`"),
        ("subflow('n', 'choices', 5)", "The inputs of `subflow` are a map"),
        ("subflow('n', 'choices', {'lst': 1})", "declares no such input"),
    ],
)
def test_what_goes_wrong_fails_the_task(engine: Engine, expression: str, message: str) -> None:
    flow(engine, CHOICES)
    flow(engine, FAILS)
    execution = engine.run(engine.parse(asking(expression), file="f.yaml"))
    assert execution.state is State.FAILED
    assert message in str(next(execution.in_order()).error)


def test_patience_has_an_end(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subflows, "PATIENCE", 0.01)
    flow(engine, CHOICES.replace("PT0.001S", "PT0.2S"))
    execution = engine.run(engine.parse(asking("subflow('n', 'choices')"), file="f.yaml"))
    assert "took longer than 0.01 s" in str(next(execution.in_order()).error)
