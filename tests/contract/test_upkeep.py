"""Keeping a store small and looking through all of it: the same on every store."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from engine.errors import UsageError
from engine.model.execution import Caller
from engine.model.keyvalue import KeyValue, ValueType
from engine.model.state import State
from engine.ports import Removed, Store
from engine.store import open_store
from tests.contract.builders import a_line, a_metric, a_task_run, an_execution, at, created


def ended(id_: str, state: State = State.SUCCESS, *, start: float = 0, **fields: Any) -> Any:
    return created(an_execution(id_, State.CREATED, state, start=start, **fields))


def ids(store: Store, **where: Any) -> str:
    return "".join(summary.id for summary in store.expendable(**where))


def test_what_is_over_may_go_the_oldest_first(store: Store) -> None:
    store.commit(
        [
            ended("a", start=30),
            ended("b", start=10),
            ended("c", State.RUNNING),
            ended("d", State.PAUSED),
            ended("e", State.FAILED, lingering=True),
            ended("f", State.KILLED, start=20),
        ]
    )
    assert ids(store) == "bfa"
    assert ids(store, limit=2) == "bf"
    assert ids(store, ended_before=at(21)) == "b"  # each ends one second after it began
    assert ids(store, ended_before=at(21.1)) == "bf"


def test_what_began_long_ago_may_just_have_ended(store: Store) -> None:
    long = an_execution("a", State.CREATED, State.RUNNING, State.SUCCESS)
    store.commit([created(long), ended("b")])
    assert ids(store, ended_before=at(2)) == "b"
    assert ids(store, ended_before=at(2.1)) == "ab"


def test_a_flow_is_asked_about_by_itself(store: Store) -> None:
    store.commit([ended("a"), ended("b", namespace="acme"), ended("c", flow_id="other"), ended("d", State.RUNNING)])
    assert ids(store, flow=("acme.team", "hello")) == "a"
    assert ids(store, flow=("acme", "hello")) == "b"
    assert store.flow_sizes() == {("acme.team", "hello"): 2, ("acme", "hello"): 1, ("acme.team", "other"): 1}


def test_what_somebody_waits_for_stays(store: Store) -> None:
    store.commit(
        [
            ended("a", State.RUNNING),
            ended("b", caller=Caller("a", "t")),
            ended("c", State.SUCCESS),
            ended("d", caller=Caller("c", "t")),
            ended("e", caller=Caller("gone", "t")),
        ]
    )
    assert ids(store) == "cde"


def test_a_purge_may_go_in_steps(store: Store) -> None:
    change = ended("a")
    change.logs = [a_line(f"line {number}", execution_id="a") for number in range(5)]
    change.metrics = [a_metric(execution_id="a") for _ in range(3)]
    store.commit([change, ended("b", State.RUNNING)])
    steps = [store.purge(["a", "b"], at_most=4) for _ in range(4)]
    assert steps == [Removed(logs=4), Removed(logs=1, metrics=3), Removed(executions=1), Removed()]
    assert [each.id for each in store.whole()] == ["b"]


def test_pairs_that_expired_are_forgotten(store: Store) -> None:
    for number in range(5):
        expires = at(number) if number < 4 else None
        pair = {"namespace": "acme", "key": f"k{number}", "type": ValueType.STRING, "value": "x"}
        store.kv_set(KeyValue(**pair, created_at=at(-9), updated_at=at(-9), expires_at=expires))
    assert store.kv_forget(at(-1)) == 0
    assert store.kv_forget(at(2), limit=2) == 2
    assert store.kv_forget(at(2), limit=2) == 1
    assert [pair.key for pair in store.kv_list()] == ["k3", "k4"]


def test_whole_executions_come_a_page_at_a_time(store: Store) -> None:
    store.commit([created(an_execution(id_), a_task_run(f"{id_}-0", execution_id=id_)) for id_ in "cab"])
    store.commit([created(an_execution("d"))])
    first = store.whole(limit=2)
    assert [execution.id for execution in first] == ["a", "b"]
    assert first[0] == store.execution("a")
    rest = store.whole(after="b", limit=2)
    assert [(execution.id, len(execution.task_runs)) for execution in rest] == [("c", 1), ("d", 0)]
    assert store.whole(after="d") == []
    assert (store.ids(limit=3), store.ids(after="c"), store.ids(after="d")) == (["a", "b", "c"], ["d"], [])


def filled(url: str) -> Any:
    store = open_store(url, owner=True)
    store.commit([ended(f"e{number:03}", error="x" * 2000) for number in range(500)])
    return store


def test_freed_room_goes_back_to_the_disk_little_by_little(sqlite_url: str) -> None:
    store, file = filled(sqlite_url), Path(sqlite_url.removeprefix("sqlite:///"))
    before = store.size()
    store.close()
    full = file.stat().st_size
    assert full // 2 < before <= full
    store = open_store(sqlite_url, owner=True)
    store.purge([f"e{number:03}" for number in range(500)])
    assert store.size() < before // 4
    steps = 0
    while store.shrink():
        steps += 1
    assert 0 < steps < 10
    store.close()
    assert file.stat().st_size < full // 4


def test_an_old_file_shrinks_once_it_is_written_anew(sqlite_url: str) -> None:
    file = Path(sqlite_url.removeprefix("sqlite:///"))
    filled(sqlite_url).close()
    with closing(sqlite3.connect(file)) as bare:
        bare.execute("PRAGMA journal_mode=DELETE")
        bare.execute("PRAGMA auto_vacuum=NONE")
        bare.execute("VACUUM")
    full = file.stat().st_size
    store = open_store(sqlite_url, owner=True)
    store.purge([f"e{number:03}" for number in range(500)])
    assert store.shrink() is False
    store.database.compact()
    store.close()
    assert file.stat().st_size < full // 4
    with closing(sqlite3.connect(file)) as bare:
        assert bare.execute("PRAGMA auto_vacuum").fetchone() == (2,)


def test_a_server_sees_to_its_room_itself(postgres_url: str) -> None:
    store = open_store(postgres_url)
    assert (store.size(), store.shrink()) == (None, False)
    with pytest.raises(UsageError, match="server"):
        store.database.compact()
    store.close()
