"""Which executions a task run began: asked of every store."""

from __future__ import annotations

from engine.model.execution import Caller
from engine.ports import Store
from tests.contract.builders import an_execution, created


def test_the_executions_of_a_caller_come_oldest_first(store: Store) -> None:
    caller = Caller("parent", "parent-0")
    begun = {"b": caller, "a": caller, "c": Caller("parent", "parent-1"), "d": None}
    for start, (id_, who) in enumerate(begun.items()):
        store.commit([created(an_execution(id_, start=start, caller=who))])
    assert [each.id for each in store.called_by(caller)] == ["b", "a"]
    assert [each.id for each in store.called_by(Caller("parent", "parent-1"))] == ["c"]
    assert store.called_by(Caller("nobody", "nobody-0")) == []
