"""Every noun goes to a row and comes back equal, through a real SQLite column as well."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import StoreError
from engine.model.execution import Attempt, Execution, StartedProcess, StateChange, TaskRun
from engine.model.state import AttemptState, State
from engine.store import codec, rows, tables

#: Any text at all: also NUL, the escape character itself, and surrogates, alone or by chance in a pair.
texts = st.text(st.characters() | st.sampled_from("\x00\x1a\ud83d\ude000af")) | st.sampled_from(["\x1a0000", "\x1a"])
instants = st.datetimes(timezones=st.just(UTC))
whole = st.integers(min_value=0, max_value=2**31 - 1)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
maps = st.dictionaries(texts, values, max_size=3)
histories = st.lists(st.builds(StateChange, st.sampled_from(State), instants), min_size=1, max_size=4).map(tuple)
attempts = st.builds(
    Attempt,
    epoch=whole,
    state=st.sampled_from(AttemptState),
    started_at=instants,
    ended_at=st.none() | instants,
    error=st.none() | texts,
    log_file=st.none() | texts,
    process=st.none() | st.builds(StartedProcess, pid=whole, started_at=texts, marker=texts),
)
task_runs = st.builds(
    TaskRun,
    id=texts,
    execution_id=texts,
    task_id=texts,
    seq=whole,
    state=st.sampled_from(State),
    history=histories,
    parent_id=st.none() | texts,
    value=st.none() | texts,
    iteration=st.none() | whole,
    epoch=whole,
    attempts=st.lists(attempts, max_size=2).map(tuple),
    outputs=st.none() | maps,
    items=st.none() | st.lists(texts, max_size=3).map(tuple),
    error=st.none() | texts,
    due=st.none() | instants,
)
executions = st.builds(
    Execution,
    id=texts,
    namespace=texts,
    flow_id=texts,
    flow_revision=whole,
    state=st.sampled_from(State),
    history=histories,
    inputs=maps,
    labels=st.dictionaries(texts, texts, max_size=3),
    variables=maps,
    outputs=st.none() | maps,
    trigger=st.none() | maps,
    parent_id=st.none() | texts,
    original_id=st.none() | texts,
    error=st.none() | texts,
)
_sqlite = sqlite3.connect(":memory:")


@pytest.fixture(scope="module", autouse=True)
def _close() -> Any:
    yield
    _sqlite.close()


def through_sqlite(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """The row as SQLite gives it back, each value bound to a parameter and read from a column."""
    marks = ", ".join("?" for _ in row)
    return tuple(_sqlite.execute(f"SELECT {marks}", row).fetchone())


@given(task_runs)
def test_a_task_run_comes_back_equal(run: TaskRun) -> None:
    assert rows.read_task_run(through_sqlite(rows.task_run_row(run))) == run


@given(executions, st.lists(task_runs, max_size=2, unique_by=lambda run: run.id))
@settings(max_examples=50)
def test_an_execution_comes_back_equal(execution: Execution, runs: list[TaskRun]) -> None:
    run_rows = [through_sqlite(rows.task_run_row(run)) for run in runs]
    stored = rows.read_execution(through_sqlite(rows.execution_row(execution)), run_rows)
    assert dict(stored.task_runs.items()) == {run.id: run for run in runs}
    for name in set(Execution.__struct_fields__) - {"task_runs", "tallies"}:
        assert getattr(stored, name) == getattr(execution, name)


@given(texts)
def test_stored_text_fits_every_database(text: str) -> None:
    stored = codec.to_text(text)
    assert b"\x00" not in stored.encode("utf-8")
    assert codec.from_text(stored) == text


@given(texts, texts)
def test_different_texts_stay_different(one: str, other: str) -> None:
    assert (codec.to_text(one) == codec.to_text(other)) == (one == other)


@given(st.lists(instants, max_size=5))
def test_instants_sort_as_time_does(moments: list[datetime]) -> None:
    assert sorted(map(codec.to_micros, moments)) == [codec.to_micros(moment) for moment in sorted(moments)]


def test_another_zone_is_the_same_instant() -> None:
    there = datetime(2026, 1, 1, 5, tzinfo=timezone(timedelta(hours=5)))
    assert codec.from_micros(codec.to_micros(there)) == datetime(2026, 1, 1, tzinfo=UTC)


def test_rows_are_as_wide_as_their_tables() -> None:
    run = TaskRun(id="t", execution_id="e", task_id="x", seq=0, state=State.CREATED, history=())
    assert len(rows.task_run_row(run)) == len(tables.task_runs.c)
    assert list(tables.task_runs.c.keys())[rows.TASK_RUN_FIXED] == "state"
    assert list(tables.executions.c.keys())[rows.EXECUTION_FIXED] == "state"


def test_a_damaged_row_is_named() -> None:
    row = list(
        rows.task_run_row(TaskRun(id="t9", execution_id="e", task_id="x", seq=0, state=State.CREATED, history=()))
    )
    row[-2] = "{not json"
    with pytest.raises(StoreError, match="task run t9"):
        rows.read_task_run(row)
