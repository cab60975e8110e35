"""What flows remember and keep secret: from task to task, from run to run, and beside another engine."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine import Engine
from engine.model.execution import Execution
from engine.model.state import State

CORE = "io.kestra.plugin.core"
KEY = base64.b64encode(bytes(range(16))).decode()


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.chdir(tmp_path)
    with Engine(tmp_path / "state") as opened:
        yield opened


def run(engine: Engine, tasks: str) -> Execution:
    return engine.run(engine.parse(f"id: f\nnamespace: acme.team\ntasks:\n{tasks}", file="f.yaml"))


def outputs_of(execution: Execution) -> dict[str, Any]:
    assert execution.state is State.SUCCESS, execution.error
    return {run.task_id: run.outputs for run in execution.in_order()}


def test_a_value_goes_from_run_to_run(engine: Engine) -> None:
    run(engine, f"  - {{id: keep, type: {CORE}.kv.Set, key: n, value: '{{{{ 40 + 1 }}}}', namespace: acme}}")
    found = outputs_of(
        run(
            engine,
            f"""  - {{id: read, type: {CORE}.kv.Get, key: n}}
  - {{id: shown, type: {CORE}.debug.Return, format: "{{{{ kv('n') + 1 }}}}"}}
  - {{id: keys, type: {CORE}.kv.GetKeys, namespace: acme}}
  - {{id: forget, type: {CORE}.kv.Delete, key: n, namespace: acme}}
  - {{id: gone, type: {CORE}.debug.Return, format: "{{{{ kv('n', errorOnMissing=false) ?? 'gone' }}}}"}}""",
        )
    )
    assert found["read"] == {"value": 41}
    assert found["shown"] == {"value": "42"}
    assert found["keys"] == {"keys": ["n"]}
    assert found["forget"] == {"deleted": True}
    assert found["gone"] == {"value": "gone"}


def test_the_example_counts_its_runs(engine: Engine) -> None:
    example = Path(__file__).parents[2] / "flows" / "remember.yaml"
    assert [engine.run(example).outputs for _ in range(3)] == [{"runs": 1}, {"runs": 2}, {"runs": 3}]


def test_many_workers_write_at_once(engine: Engine) -> None:
    values = ", ".join(f"'{number}'" for number in range(40))
    execution = run(
        engine,
        f"""  - id: each
    type: {CORE}.flow.ForEach
    values: [{values}]
    concurrencyLimit: 0
    tasks:
      - id: keep
        type: {CORE}.kv.Set
        key: "k{{{{ taskrun.value }}}}"
        value: "{{{{ taskrun.value }}}}"
        kvType: NUMBER
      - {{id: state, type: {CORE}.state.Set, data: {{of: "{{{{ taskrun.value }}}}"}}}}""",
    )
    assert execution.state is State.SUCCESS, execution.error
    assert {pair.key: pair.value for pair in engine.kv.list("acme.team")} == {f"k{n}": n for n in range(40)}
    states = engine.kv.list("acme.team", "_state/")
    assert sorted(pair.value["of"] for pair in states) == sorted(map(str, range(40)))


def test_a_missing_key_fails_the_task_and_says_where_it_was_sought(engine: Engine) -> None:
    execution = run(engine, f"  - {{id: shown, type: {CORE}.debug.Return, format: \"{{{{ kv('n') }}}}\"}}")
    assert execution.state is State.FAILED
    (only,) = execution.in_order()
    assert "there is no key `n` in acme.team or acme" in (only.error or "")


def test_a_stored_secret_is_used_and_never_shown(engine: Engine, tmp_path: Path) -> None:
    engine.stored_secrets.set("token", "hunter22-and-more")
    execution = run(engine, f"  - {{id: say, type: {CORE}.log.Log, message: \"it is {{{{ secret('TOKEN') }}}}.\"}}")
    assert [line.message for line in engine.store.logs(execution.id)] == ["it is ******."]
    engine.close()
    for file in (tmp_path / "state").rglob("*"):
        assert b"hunter22" not in (file.read_bytes() if file.is_file() else b"")


def test_flows_encrypt_with_keys_of_their_own(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", KEY)
    found = outputs_of(
        run(
            engine,
            f"""  - {{id: seal, type: {CORE}.debug.Return, format: "{{{{ encrypt(secret('KEY'), 'plain') }}}}"}}
  - {{id: open, type: {CORE}.debug.Return, format: "{{{{ decrypt(secret('KEY'), outputs.seal.value) }}}}"}}""",
        )
    )
    assert found["open"] == {"value": "plain"}
    assert found["seal"] != {"value": "plain"}


def test_another_engine_writes_through_the_owner(engine: Engine, tmp_path: Path) -> None:
    run(engine, f"  - {{id: say, type: {CORE}.log.Log, message: hello}}")  # from now on it owns the database
    with Engine(tmp_path / "state") as guest:
        assert guest.kv.set("acme.team", "n", {"a": 1})
        assert not guest.kv.set("acme.team", "n", 2, overwrite=False)
        guest.stored_secrets.set("token", "hunter22")
        assert engine.stored_secrets.find("TOKEN") == "hunter22"
        assert [pair.value for pair in engine.kv.list()] == [{"a": 1}]
        assert guest.kv.purge(guest.kv.list()) == 1
        assert [guest.stored_secrets.delete("token"), guest.stored_secrets.delete("token")] == [True, False]
    assert engine.kv.list() == []
