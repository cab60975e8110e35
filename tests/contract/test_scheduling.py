"""What a store remembers of triggers, and that one reason begins one execution."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from engine.errors import Fenced
from engine.model.execution import StateChange
from engine.model.scheduling import Backfill, Deployment, Fire, TriggerState
from engine.model.state import State
from engine.ports import PROGRESS, FlowText, Store
from tests.contract.builders import an_execution, at, created


def a_deployment(flow_id: str = "hello", **fields: Any) -> Deployment:
    given = {"namespace": "acme", "revision": 1, "origin": "flows/hello.yaml", "at": at(0), **fields}
    return Deployment(flow_id=flow_id, **given)


def a_state(trigger_id: str = "daily", **fields: Any) -> TriggerState:
    given = {"namespace": "acme", "flow_id": "hello", "updated_at": at(0), **fields}
    return TriggerState(trigger_id=trigger_id, **given)


def a_fire(key: str = "noon", execution_id: str = "e1", **fields: Any) -> Fire:
    return Fire(**{"scope": a_state().key.scope, "key": key, "execution_id": execution_id, "at": at(0), **fields})


WHOLE = a_state(
    disabled=True,
    definition="cron",
    next_at=at(5),
    last_at=at(4),
    execution_id="e1",
    backfill=Backfill(id="b", start=at(1), end=at(9), inputs={"a": [1, None]}, labels={"x": "y"}, paused=True),
    backfill_at=at(2),
    memory={"seen": ["e0"]},
    failures=2,
    retry_at=at(60),
    problem="a plugin is gone",
)


def test_a_deployment_is_kept_and_replaced(store: Store) -> None:
    store.deploy(a_deployment("second"))
    store.deploy(a_deployment())
    store.deploy(a_deployment(revision=3, origin="push"))
    assert store.deployments() == [a_deployment(revision=3, origin="push"), a_deployment("second")]
    assert store.undeploy("acme", "hello")
    assert not store.undeploy("acme", "hello")
    assert store.deployments() == [a_deployment("second")]


def test_all_of_a_trigger_is_kept(store: Store) -> None:
    assert store.trigger_state(WHOLE.key) is None
    store.move_trigger(WHOLE, PROGRESS)
    assert store.trigger_state(WHOLE.key) == WHOLE
    assert store.trigger_states() == [WHOLE]


def test_only_what_is_named_of_a_trigger_moves(store: Store) -> None:
    store.move_trigger(a_state(next_at=at(5), problem="slow"), ())
    store.move_trigger(a_state(disabled=True, next_at=at(7), updated_at=at(9)), ["disabled"])
    assert store.trigger_state(a_state().key) == a_state(disabled=True, next_at=at(5), problem="slow", updated_at=at(9))


def test_what_is_undeployed_forgets_how_far_it_has_come_and_not_what_is_disabled(store: Store) -> None:
    store.deploy(a_deployment())
    store.move_trigger(a_state("on", next_at=at(5)), ())
    store.move_trigger(replace(WHOLE, trigger_id="off"), ())
    store.move_trigger(a_state(flow_id="other", next_at=at(5)), ())
    store.undeploy("acme", "hello")
    left = {state.key.trigger_id: state for state in store.trigger_states()}
    assert left.keys() == {"off", "daily"}
    assert left["off"].disabled
    assert (left["off"].next_at, left["off"].definition, left["off"].memory, left["off"].backfill) == (None,) * 4
    assert left["daily"].next_at == at(5)


def test_a_reason_begins_one_execution(store: Store) -> None:
    first, second = created(an_execution("e1")), created(an_execution("e2"))
    first.fire, second.fire = a_fire(digest="d"), a_fire(execution_id="e2")
    store.commit([first])
    with pytest.raises(Fenced):
        store.commit([second])
    assert store.execution("e2") is None
    assert store.fire(a_state().key.scope, "noon") == a_fire(digest="d")
    assert store.fire(a_state().key.scope, "later") is None


def test_a_reason_counts_when_its_execution_is_gone(store: Store) -> None:
    first, second = created(an_execution("e1")), created(an_execution("e2"))
    first.fire, second.fire = a_fire(), a_fire(execution_id="e2")
    store.commit([first])
    store.delete("e1")
    with pytest.raises(Fenced):
        store.commit([second])


def test_fires_are_forgotten_by_their_age(store: Store) -> None:
    for number in range(3):
        change = created(an_execution(f"e{number}"))
        change.fire = a_fire(str(number), f"e{number}", at=at(number))
        store.commit([change])
    assert store.forget_fires(at(2)) == 2
    assert [store.fire(a_state().key.scope, str(number)) is None for number in range(3)] == [True, True, False]


def test_a_trigger_moves_with_what_it_starts(store: Store) -> None:
    store.move_trigger(a_state(definition="cron", next_at=at(1), backfill=WHOLE.backfill), ())
    change = created(an_execution("e1"))
    change.trigger = a_state(next_at=at(2), last_at=at(1), execution_id="e1", updated_at=at(3))
    store.commit([change])
    moved = store.trigger_state(a_state().key)
    assert moved == replace(change.trigger, definition="cron", backfill=WHOLE.backfill)


@pytest.mark.parametrize("stored", [None, a_state(disabled=True)], ids=["gone", "disabled"])
def test_a_trigger_that_is_off_starts_nothing(store: Store, stored: TriggerState | None) -> None:
    if stored is not None:
        store.move_trigger(stored, ())
    change = created(an_execution("e1"))
    change.fire, change.trigger = a_fire(), a_state(next_at=at(2))
    with pytest.raises(Fenced):
        store.commit([change])
    assert store.execution("e1") is None
    assert store.fire(change.fire.scope, change.fire.key) is None


def test_announcements_wait_in_order_until_they_are_heard(store: Store) -> None:
    for number in range(3):
        change = created(an_execution(f"e{number}"))
        change.announced = (StateChange(State.SUCCESS, at(number)),)
        store.commit([change])
    told = store.announcements()
    assert [(each.execution_id, each.state, each.at) for each in told] == [
        (f"e{number}", State.SUCCESS, at(number)) for number in range(3)
    ]
    assert store.announcements(2) == told[:2]
    store.heard([told[0].id, told[1].id])
    store.delete("e2")
    assert store.announcements() == []


def test_the_states_of_some_executions(store: Store) -> None:
    store.commit([created(an_execution("e1")), created(an_execution("e2", State.CREATED))])
    assert store.states(["e1", "e2", "e3"]) == {"e1": State.RUNNING, "e2": State.CREATED}
    assert store.states([]) == {}


def test_flows_are_stored_and_deployed_together(store: Store) -> None:
    texts = [
        FlowText(namespace="acme", id=id_, source=f"id: {id_}", disabled=False, origin="f.yaml") for id_ in ("a", "b")
    ]
    assert [record.revision for record in store.deploy_flows(texts, at=at(0))] == [1, 1]
    newer = replace(texts[1], source="id: b # newer", origin="push")
    assert [record.revision for record in store.deploy_flows([texts[0], newer], at=at(1))] == [1, 2]
    assert [(each.flow_id, each.revision, each.origin) for each in store.deployments()] == [
        ("a", 1, "f.yaml"),
        ("b", 2, "push"),
    ]
    record = store.flow("acme", "b")
    assert record is not None
    assert record.source == "id: b # newer"


def test_many_triggers_are_remembered_together(store: Store) -> None:
    store.move_trigger(a_state("one", problem="slow"), ())
    store.move_triggers([a_state("one", next_at=at(1)), a_state("two", next_at=at(2), problem="kept")], ["next_at"])
    assert store.trigger_states() == [
        a_state("one", next_at=at(1), problem="slow"),
        a_state("two", next_at=at(2), problem="kept"),
    ]
