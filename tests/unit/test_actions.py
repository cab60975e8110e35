"""What persons do to executions, from Python: with secrets and files, and through the engine that owns the database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import Engine
from engine.errors import IllegalState, InputsInvalid, NotFound, UsageError
from engine.model.execution import Execution
from engine.model.sealed import ciphertext_of
from engine.model.state import State
from engine.ports import ExecutionFilter

FLOW = """
id: flow
namespace: n
inputs:
  - {id: data, type: FILE}
  - {id: password, type: SECRET}
  - {id: works, type: BOOLEAN, defaults: false}
tasks:
  - {id: read, type: io.kestra.plugin.core.debug.Return, format: "{{ read(inputs.data) }}"}
  - id: check
    type: io.kestra.plugin.core.execution.Fail
    condition: "{{ not inputs.works or inputs.password != 'open sesame' }}"
  - id: each
    type: io.kestra.plugin.core.flow.ForEach
    values: [a, b]
    tasks:
      - {id: say, type: io.kestra.plugin.core.debug.Return, format: "{{ taskrun.value }} {{ outputs.read.value }}"}
"""
PAUSED = """
id: paused
namespace: n
tasks:
  - id: ask
    type: io.kestra.plugin.core.flow.Pause
    onResume:
      - {id: password, type: SECRET}
      - {id: data, type: FILE}
  - {id: told, type: io.kestra.plugin.core.debug.Return, format: "{{ read(outputs.ask.onResume.data) }}"}
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "old.txt").write_text("old")
    (tmp_path / "new.txt").write_text("new")
    return tmp_path / "home"


@pytest.fixture(params=["its own", "another's"])
def engine(request: pytest.FixtureRequest, home: Path) -> Iterator[Engine]:
    """An engine that owns the database, or one that has to ask the owner."""
    if request.param == "its own":
        with Engine(home) as engine:
            yield engine
        return
    with Engine(home) as owner:
        assert owner.loop is not None
        with Engine(home) as engine:
            yield engine


def failed(engine: Engine, home: Path) -> Execution:
    flow = engine.parse(FLOW, file="flow.yaml")
    execution = engine.run(flow, {"data": home.parent / "old.txt", "password": "open sesame"})
    assert execution.state is State.FAILED
    return execution


def outputs(execution: Execution, task_id: str) -> list[str]:
    return [run.outputs["value"] for run in execution.in_order() if run.task_id == task_id and run.outputs]


def test_a_replay_has_the_secrets_and_the_files_of_before(engine: Engine, home: Path) -> None:
    old = failed(engine, home)
    new = engine.follow(engine.replay(old.id, inputs={"works": True}).id)
    assert new.state is State.SUCCESS
    assert outputs(new, "say") == ["a old", "b old"]
    assert ciphertext_of(new.inputs["password"]) is not None
    assert new.inputs["data"] == old.inputs["data"]


def test_a_replay_takes_new_files_and_outputs(engine: Engine, home: Path) -> None:
    old = failed(engine, home)
    new = engine.follow(engine.replay(old.id, inputs={"works": True, "data": home.parent / "new.txt"}).id)
    assert outputs(new, "say") == ["a new", "b new"]
    assert new.id in new.inputs["data"]
    edits = {"read": {"value": "mine"}}
    third = engine.follow(engine.replay(new.id, "each", outputs=edits).id)
    assert outputs(third, "say") == ["a mine", "b mine"]
    assert (third.parent_id, third.original_id) == (new.id, old.id)
    last = engine.follow(engine.replay(third.id, "say[b]").id)
    assert [run.id.rpartition("-")[0] for run in last.in_order()] == [last.id] * len(last.task_runs)
    assert len(last.task_runs) == len(third.task_runs)
    for name, error in (("say", UsageError), ("say[c]", NotFound), ("sya", NotFound)):
        with pytest.raises(error):
            engine.replay(third.id, name)


def test_what_a_replay_is_refused_leaves_nothing(engine: Engine, home: Path) -> None:
    old = failed(engine, home)
    with pytest.raises(InputsInvalid, match="`works`"):
        engine.replay(old.id, inputs={"works": "perhaps"})
    with pytest.raises(UsageError, match="runs again"):
        engine.replay(old.id, "check", outputs={"check": {}})
    with pytest.raises(NotFound, match="no revision 9"):
        engine.replay(old.id, revision=9)
    assert [row.id for row in engine.store.executions(ExecutionFilter())[0]] == [old.id]


def test_a_resume_seals_secrets_and_stores_files(engine: Engine, home: Path) -> None:
    id_ = engine.submit(engine.parse(PAUSED, file="paused.yaml")).id
    with pytest.raises(InputsInvalid) as refused:
        engine.resume(id_, {"dat": 1})
    assert len(refused.value.problems) == 3
    given = {"password": "s3cret", "data": home.parent / "new.txt"}
    seen: list[str] = []
    ended = engine.follow(
        id_,
        lambda execution, runs, logs: seen.extend(run.task_id for run in runs),
        first=lambda: engine.resume(id_, given),
    )
    assert outputs(ended, "told") == ["new"]
    asked = next(run for run in ended.in_order() if run.task_id == "ask").outputs
    assert asked is not None
    assert ciphertext_of(asked["onResume"]["password"]) is not None
    assert "told" in seen, "nothing of what follows is missed"
    with pytest.raises(IllegalState, match="only a paused one"):
        engine.resume(id_)


def test_what_a_person_says_of_a_task_counts(engine: Engine, home: Path) -> None:
    old = failed(engine, home)
    ended = engine.follow(old.id, first=lambda: engine.change_task_run(old.id, "check", State.SUCCESS))
    assert (ended.state, outputs(ended, "say")) == (State.SUCCESS, ["a old", "b old"])
    engine.change_status(old.id, State.FAILED)
    engine.set_labels(old.id, {"why": "test"})
    assert engine.execution(old.id).labels["why"] == "test"
    with pytest.raises(InputsInvalid, match="belong to the engine"):
        engine.set_labels(old.id, {"system.x": "y"})
    engine.delete(old.id)
    with pytest.raises(NotFound):
        engine.execution(old.id)
    assert not engine.files.list(f"kestra:///n/flow/executions/{old.id}")
