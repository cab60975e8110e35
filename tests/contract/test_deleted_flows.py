"""A flow that is deleted is gone for whoever looks for it, and stays for the executions that run it."""

from __future__ import annotations

from engine.ports import FlowRecord, Store
from tests.contract.builders import at


def save(store: Store, source: str = "id: a") -> FlowRecord:
    return store.save_flow("acme", "a", source, at=at(0), disabled=False)


def test_a_deleted_flow_is_found_by_its_revisions_alone(store: Store) -> None:
    save(store)
    save(store, "id: a # changed")
    store.save_flow("acme", "b", "id: b", at=at(0), disabled=False)
    assert store.delete_flow("acme", "a", at=at(5))
    assert store.flow("acme", "a") is None
    assert [record.id for record in store.flows()] == ["b"]
    before, last = store.flow("acme", "a", 2), store.flow("acme", "a", 3)
    assert before is not None
    assert last is not None
    assert (before.source, before.deleted) == ("id: a # changed", False)
    assert (last.source, last.deleted, last.created_at) == ("id: a # changed", True, at(5))


def test_what_is_not_there_cannot_be_deleted(store: Store) -> None:
    assert not store.delete_flow("acme", "a", at=at(0))
    save(store)
    assert store.delete_flow("acme", "a", at=at(1))
    assert not store.delete_flow("acme", "a", at=at(2))
    assert store.flow("acme", "a", 3) is None


def test_the_same_text_makes_it_anew(store: Store) -> None:
    assert save(store).revision == 1
    store.delete_flow("acme", "a", at=at(1))
    again = save(store)
    assert (again.revision, again.deleted) == (3, False)
    assert store.flow("acme", "a") == again
    assert save(store).revision == 3
