"""Deleting and purging: what goes, what stays, the same on every store."""

from __future__ import annotations

from typing import Any

import pytest

from engine.errors import Fenced
from engine.model.state import State
from engine.ports import ExecutionFilter, LogFilter, Removed, Store
from tests.contract.builders import a_line, a_metric, a_task_run, an_execution, at, changed, created, moved


def an_ended(id_: str, *, start: float = 0, state: State = State.SUCCESS, **fields: Any) -> Any:
    """The change that stores an execution with one task run, two log lines and a metric."""
    change = created(
        an_execution(id_, State.CREATED, state, start=start, labels={"team": "x"}, **fields),
        a_task_run(f"{id_}-0", execution_id=id_),
    )
    change.logs = [a_line(execution_id=id_), a_line(execution_id=id_, level="ERROR")]
    change.metrics = [a_metric(execution_id=id_, task_run_id=f"{id_}-0")]
    return change


def left(store: Store) -> str:
    found, _ = store.executions(ExecutionFilter(oldest_first=True))
    return "".join(summary.id for summary in found)


def test_the_oldest_come_first_if_wanted(store: Store) -> None:
    store.commit([an_ended("a", start=5), an_ended("b", start=0), an_ended("c", start=5)])
    assert left(store) == "bac"
    page, total = store.executions(ExecutionFilter(oldest_first=True, limit=1, offset=1))
    assert ([summary.id for summary in page], total) == (["a"], 3)


@pytest.mark.parametrize("state", [State.SUCCESS, State.RUNNING])
def test_a_deleted_execution_leaves_nothing(store: Store, state: State) -> None:
    store.commit([an_ended("a", state=state), an_ended("b")])
    assert store.delete("a") is True
    assert store.delete("a") is False
    assert store.execution("a") is None
    assert (store.logs("a"), store.metrics("a"), store.unfinished()) == ([], [], [])
    assert left(store) == "b"
    assert (len(store.logs("b")), len(store.metrics("b"))) == (2, 1)
    store.commit([an_ended("a")])  # nothing of the old one is in the way
    assert len(store.execution("a").task_runs) == 1  # type: ignore[union-attr]


def test_an_engine_cannot_write_to_what_was_deleted(store: Store) -> None:
    run = a_task_run()
    before = an_execution()
    store.commit([created(before, run)])
    store.delete("e1")
    after = an_execution("e1", State.CREATED, State.RUNNING, State.SUCCESS)
    with pytest.raises(Fenced):
        store.commit([changed(before, after, moved(run, State.SUCCESS))])
    assert store.execution("e1") is None


def test_a_purge_spares_what_is_not_over(store: Store) -> None:
    store.commit(
        [
            an_ended("a"),
            an_ended("b", state=State.RUNNING),
            an_ended("c", state=State.PAUSED),
            an_ended("d", state=State.FAILED, lingering=True),
            an_ended("e", state=State.KILLED),
        ]
    )
    assert store.purge(["a", "b", "c", "d", "e", "nobody"]) == Removed(executions=2, logs=4, metrics=2)
    assert sorted(left(store)) == ["b", "c", "d"]
    assert store.purge(["a", "b"]) == Removed()
    assert store.purge([]) == Removed()


@pytest.mark.parametrize(
    ("wanted", "removed", "logs", "metrics"),
    [
        ({"executions": False}, Removed(logs=2, metrics=1), 0, 0),
        ({"executions": False, "metrics": False}, Removed(logs=2), 0, 1),
        ({"executions": False, "logs": False}, Removed(metrics=1), 2, 0),
        ({"logs": False, "metrics": False}, Removed(executions=1, logs=2, metrics=1), 0, 0),
    ],
)
def test_a_purge_takes_what_is_wanted(
    store: Store, wanted: dict[str, bool], removed: Removed, logs: int, metrics: int
) -> None:
    store.commit([an_ended("a"), an_ended("b")])
    assert store.purge(["a"], **wanted) == removed
    assert (len(store.logs("a")), len(store.metrics("a"))) == (logs, metrics)
    assert (store.execution("a") is None) is bool(removed.executions)
    assert (len(store.logs("b")), len(store.metrics("b"))) == (2, 1)


@pytest.mark.parametrize(
    ("where", "removed", "kept"),
    [
        ({}, 8, ""),
        ({"namespace": "acme"}, 6, "dd"),
        ({"namespace": "acme", "flow_id": "hello"}, 4, "bbdd"),
        ({"namespace": "acme", "flow_id": "hello", "below": False}, 2, "bbccdd"),
        ({"levels": ["ERROR", "WARN"]}, 4, "abcd"),
        ({"before": at(2)}, 0, "aabbccdd"),
        ({"before": at(3), "after": at(2)}, 8, ""),
        ({"after": at(3)}, 0, "aabbccdd"),
        ({"limit": 3}, 3, "bccdd"),
    ],
)
def test_log_lines_of_many_executions_go(store: Store, where: dict[str, Any], removed: int, kept: str) -> None:
    store.commit(
        [
            an_ended("a", namespace="acme"),
            an_ended("b", namespace="acme.team", flow_id="other"),
            an_ended("c", namespace="acme.team", state=State.RUNNING),
            an_ended("d", namespace="acmeish"),
        ]
    )
    assert store.purge_logs(LogFilter(**where)) == removed
    assert "".join(line.execution_id for id_ in "abcd" for line in store.logs(id_)) == kept
    assert left(store) == "abcd"
