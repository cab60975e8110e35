"""Engines that share a database: who is there, who moves what, what they ask each other. PostgreSQL only."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from msgspec.structs import replace
from sqlalchemy import create_engine

from engine.errors import Fenced, PlacesTaken
from engine.model.execution import Execution
from engine.model.state import State
from engine.ports import Asked, EngineRecord, ExecutionChange
from engine.store import MemoryStore, open_store
from engine.store.shared import SharedStore
from engine.store.sql import SqlStore
from tests.contract.builders import an_execution, at, changed, created, history

Join = Callable[[str], SharedStore]


@pytest.fixture
def join(postgres_url: str) -> Iterator[Join]:
    """A store that an engine of this name has joined."""
    opened: list[SharedStore] = []

    def joined(name: str) -> SharedStore:
        store = open_store(postgres_url)
        assert isinstance(store, SharedStore)
        opened.append(store)
        store.join(record(name))
        return store

    yield joined
    for store in opened:
        store.close()


def record(name: str) -> EngineRecord:
    return EngineRecord(
        id=name, host="here", pid=1, process_start="0", boot_id="b", command="penstock run", takes_over=False
    )


def silence(url: str, name: str, seconds: float = 31) -> None:
    """Have an engine be silent for so long."""
    admin = create_engine(url)
    with admin.begin() as connection:
        past = (int(seconds * 1e6), name)
        connection.exec_driver_sql("UPDATE engines SET seen_at = seen_at - %s WHERE id = %s", past)
    admin.dispose()


def ended(before: Execution) -> ExecutionChange:
    states = (State.CREATED, State.RUNNING, State.SUCCESS)
    return changed(before, replace(before, state=State.SUCCESS, history=history(*states)))


def touched(before: Execution) -> ExecutionChange:
    return changed(before, replace(before, variables={"moved": True}))


def test_one_engine_alone_shares_nothing(sqlite_url: str) -> None:
    assert MemoryStore().sharing is None
    store = open_store(sqlite_url, owner=True)
    assert store.sharing is None
    store.close()


def test_engines_see_each_other_until_they_leave(join: Join) -> None:
    one, two = join("one"), join("two")
    assert [engine.id for engine in one.engines()] == ["one", "two"]
    assert one.engines()[1] == record("two")
    two.leave()
    assert [engine.id for engine in one.engines()] == ["one"]


def test_a_heartbeat_tells_how_long_ago_the_last_one_was(join: Join, postgres_url: str) -> None:
    one, two = join("one"), join("two")
    first = one.beat()
    assert first is not None
    assert 0 <= first < 30
    silence(postgres_url, "one", 100)
    assert [engine.id for engine in two.engines()] == ["two"]
    late = one.beat()
    assert late is not None
    assert late > 100
    two.bury("one")
    assert one.beat() is None
    assert [engine.id for engine in two.engines()] == ["one", "two"]


def test_what_an_engine_begins_is_its_own_until_it_is_over(join: Join) -> None:
    one, two = join("one"), join("two")
    one.commit([created(an_execution())])
    owner = two.owner("e1")
    assert owner is not None
    assert owner.id == "one"
    assert one.mine() == ["e1"]
    assert not two.adopt("e1")
    assert two.adopt_orphans() == []
    with pytest.raises(Fenced, match="e1"):
        two.commit([touched(an_execution())])
    one.commit([ended(an_execution())])
    assert two.owner("e1") is None
    assert one.mine() == []
    with pytest.raises(Fenced):
        one.commit([touched(an_execution())])


def test_what_is_over_at_once_is_nobodys(join: Join) -> None:
    one = join("one")
    one.commit([created(an_execution("e1", State.CREATED, State.SUCCESS))])
    assert one.mine() == []


def test_one_that_is_lost_undoes_the_commit_and_is_named(join: Join, postgres_url: str) -> None:
    one, two = join("one"), join("two")
    one.commit([created(an_execution(name)) for name in ("e1", "e2")])
    silence(postgres_url, "one")
    assert two.adopt("e2")
    with pytest.raises(Fenced, match="not move e2 any more"):
        one.commit([ended(an_execution("e1")), ended(an_execution("e2"))])
    assert set(one.unfinished()) == {"e1", "e2"}
    one.commit([ended(an_execution("e1"))])
    two.commit([ended(an_execution("e2"))])
    assert one.unfinished() == []


def test_what_is_left_behind_is_taken_by_one_engine(join: Join, postgres_url: str) -> None:
    one, two, three = join("one"), join("two"), join("three")
    one.commit([created(an_execution(f"e{n}", start=n)) for n in range(5)])
    one.commit([ended(an_execution("e0"))])
    silence(postgres_url, "one", 29)
    assert two.adopt_orphans() == []
    silence(postgres_url, "one", 2)
    assert two.adopt_orphans(limit=2) == ["e1", "e2"]
    assert three.adopt_orphans() == ["e3", "e4"]
    assert two.mine() == ["e1", "e2"]
    assert not three.adopt("e1")
    assert three.adopt("e3")


def test_an_engine_that_leaves_lets_go(join: Join) -> None:
    one, two = join("one"), join("two")
    one.commit([created(an_execution())])
    one.leave()
    assert two.owner("e1") is None
    assert two.adopt_orphans() == ["e1"]


def test_a_buried_engine_is_gone_at_once(join: Join) -> None:
    one, two = join("one"), join("two")
    one.commit([created(an_execution())])
    two.bury("one")
    assert two.adopt("e1")
    with pytest.raises(Fenced):
        one.commit([ended(an_execution())])


def test_a_limit_holds_over_engines(join: Join) -> None:
    one, two = join("one"), join("two")
    one.commit([placed(an_execution("e1"), 2), placed(an_execution("e2", start=1), 2)])
    with pytest.raises(PlacesTaken) as refused:
        two.commit([placed(an_execution("e3", start=2), 2), created(an_execution("e4"))])
    assert refused.value.execution_ids == ("e3",)
    assert two.execution("e4") is None
    other_flow = replace(an_execution("f1"), flow_id="other")
    two.commit([placed(other_flow, 1), placed(an_execution("e5", State.CREATED, State.SUCCESS), 3)])
    one.commit([ended(an_execution("e1"))])
    with pytest.raises(PlacesTaken) as refused:
        two.commit([placed(an_execution("e7", start=7), 2), placed(an_execution("e6", start=6), 2)])
    assert refused.value.execution_ids == ("e7",)
    two.commit([placed(an_execution("e6", start=6), 2)])
    begun, queued = one.ahead(an_execution("e8", start=8))
    assert begun == ["e2", "e6"]
    assert queued == 0


def placed(execution: Execution, places: int) -> ExecutionChange:
    change = created(execution)
    change.places = places
    return change


def test_older_ones_in_the_queue_count_while_their_engine_is_here(join: Join, postgres_url: str) -> None:
    one, two = join("one"), join("two")
    one.commit([created(an_execution("q1", State.QUEUED, start=1)), created(an_execution("q9", State.QUEUED, start=9))])
    assert two.ahead(an_execution("e5", start=5)) == ([], 1)
    silence(postgres_url, "one")
    assert two.ahead(an_execution("e5", start=5)) == ([], 0)


def test_a_request_is_answered_by_who_moves_the_execution(join: Join, postgres_url: str) -> None:
    one, two = join("one"), join("two")
    one.commit([created(an_execution())])
    wish = Asked(id="r1", execution_id="e1", event={"kind": "KillRequested"})
    two.ask(wish, at=at(0))
    two.ask(wish, at=at(0))
    assert two.asked() == []
    assert one.asked() == [wish]
    assert two.answer_to("r1") is None
    silence(postgres_url, "one")
    three = join("three")
    assert three.adopt("e1")
    assert three.asked() == [wish]
    three.answer("r1", {"error": "IllegalState"})
    assert three.asked() == []
    assert two.answer_to("r1") == {"error": "IllegalState"}
    two.withdraw(["r1"])
    three.answer("r1", {})
    assert two.answer_to("r1") is None


def test_requests_end_with_their_execution_and_with_time(join: Join) -> None:
    one = join("one")
    one.commit([created(an_execution())])
    one.ask(Asked(id="r0", execution_id="nobody", event={}), at=at(0))
    one.ask(Asked(id="r1", execution_id="e1", event={}), at=at(1))
    one.ask(Asked(id="r2", execution_id="e1", event={}), at=at(9))
    assert one.forget_requests(at(1) + timedelta(seconds=1)) == 1
    assert [asked.id for asked in one.asked()] == ["r2"]
    assert one.delete("e1")
    assert one.asked() == []


def test_a_store_that_has_not_joined_guards_nothing(join: Join, postgres_url: str) -> None:
    one = join("one")
    one.commit([created(an_execution())])
    plain = open_store(postgres_url)
    plain.commit([touched(an_execution())])
    assert plain.sharing is not None
    with pytest.raises(AssertionError):
        plain.sharing.adopt("e1")  # it moves nothing
    plain.close()


def test_engines_that_write_the_same_do_so_in_turn(postgres_url: str) -> None:
    stores = [open_store(postgres_url) for _ in range(4)]
    ready = threading.Barrier(8)

    def write(store: SqlStore) -> list[int]:
        ready.wait()
        for number in range(10):
            store.set_meta("ready", number)
        return [
            store.save_flow("acme", "hello", f"id: {number}", at=at(0), disabled=False).revision for number in range(10)
        ]

    with ThreadPoolExecutor(8) as pool:
        revisions = list(pool.map(write, stores * 2))
    assert all(sorted(of_one) == of_one for of_one in revisions)
    assert stores[0].meta("ready") == 9
    for store in stores:
        store.close()
