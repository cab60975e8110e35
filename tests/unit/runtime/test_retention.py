"""Retention: what goes, what stays, and how little of it goes at once."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.errors import StoreError
from engine.files.local import LocalFiles
from engine.model.execution import Caller, Execution, StateChange
from engine.model.file_uri import input_folder
from engine.model.keyvalue import KeyValue, ValueType
from engine.model.scheduling import Fire
from engine.model.state import State
from engine.ports import ExecutionChange, ExecutionFilter, LogLine, Store
from engine.runtime import retention
from engine.runtime.retention import FEWEST, MOST, Limits, Retention, Sweeper, Swept
from engine.runtime.writes import PurgeExecutions, Write
from engine.store import MemoryStore, open_store

NOW = datetime(2027, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


class Clock:
    """Time that passes only when the test says so."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return self.seconds


class World:
    """A store and files, and what a retention does to them."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store = store
        self.clock = Clock()
        self.files = LocalFiles(folder / "storage")
        self.writes: list[int] = []  #: how many executions each transaction was about
        self.pauses: list[float] = []
        self.takes: Callable[[int], float] = lambda executions: 0.010

    def add(
        self,
        id_: str,
        age: timedelta,
        state: State = State.SUCCESS,
        *,
        logs: int = 1,
        upload: bool = True,
        **fields: Any,
    ) -> None:
        history = (StateChange(State.CREATED, NOW - age), StateChange(state, NOW - age))
        given: dict[str, Any] = {"namespace": "acme", "flow_id": "hello", "flow_revision": 1, **fields}
        execution = Execution(id=id_, state=state, history=history, **given)
        lines = [LogLine(execution_id=id_, at=NOW, level="INFO", message="x") for _ in range(logs)]
        self.store.commit([ExecutionChange(before=None, after=execution, logs=lines)])
        if upload:
            self.upload(id_, age)

    def upload(self, id_: str, age: timedelta) -> None:
        folder = input_folder("acme", "hello", id_, "file")
        self.files.put(f"{folder}/a.txt", io.BytesIO(b"x"))
        (path,) = self._root.glob(f"acme/hello/executions/{id_}")
        os.utime(path, ((NOW - age).timestamp(),) * 2)

    @property
    def _root(self) -> Path:
        return self.files._root

    def write(self, write: Write) -> int:
        assert isinstance(write, PurgeExecutions)
        self.writes.append(len(write.ids))
        self.clock.seconds += self.takes(len(write.ids))
        return write.perform(self.store)

    def wait(self, seconds: float) -> bool:
        self.pauses.append(seconds)
        return False

    def retention(self, **limits: Any) -> Retention:
        owns = limits.pop("owns_files", False)
        made = Limits(**limits)
        return Retention(
            lambda: self.store, self.write, lambda: self.files, self.clock, made, wait=self.wait, owns_files=owns
        )

    @property
    def left(self) -> list[str]:
        found, _ = self.store.executions(ExecutionFilter(limit=10_000))
        return sorted(summary.id for summary in found)

    @property
    def with_files(self) -> list[str]:
        return sorted(folder.rpartition("/")[2] for folder, _ in self.files.executions())


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(MemoryStore(), tmp_path)


def test_what_ended_long_ago_goes_with_all_it_left(world: World) -> None:
    world.add("old", 91 * DAY)
    world.add("new", 89 * DAY)
    assert world.retention(age=90 * DAY).sweep() == Swept(executions=1, files=1)
    assert world.left == world.with_files == ["new"]
    assert (world.store.logs("old"), len(world.store.logs("new"))) == ([], 1)


@pytest.mark.parametrize("state", [State.RUNNING, State.PAUSED, State.QUEUED, State.CREATED, State.KILLING])
def test_what_is_not_over_never_goes(world: World, state: State) -> None:
    world.add("open", 900 * DAY, state)
    world.add("lingers", 900 * DAY, lingering=True)
    world.add("child", 900 * DAY, caller=Caller("open", "t"))
    limits = {"age": DAY, "per_flow": 1, "size": 1}
    assert world.retention(**limits).sweep() == Swept()
    assert world.left == world.with_files == ["child", "lingers", "open"]


def test_each_flow_keeps_its_newest(world: World) -> None:
    for number in range(5):
        world.add(f"a{number}", timedelta(hours=number))
        world.add(f"b{number}", timedelta(hours=number), flow_id="other")
    world.add("c", timedelta(hours=9), State.RUNNING)
    world.retention(per_flow=3).sweep()
    assert world.left == ["a0", "a1", "b0", "b1", "b2", "c"]  # the one that runs counts, and stays


def test_a_large_database_loses_the_oldest_but_nothing_recent(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(10):
        world.add(f"e{number}", timedelta(hours=2 * number))
    world.takes = lambda executions: 1.0  # so few at once
    monkeypatch.setattr(world.store, "size", lambda: 100 * len(world.left))
    kept = world.retention(size=600)
    kept._share = FEWEST
    kept.sweep()
    assert world.left == ["e0", "e1", "e2", "e3", "e4", "e5"]
    world.retention(size=1).sweep()
    assert world.left == ["e0"]


def test_without_limits_everything_stays(world: World) -> None:
    world.add("old", 9000 * DAY)
    assert world.retention().sweep() == Swept()
    assert world.left == ["old"]


def test_transactions_are_as_large_as_they_are_quick(world: World) -> None:
    for number in range(1000):
        world.add(f"e{number:04}", 100 * DAY, upload=False)
    world.takes = lambda executions: executions / 20_000  # 160 take 8 ms: neither quick nor slow
    world.retention(age=DAY).sweep()
    assert world.writes == [20, 40, 80, 160, 160, 160, 160, 160, 60]
    assert len(world.pauses) >= len(world.writes)
    assert all(pause >= 0.008 for pause in world.pauses)


def test_a_quick_disk_has_transactions_of_a_bounded_size(world: World) -> None:
    for number in range(600):
        world.add(f"e{number:03}", 100 * DAY, upload=False)
    world.takes = lambda executions: 0.0
    world.retention(age=DAY).sweep()
    assert max(world.writes) == MOST


def test_a_slow_disk_has_small_transactions(world: World) -> None:
    for number in range(100):
        world.add(f"e{number:03}", 100 * DAY)
    world.takes = lambda executions: 0.1 * executions
    world.retention(age=DAY).sweep()
    assert world.writes[:4] == [20, 10, 5, 4]
    assert set(world.writes[4:-1]) == {4}
    assert world.left == []
    assert world.pauses[0] == pytest.approx(2.0)  # others write for as long


def test_a_long_log_goes_in_steps(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.runtime.writes.PURGED_ROWS", 100)
    world.add("old", 100 * DAY, logs=950)
    assert world.retention(age=DAY).sweep().executions == 1
    assert len(world.writes) == 10
    assert world.store.logs("old") == []


def test_one_that_is_restarted_meanwhile_stays_with_its_files(world: World) -> None:
    world.add("old", 100 * DAY)
    world.add("other", 100 * DAY)
    kept = world.retention(age=DAY)
    perform = world.write

    def restart_first(write: Write) -> int:
        before = world.store.execution("old")
        assert before is not None
        history = (*before.history, StateChange(State.RESTARTED, NOW))
        if before.state is State.SUCCESS:
            after = Execution(
                id="old", namespace="acme", flow_id="hello", flow_revision=1, state=State.RESTARTED, history=history
            )
            world.store.commit([ExecutionChange(before=before, after=after)])
        return perform(write)

    kept._write = restart_first
    assert kept.sweep() == Swept(executions=1, files=1)
    assert world.left == world.with_files == ["old"]


def test_uploads_that_found_no_execution_go_after_a_day(world: World) -> None:
    world.add("known", 30 * DAY)
    world.upload("orphan", 2 * DAY)
    world.upload("fresh", timedelta(hours=23))
    assert world.retention().sweep() == Swept()
    assert world.retention(owns_files=True).sweep() == Swept(folders=1)
    assert world.with_files == ["fresh", "known"]


def test_a_restored_database_leaves_the_files_that_came_after_it(world: World) -> None:
    world.store.set_meta("backup_of", (NOW - 5 * DAY).isoformat())
    world.upload("before", 6 * DAY)
    world.upload("after", 4 * DAY)
    world.retention(owns_files=True).sweep()
    assert world.with_files == ["after"]


def test_fires_and_expired_pairs_are_forgotten(world: World) -> None:
    for name, age in (("old", 8 * DAY), ("new", 6 * DAY)):
        execution = Execution(
            id=name, namespace="acme", flow_id="f", flow_revision=1, state=State.RUNNING,
            history=(StateChange(State.RUNNING, NOW),),
        )  # fmt: skip
        fire = Fire(scope="api", key=name, execution_id=name, at=NOW - age)
        world.store.commit([ExecutionChange(before=None, after=execution, fire=fire)])
        pair = {"namespace": "acme", "key": name, "type": ValueType.STRING, "value": "x"}
        expires = NOW + (-DAY if name == "old" else DAY)
        world.store.kv_set(KeyValue(**pair, created_at=NOW, updated_at=NOW, expires_at=expires))
    assert world.retention().sweep() == Swept(fires=1, pairs=1)
    assert world.store.fire("api", "old") is None
    assert world.store.fire("api", "new") is not None
    assert [pair.key for pair in world.store.kv_list()] == ["new"]


def test_a_purge_takes_what_is_meant(world: World) -> None:
    world.add("a", 3 * DAY)
    world.add("b", 3 * DAY, flow_id="other")
    world.add("c", 3 * DAY, State.RUNNING)
    world.add("d", DAY, State.FAILED)
    world.add("e", 3 * DAY, lingering=True)
    where = ExecutionFilter(namespace="acme", flow_id="hello", started_before=NOW - 2 * DAY)
    assert world.retention().purge(where) == Swept(executions=1, files=1)
    assert world.left == world.with_files == ["b", "c", "d", "e"]
    assert world.retention().purge(ExecutionFilter(states=[State.RUNNING])) == Swept()
    assert world.retention().purge(ExecutionFilter(states=[State.FAILED])) == Swept(executions=1, files=1)


def test_what_was_freed_goes_back_to_the_disk(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/penstock.db", owner=True)
    world = World(store, tmp_path)
    for number in range(100):
        world.add(f"e{number}", 100 * DAY, error="x" * 20_000, upload=False)
    full = (tmp_path / "penstock.db-wal").stat().st_size
    world.retention(age=DAY).sweep()
    store.close()
    assert (tmp_path / "penstock.db").stat().st_size < full // 5


def test_a_sweeper_goes_on_after_a_failure_and_stops_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.add("old", 100 * DAY)
    kept = world.retention(age=DAY)
    swept, calls = Sweeper(kept, every=timedelta(0)), []

    def sweep() -> Swept:
        calls.append(1)
        if len(calls) == 1:
            raise StoreError("the disk is full")
        if len(calls) == 2:
            return Retention.sweep(kept)
        swept._stopping.set()
        return Swept()

    monkeypatch.setattr(kept, "sweep", sweep)
    monkeypatch.setattr(retention, "_wait", None)  # it waits for the stop alone
    swept.start()
    swept._thread.join()
    assert len(calls) == 3
    assert world.left == []
    swept.stop()


def test_a_stop_breaks_a_sweep_off(world: World) -> None:
    for number in range(100):
        world.add(f"e{number}", 100 * DAY)
    kept = world.retention(age=DAY)
    kept.wait = lambda seconds: True
    assert kept.sweep().executions == 20
    assert len(world.left) == 80
