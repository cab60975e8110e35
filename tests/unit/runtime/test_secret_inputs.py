"""Secret inputs: sealed where they are kept, open where a task reads them, masked in all that it writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from engine import Engine
from engine.errors import InputsInvalid
from engine.model.execution import Execution
from engine.model.sealed import MASK, ciphertext_of
from engine.model.state import State
from engine.ports import ExecutionChange

SECRET = "hunter2-and-more"
FLOW = """
id: f
namespace: n
inputs:
  - {id: db.password, type: SECRET, validator: "[a-z0-9-]+"}
  - {id: db.user, type: STRING, defaults: ada}
tasks:
"""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(tmp_path / "home") as engine:
        yield engine


def run(engine: Engine, rest: str, inputs: Any = None) -> Execution:
    flow = engine.parse(FLOW + rest, file="f.yaml")
    return engine.run(flow, inputs or {"db.password": SECRET})


def lines(engine: Engine, execution: Execution) -> list[str]:
    return [line.message for line in engine.store.logs(execution.id)]


def assert_nowhere(engine: Engine) -> None:
    """The secret is in no file of the engine's, not even in the database's journal."""
    for file in engine.home.rglob("*"):
        assert not file.is_file() or SECRET.encode() not in file.read_bytes()


LOG = "  - {id: say, type: io.kestra.plugin.core.log.Log, message: '%s', runIf: '%s'}\n"
RETURN = "  - {id: give, type: io.kestra.plugin.core.debug.Return, format: '%s'}\n"


def test_it_is_stored_sealed_and_a_task_reads_it(engine: Engine) -> None:
    length = RETURN % "{{ inputs.db.password | length }} {{ inputs.db.user }}"
    execution = run(engine, length + LOG % ("it is {{ inputs.db.password }}", "true"))
    assert execution.state is State.SUCCESS
    assert next(execution.in_order()).outputs == {"value": f"{len(SECRET)} ada"}
    assert lines(engine, execution) == [f"it is {MASK}"]
    kept = engine.execution(execution.id).inputs["db"]
    assert kept["user"] == "ada"
    assert engine.cipher.decrypt(ciphertext_of(kept["password"]) or "") == SECRET
    assert_nowhere(engine)


def test_outputs_and_errors_of_tasks_are_masked(engine: Engine) -> None:
    gives = run(engine, RETURN % "{{ inputs.db.password }}, {{ inputs }}")
    (given,) = gives.in_order()
    assert given.outputs == {"value": f'{MASK}, {{"db":{{"password":"{MASK}","user":"ada"}}}}'}
    fails = run(
        engine,
        "  - {id: x, type: io.kestra.plugin.core.execution.Fail, errorMessage: 'no {{ inputs.db.password }}'}\n",
    )
    assert [each.error for each in fails.in_order()] == [f"no {MASK}"]
    assert_nowhere(engine)


def test_an_error_in_a_decision_is_masked(engine: Engine) -> None:
    execution = run(engine, LOG % ("hi", "{{ inputs.db.password | number }}"))
    error = next(execution.in_order()).error or ""
    assert execution.state is State.FAILED
    assert MASK in error
    assert SECRET not in error


@pytest.mark.parametrize(("answer", "state"), [(SECRET, State.SUCCESS), ("x", State.SKIPPED)])
def test_a_decision_may_read_it(engine: Engine, answer: str, state: State) -> None:
    condition = f'{{{{ inputs.db.password == "{answer}" }}}}' if answer == "x" else "{{ inputs.db.password | length }}"
    execution = run(engine, LOG % ("hi", condition))
    assert [each.state for each in execution.in_order()] == [state]


def test_a_decision_about_another_input_needs_no_worker(engine: Engine) -> None:
    execution = run(engine, LOG % ("hi", '{{ inputs.db.user == "ada" and inputs.db.password is defined }}'))
    assert [each.state for each in execution.in_order()] == [State.SUCCESS]


def test_what_a_container_keeps_of_it_is_masked(engine: Engine) -> None:
    execution = run(
        engine,
        """
  - id: each
    type: io.kestra.plugin.core.flow.ForEach
    values: ["{{ inputs.db.password }}", b]
    tasks: [{id: say, type: io.kestra.plugin.core.log.Log, message: "{{ taskrun.value }}"}]
  - id: choose
    type: io.kestra.plugin.core.flow.Switch
    value: "{{ inputs.db.password }}"
    defaults: [{id: other, type: io.kestra.plugin.core.log.Log, message: other}]
