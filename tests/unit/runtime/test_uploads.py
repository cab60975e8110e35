"""Files among inputs: uploaded with the execution that they are for, and gone when it did not begin."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine import Engine
from engine.errors import InputsInvalid, StoreError, UsageError
from engine.model.execution import Execution
from engine.runtime.loop import Loop

FLOW = """
id: f
namespace: n.team
inputs:
  - {id: data.rows, type: FILE}
  - {id: size, type: INT, defaults: 1}
tasks:
  - {id: give, type: io.kestra.plugin.core.debug.Return, format: "{{ read(inputs.data.rows) }}"}
"""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(tmp_path / "home") as engine:
        yield engine


def run(engine: Engine, data: Any, **more: Any) -> Execution:
    return engine.run(engine.parse(FLOW, file="f.yaml"), {"data.rows": data, **more})


def given(execution: Execution) -> Any:
    return next(execution.in_order()).outputs


def files(engine: Engine) -> list[str]:
    return engine.files.list("kestra:///n/team/f")


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    path.write_text("a,b\n")
    return path


@pytest.mark.parametrize(
    ("way", "name"),
    [
        (lambda rows: rows, "rows.csv"),
        (lambda rows: str(rows), "rows.csv"),
        (lambda rows: rows.open("rb"), "rows.csv"),
        (lambda rows: rows.read_bytes(), "data.rows.upl"),
        (lambda rows: io.BytesIO(rows.read_bytes()), "data.rows.upl"),
    ],
)
def test_a_file_may_be_given_in_many_ways(engine: Engine, rows: Path, way: Any, name: str) -> None:
    data = way(rows)
    try:
        execution = run(engine, data)
    finally:
        if hasattr(data, "close"):
            data.close()
    uri = f"kestra:///n/team/f/executions/{execution.id}/inputs/data.rows/{name}"
    assert execution.inputs["data"] == {"rows": uri}
    assert given(execution) == {"value": "a,b\n"}
    assert files(engine) == [uri]


def test_a_nested_map_is_as_good(engine: Engine, rows: Path) -> None:
    execution = engine.run(engine.parse(FLOW, file="f.yaml"), {"data": {"rows": rows}})
    assert given(execution) == {"value": "a,b\n"}


@pytest.mark.parametrize("data", [5, {"a": 1}, io.StringIO("text")])
def test_what_is_no_file(engine: Engine, data: Any) -> None:
    with pytest.raises(InputsInvalid, match=r"Invalid input for `data.rows`, it must be a file"):
        run(engine, data)


def test_nothing_is_stored_when_another_input_is_wrong(engine: Engine, rows: Path) -> None:
    with pytest.raises(InputsInvalid, match="`size`"):
        run(engine, rows, size="x")
    assert files(engine) == []
    assert not (engine.home / "penstock.db").exists()


def test_what_is_stored_is_removed_when_the_execution_cannot_begin(
    engine: Engine, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        assert len(files(engine)) == 1
        raise StoreError("no space")

    monkeypatch.setattr(engine.store, "commit", refuse)
    with pytest.raises(StoreError, match="no space"):
        run(engine, rows)
    assert files(engine) == []


def test_it_stays_when_whoever_follows_the_execution_leaves(engine: Engine, rows: Path) -> None:
    def leave(*_: Any) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        engine.run(engine.parse(FLOW, file="f.yaml"), {"data.rows": rows}, on_change=leave)
    assert len(files(engine)) == 1


def test_a_file_that_cannot_be_read_any_more(engine: Engine, rows: Path) -> None:
    stream = rows.open("rb")
    stream.close()
    with pytest.raises(UsageError, match="cannot be read"):
        run(engine, stream)
    assert files(engine) == []


def test_an_engine_that_is_a_guest_uploads_by_itself(engine: Engine, rows: Path, tmp_path: Path) -> None:
    assert engine.loop is not None  # from now on it owns the database
    with Engine(tmp_path / "home") as guest:
        execution = run(guest, rows)
        assert given(execution) == {"value": "a,b\n"}
        assert len(files(engine)) == 1
        with pytest.raises(InputsInvalid, match="cannot find"):
            run(guest, rows.with_name("nope.csv"))
    assert len(files(engine)) == 1


def test_what_the_owner_refuses_is_removed(engine: Engine, rows: Path, tmp_path: Path, monkeypatch: Any) -> None:
    def refuse(*_: Any) -> None:
        raise StoreError("no space")

    monkeypatch.setattr(Loop, "submit", refuse)
    assert engine.loop is not None
    with Engine(tmp_path / "home") as guest, pytest.raises(StoreError, match="no space"):
        run(guest, rows)
    assert files(engine) == []
