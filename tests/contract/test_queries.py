"""Lists of executions, flows, logs, metrics and meta: the same answers from every store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from engine.errors import StoreError, UsageError
from engine.model.state import State
from engine.ports import ExecutionFilter, Store
from tests.contract.builders import a_line, a_metric, a_task_run, an_execution, at, created, with_runs


def ids(store: Store, **where: Any) -> list[str]:
    found, total = store.executions(ExecutionFilter(**where))
    assert total == len(found)
    return [summary.id for summary in found]


@pytest.fixture
def filled(store: Store) -> Store:
    def of(id_: str, state: State, start: float, labels: Mapping[str, str], **fields: Any) -> Any:
        states = (State.CREATED, state) if state is not State.CREATED else (state,)
        return created(an_execution(id_, *states, start=start, labels=labels, **fields))

    store.commit(
        [
            of("a", State.SUCCESS, 0, {"team": "x"}, namespace="acme", error="none"),
            of("b", State.RUNNING, 10, {"team": "x", "day": "1"}, namespace="acme.team", flow_id="other"),
            of("c", State.FAILED, 20, {"team": "y"}, namespace="acme.team.deep"),
            of("d", State.CREATED, 30, {}, namespace="acmeish"),
            of("e", State.PAUSED, 30, {"day": "1"}, namespace="acme_team"),
        ]
    )
    return store


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({}, "edcba"),
        ({"namespace": "acme"}, "cba"),
        ({"namespace": "acme.team"}, "cb"),
        ({"namespace": "acm"}, ""),
        ({"namespace": "acme.team", "below": False}, "b"),
        ({"namespace": "%"}, ""),
        ({"namespace": "acme", "flow_id": "hello"}, "ca"),
        ({"states": [State.RUNNING, State.FAILED]}, "cb"),
        ({"labels": {"team": "x"}}, "ba"),
        ({"labels": {"team": "x", "day": "1"}}, "b"),
        ({"labels": {"team": "'; --"}}, ""),
        ({"started_after": at(10)}, "edcb"),
        ({"started_before": at(20)}, "ba"),
        ({"started_after": at(10), "started_before": at(20)}, "b"),
    ],
)
def test_a_list_is_filtered_and_newest_first(filled: Store, where: dict[str, Any], expected: str) -> None:
    assert "".join(ids(filled, **where)) == expected


def test_a_page_knows_how_many_there_are(filled: Store) -> None:
    page, total = filled.executions(ExecutionFilter(limit=2, offset=1))
    assert ([summary.id for summary in page], total) == (["d", "c"], 5)
    assert filled.executions(ExecutionFilter(offset=99)) == ([], 5)


def test_a_summary_says_what_a_list_shows(filled: Store) -> None:
    (summary,), _total = filled.executions(ExecutionFilter(states=[State.SUCCESS]))
    assert (summary.namespace, summary.flow_id, summary.flow_revision) == ("acme", "hello", 1)
    assert (summary.started_at, summary.ended_at) == (at(0), at(1))
    assert (summary.labels, summary.error) == ({"team": "x"}, "none")
    (running,), _total = filled.executions(ExecutionFilter(states=[State.RUNNING]))
    assert running.ended_at is None


def test_the_unfinished_are_oldest_first(filled: Store) -> None:
    assert filled.unfinished() == ["b", "d", "e"]


def test_flows_have_revisions(store: Store) -> None:
    first = store.save_flow("acme", "hello", "one", at=at(0), disabled=False)
    assert (first.revision, first.source, first.created_at, first.disabled) == (1, "one", at(0), False)
    assert store.save_flow("acme", "hello", "one", at=at(1), disabled=False) == first
    second = store.save_flow("acme", "hello", "two \x00\ud800", at=at(2), disabled=True)
    assert second.revision == 2
    assert store.flow("acme", "hello") == second
    assert store.flow("acme", "hello", 1) == first
    assert store.save_flow("acme", "hello", "one", at=at(3), disabled=False).revision == 3


def test_a_flow_that_is_not_there_is_none(store: Store) -> None:
    store.save_flow("acme", "hello", "one", at=at(0), disabled=False)
    assert store.flow("acme", "other") is None
    assert store.flow("other", "hello") is None
    assert store.flow("acme", "hello", 2) is None


def test_the_list_of_flows_has_the_newest_of_each(store: Store) -> None:
    for namespace, id_, source in (("b", "x", "1"), ("a", "y", "1"), ("a", "x", "1"), ("a", "x", "2"), ("a", "X", "1")):
        store.save_flow(namespace, id_, source, at=at(0), disabled=False)
    listed = [(flow.namespace, flow.id, flow.revision) for flow in store.flows()]
    assert listed == [("a", "X", 1), ("a", "x", 2), ("a", "y", 1), ("b", "x", 1)]
    assert [flow.id for flow in store.flows("b")] == ["x"]
    assert store.flows("c") == []


def test_the_flows_of_a_namespace_are_those_below_it_too(store: Store) -> None:
    for namespace in ("a", "a.b", "a.b.c", "ab", "a_b"):
        store.save_flow(namespace, "x", "1", at=at(0), disabled=False)
    assert [flow.namespace for flow in store.flows("a")] == ["a", "a.b", "a.b.c"]
    assert [flow.namespace for flow in store.flows("a_b")] == ["a_b"]


def test_log_lines_come_in_order_with_rising_ids(store: Store) -> None:
    change = created(an_execution(), a_task_run())
    change.logs = [
        a_line("one", task_run_id="t1", task_id="say", attempt=1),
        a_line("two \x00 \ud800\n\x1b[31mred", level="WARN", task_id="other"),
        a_line("three", level="TRACE"),
    ]
    elsewhere = created(an_execution("e2"))
    elsewhere.logs = [a_line("not mine", execution_id="e2")]
    store.commit([change, elsewhere])
    lines = store.logs("e1")
    assert [line.message for line in lines] == ["one", "two \x00 \ud800\n\x1b[31mred", "three"]
    numbers = [line.id for line in lines]
    assert numbers == sorted(set(numbers))
    one = lines[0]
    assert (one.at, one.level, one.task_run_id, one.task_id, one.attempt) == (at(2), "INFO", "t1", "say", 1)
    assert store.logs("e1", after=numbers[0]) == lines[1:]
    assert store.logs("e1", limit=2) == lines[:2]
    assert store.logs("e1", task_id="say") == lines[:1]
    assert store.logs("e1", min_level="INFO") == lines[:2]
    assert store.logs("e1", min_level="ERROR") == []
    assert store.logs("nobody") == []


def test_an_unknown_log_level_is_a_usage_error(store: Store) -> None:
    with pytest.raises(UsageError, match="LOUD"):
        store.logs("e1", min_level="LOUD")


def test_metrics_come_back_equal_and_in_order(store: Store) -> None:
    change = created(an_execution(), a_task_run())
    change.metrics = [a_metric("rows", 3), a_metric("rows", 0.1, kind="timer", tags={"file": "a \x00"})]
    store.commit([change])
    assert store.metrics("e1") == change.metrics
    assert store.metrics("e2") == []


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_a_metric_must_be_a_finite_number(store: Store, value: float) -> None:
    change = created(an_execution(), a_task_run())
    change.metrics = [a_metric("rows", value)]
    with pytest.raises(StoreError, match="metric 'rows' of task run t1"):
        store.commit([change])
    assert store.execution("e1") is None


@pytest.mark.parametrize("value", [{"a": [1, "\x00"]}, 0, "", False, []])
def test_meta_keeps_a_value(store: Store, value: Any) -> None:
    assert store.meta("instance") is None
    store.set_meta("instance", value)
    assert store.meta("instance") == value
    store.set_meta("instance", "newer")
    assert store.meta("instance") == "newer"
    store.set_meta("instance", None)
    assert store.meta("instance") is None


def test_meta_refuses_what_is_not_json(store: Store) -> None:
    with pytest.raises(StoreError, match="'instance'"):
        store.set_meta("instance", {"x": {1}})


def test_a_store_closes_twice(store: Store) -> None:
    store.close()
    store.close()


def test_some_executions_at_once(store: Store) -> None:
    runs = [[a_task_run(f"t{n}{m}", execution_id=f"e{n}", seq=m) for m in range(n)] for n in range(3)]
    whole = [with_runs(an_execution(f"e{n}"), *runs[n]) for n in range(3)]
    store.commit([created(an_execution(each.id), *of_it) for each, of_it in zip(whole, runs, strict=True)])
    assert store.some(["e2", "e0", "nothing", "e2"]) == [whole[0], whole[2]]
    assert store.some([]) == []


def test_a_list_tells_what_a_replay_does_again(store: Store) -> None:
    store.commit([created(an_execution("e1")), created(an_execution("e2", parent_id="e1", original_id="e0"))])
    found = {each.id: (each.parent_id, each.original_id) for each in store.executions(ExecutionFilter())[0]}
    assert found == {"e1": (None, None), "e2": ("e1", "e0")}