""",
    )
    assert execution.state is State.SUCCESS
    assert lines(engine, execution) == [MASK, "b", "other"]
    assert_nowhere(engine)


OUTPUTS = """outputs:
  - {id: token, type: SECRET, displayName: The token, value: "Bearer {{ inputs.db.password }}"}
  - {id: plain, type: STRING, value: "Bearer {{ inputs.db.password }}"}
  - {id: none, type: SECRET, required: false, value: "{{ null }}"}
"""


def test_an_output_may_be_secret_and_no_other_shows_one(engine: Engine) -> None:
    execution = run(engine, LOG % ("hi", "true") + OUTPUTS)
    assert execution.state is State.SUCCESS
    assert execution.outputs is not None
    assert engine.cipher.decrypt(ciphertext_of(execution.outputs["token"]) or "") == f"Bearer {SECRET}"
    assert (execution.outputs["plain"], execution.outputs["none"]) == (f"Bearer {MASK}", None)
    assert_nowhere(engine)


def test_a_required_output_that_is_null_fails_the_execution(engine: Engine) -> None:
    outputs = 'outputs: [{id: x, type: STRING, required: true, value: "{{ null }}"}]\n'
    execution = run(engine, LOG % ("hi", "true") + outputs)
    assert (execution.state, execution.outputs) == (State.FAILED, None)
    assert "the output `x` is required" in (execution.error or "")


def test_no_message_shows_it(engine: Engine) -> None:
    with pytest.raises(InputsInvalid) as refused:
        run(engine, RETURN % "x", {"db.password": SECRET.upper(), "db.pasword": SECRET, "db.user": [SECRET.upper()]})
    told = str(refused.value)
    assert "it must match the pattern `[a-z0-9-]+`, but received `******`" in told
    assert SECRET not in told
    assert SECRET.upper() not in told
    assert len(refused.value.problems) == 3


def test_an_output_without_a_secret_input_is_sealed_too(engine: Engine) -> None:
    outputs = "outputs: [{id: token, type: SECRET, value: literal-secret}]\n"
    kept = run(engine, LOG % ("hi", "true") + outputs).outputs or {}
    assert engine.cipher.decrypt(ciphertext_of(kept["token"]) or "") == "literal-secret"


def test_a_short_one_is_not_shown_when_it_is_refused(engine: Engine) -> None:
    with pytest.raises(InputsInvalid, match=r"but received `\*{6}`"):
        run(engine, RETURN % "x", {"db.password": "A!"})


def test_one_that_is_sealed_already_stays_so(engine: Engine) -> None:
    before = run(engine, RETURN % "x").inputs
    again = run(engine, RETURN % "{{ inputs.db.password | length }}", before)
    assert again.inputs == before
    assert next(again.in_order()).outputs == {"value": str(len(SECRET))}


def test_it_is_handed_over_to_another_engine_and_stored_sealed_there(engine: Engine) -> None:
    assert engine.loop is not None  # from now on it owns the database
    with Engine(engine.home) as guest:
        execution = run(guest, LOG % ("it is {{ inputs.db.password }}", "true") + OUTPUTS)
    assert execution.state is State.SUCCESS
    assert lines(engine, execution) == [f"it is {MASK}"]
    assert_nowhere(engine)


def test_an_engine_that_goes_on_with_it_opens_it_too(engine: Engine) -> None:
    flow = engine.parse(FLOW + RETURN % "{{ inputs.db.password | length }}", file="f.yaml")
    created = engine._creator.create(flow, {"db.password": SECRET}).execution
    record = engine.store.save_flow(
        flow.namespace, flow.id, flow.source or "", at=created.started_at, disabled=flow.disabled
    )
    change = ExecutionChange(before=None, after=replace(created, flow_revision=record.revision))
    engine.store.commit([change])  # and then its engine died
    engine.close()
    assert engine.recover() == [created.id]
    assert next(engine.follow(created.id).in_order()).outputs == {"value": str(len(SECRET))}


def test_with_another_key_it_stays_closed(engine: Engine, tmp_path: Path) -> None:
    before = run(engine, RETURN % "x").inputs
    with Engine(tmp_path / "other") as other:
        execution = run(other, RETURN % "{{ inputs.db.password }}", before)
    assert execution.state is State.FAILED
    assert "stays closed: cannot" in (next(execution.in_order()).error or "")
