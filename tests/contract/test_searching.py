"""What somebody looks for in the list of executions, and its order: the same from every store."""

from __future__ import annotations

from typing import Any

import pytest

from engine.model.search import Group, Match, Operation, Search
from engine.model.state import State
from engine.ports import ExecutionFilter, Store
from tests.contract.builders import an_execution, at, created

EQUALS, NOT_EQUALS, IN, NOT_IN = Operation.EQUALS, Operation.NOT_EQUALS, Operation.IN, Operation.NOT_IN


@pytest.fixture
def filled(store: Store) -> Store:
    def of(id_: str, namespace: str, flow_id: str, *states: State, start: float, labels: dict[str, str]) -> Any:
        fields = {"namespace": namespace, "flow_id": flow_id, "start": start, "labels": labels}
        return created(an_execution(id_, State.CREATED, *states, **fields))

    store.commit(
        [
            of("a", "acme", "load", State.SUCCESS, start=0, labels={"team": "x"}),
            of("b", "acme.team", "Load", State.RUNNING, start=10, labels={"team": "x", "day": "1"}),
            of("c", "acmeish", "50%_off", State.RUNNING, State.FAILED, start=20, labels={"team": "y"}),
            of("d", "other", "reload", start=30, labels={}),
        ]
    )
    return store


def found(store: Store, search: Search | None, **more: Any) -> str:
    return "".join(one.id for one in store.executions(ExecutionFilter(search=search, oldest_first=True, **more))[0])


@pytest.mark.parametrize(
    ("search", "ids"),
    [
        (Match("namespace", EQUALS, "acme"), "a"),
        (Match("namespace", NOT_EQUALS, "acme"), "bcd"),
        (Match("namespace", Operation.PREFIX, "acme"), "ab"),
        (Match("namespace", Operation.STARTS_WITH, "acme"), "abc"),
        (Match("flow_id", IN, ("load", "reload")), "ad"),
        (Match("flow_id", IN, ()), ""),
        (Match("flow_id", NOT_IN, ("load", "reload")), "bc"),
        (Match("flow_id", Operation.CONTAINS, "load"), "ad"),
        (Match("flow_id", Operation.CONTAINS, "%_"), "c"),
        (Match("flow_id", Operation.CONTAINS, ""), "abcd"),
        (Match("flow_id", Operation.ENDS_WITH, "load"), "ad"),
        (Match("flow_id", Operation.ENDS_WITH, "a very long end of a name"), ""),
        (Match("state", IN, (State.RUNNING, State.FAILED)), "bc"),
        (Match("labels", EQUALS, {"team": "x"}), "ab"),
        (Match("labels", EQUALS, {"team": "x", "day": "1"}), "b"),
        (Match("labels", NOT_EQUALS, {"team": "x"}), "cd"),
        (Match("started_at", Operation.GREATER_THAN, at(10)), "cd"),
        (Match("started_at", Operation.GREATER_THAN_OR_EQUAL_TO, at(10)), "bcd"),
        (Match("started_at", Operation.LESS_THAN, at(10)), "a"),
        (Match("started_at", Operation.LESS_THAN_OR_EQUAL_TO, at(10)), "ab"),
        (Match("ended_at", Operation.LESS_THAN, at(100)), "ac"),
        (Match("ended_at", NOT_EQUALS, at(100)), "abcd"),
        (Group(()), "abcd"),
        (Group((), any=True), "abcd"),
        (Group((Match("flow_id", EQUALS, "load"), Match("flow_id", EQUALS, "reload")), any=True), "ad"),
        (Group((Match("labels", EQUALS, {"team": "x"}), Match("state", EQUALS, State.RUNNING))), "b"),
        (
            Group(
                (
                    Match("namespace", Operation.STARTS_WITH, "acme"),
                    Group((Match("state", EQUALS, State.FAILED), Match("state", EQUALS, State.SUCCESS)), any=True),
                )
            ),
            "ac",
        ),
    ],
)
def test_a_search_finds_the_same_everywhere(filled: Store, search: Search, ids: str) -> None:
    assert found(filled, search) == ids


@pytest.mark.parametrize(
    ("order", "ids"),
    [
        ((("flow_id", False),), "cbad"),
        ((("flow_id", True),), "dabc"),
        ((("namespace", True), ("flow_id", False)), "dcba"),
        ((("state", False), ("id", True)), "dcba"),
        ((("ended_at", False),), "bdac"),
        ((("ended_at", True),), "cabd"),
        ((("duration", True),), "cabd"),
    ],
)
def test_the_order_is_as_wished_and_what_has_no_value_is_least(
    filled: Store, order: tuple[tuple[str, bool], ...], ids: str
) -> None:
    assert found(filled, None, order=order) == ids
    assert found(filled, None, order=order, limit=2, offset=1) == ids[1:3]
