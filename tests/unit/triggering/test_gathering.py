"""What a Flow trigger waits for together: who counts, within which window, and when it begins anew."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.model.state import State
from tests.unit.triggering.upstreams import (
    CONDITION,
    DAY,
    MINUTE,
    NOON,
    Memory,
    execution,
    fires,
    judged,
    played,
    watcher,
)

A = {"namespace": "acme.sales", "flowId": "a"}
B = {"namespace": "acme.sales", "flowId": "b"}
C = {"namespace": "acme.sales", "flowId": "c"}


def named(flow_id: str) -> dict[str, Any]:
    return {"type": f"{CONDITION}.ExecutionFlow", "namespace": "acme.sales", "flowId": flow_id}


IS_B = {"field": "FLOW_ID", "type": "EQUAL_TO", "value": "b"}
X_AND_Y = {"conditions": {"x": named("a"), "y": named("b")}}
MULTIPLE = {"type": f"{CONDITION}.MultipleCondition", "id": "m", **X_AND_Y}


#: The same wish in all dialects: that both have come by on one day.
BOTH = [
    {"dependsOn": [A, B]},
    {"preconditions": {"id": "p", "flows": [A, B]}},
    {"preconditions": {"id": "p", "flows": [A], "where": [{"id": "w", "filters": [IS_B]}]}},
    {"multipleConditions": X_AND_Y},
    {"conditions": [MULTIPLE]},
]


@pytest.mark.parametrize("trigger", BOTH)
def test_both_must_come_by_in_either_order(trigger: dict[str, Any]) -> None:
    asking = watcher(trigger)
    a, b, c = (execution(name) for name in "abc")
    for coming, last in (([a, b], "b-1"), ([b, c, a], "a-1")):
        fired, memory = played(asking, [(one, NOON + n * MINUTE) for n, one in enumerate(coming)])
        assert (fired, memory.satisfied) == ([last], {})
    assert played(asking, [(a, NOON), (a, NOON + MINUTE)])[0] == []


@pytest.mark.parametrize("trigger", BOTH)
def test_the_next_day_it_begins_anew(trigger: dict[str, Any]) -> None:
    a, b = execution("a"), execution("b")
    assert played(watcher(trigger), [(a, NOON), (b, NOON + DAY)])[0] == []
    assert played(watcher(trigger), [(a, NOON), (b, NOON + DAY), (a, NOON + DAY)])[0] == ["a-1"]


@pytest.mark.parametrize(
    ("trigger", "expected"),
    [
        ({"dependsOn": [A, B]}, ["b-1"]),
        ({"dependsOn": [A, B], "window": {"every": "P1D"}}, ["b-1", "a-2"]),
        ({"dependsOn": [A, B], "window": {"every": "P1D"}, "fireOnce": True}, ["b-1"]),
        ({"preconditions": {"id": "p", "flows": [A, B]}}, ["b-1"]),
        ({"preconditions": {"id": "p", "flows": [A, B], "resetOnSuccess": False}}, ["b-1", "a-2"]),
        ({"multipleConditions": {**X_AND_Y, "resetOnSuccess": False}}, ["b-1", "a-2"]),
        ({"dependsOn": [A, B], "mode": "ANY"}, ["a-1", "b-1", "a-2"]),
        ({"dependsOn": [A, B, C], "mode": "AT_LEAST", "minSatisfied": 2}, ["b-1"]),
        ({"dependsOn": [A, B, C], "mode": "AT_LEAST", "minSatisfied": 3}, []),
    ],
)
def test_how_many_are_needed_and_what_follows(trigger: dict[str, Any], expected: list[str]) -> None:
    coming = [(execution("a"), NOON), (execution("b"), NOON), (execution("a", id_="a-2"), NOON + MINUTE)]
    assert played(watcher(trigger), coming)[0] == expected


def test_only_who_is_waited_for_makes_it_fire_again() -> None:
    asking = watcher({"dependsOn": [A, B], "window": {"every": "P1D"}})
    coming = [(execution("a"), NOON), (execution("b"), NOON), (execution("c"), NOON)]
    assert played(asking, coming)[0] == ["b-1"]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({}, True),
        ({"namespace": "acme.sales"}, True),
        ({"namespace": "acme"}, False),
        ({"flowId": "b"}, False),
        ({"states": ["SUCCESS"]}, True),
        ({"states": ["FAILED"]}, False),
        ({"labels": {"env": "prod"}}, True),
        ({"labels": {"env": "{{ vars.env }}"}}, True),
        ({"labels": {"env": "prod", "team": "x"}}, False),
        ({"when": "{{ execution.outputs.day == 'of a-1' }}"}, True),
        ({"when": "{{ 0 }}"}, False),
        ({"when": False}, False),
    ],
)
def test_whom_an_entry_means(entry: dict[str, Any], expected: bool) -> None:
    asking = watcher({"dependsOn": [entry]}, variables={"env": "prod"})
    verdict = judged(asking, execution("a"))
    assert (verdict.fires, verdict.problem) == (expected, None)


@pytest.mark.parametrize(
    ("window", "late"),
    [
        ({"lookback": "PT10M"}, 11),
        ({"every": "PT15M"}, 15),
        ({"deadline": "12:10"}, 10),
        ({"from": "11:00", "to": "12:20"}, 20),
    ],
)
def test_what_is_too_late_does_not_count(window: dict[str, str], late: int) -> None:
    asking = watcher({"dependsOn": [A, B], "window": window})
    a, b = execution("a"), execution("b")
    assert played(asking, [(a, NOON), (b, NOON + (late - 1) * MINUTE)])[0] == ["b-1"]
    assert played(asking, [(a, NOON), (b, NOON + late * MINUTE)])[0] == []


def test_windows_of_the_older_dialect() -> None:
    for window in (
        {"timeWindow": {"type": "SLIDING_WINDOW", "window": "PT10M"}},
        {"window": "PT10M"},
        {"timeWindow": {"window": "PT10M"}},
    ):
        asking = watcher({"multipleConditions": {**X_AND_Y, **window}})
        assert played(asking, [(execution("a"), NOON), (execution("b"), NOON + 9 * MINUTE)])[0] == ["b-1"], window
        assert played(asking, [(execution("a"), NOON), (execution("b"), NOON + 11 * MINUTE)])[0] == [], window


def test_entries_are_known_by_what_they_say() -> None:
    memory = judged(watcher({"dependsOn": [{**A, "states": ["SUCCESS", "FAILED"]}, B]}), execution("a")).memory
    turned = watcher({"dependsOn": [B, {"states": ["FAILED", "SUCCESS"], **A}]})
    assert judged(turned, execution("b"), memory=memory).fires
    other = watcher({"dependsOn": [B, {**A, "states": ["SUCCESS"]}]})
    assert not judged(other, execution("b"), memory=memory).fires


def test_conditions_and_what_is_gathered_must_both_be_fulfilled() -> None:
    asking = watcher({"dependsOn": [A, B], "when": "{{ labels.env == 'prod' }}"})
    stranger = execution("b", labels={"env": "dev"})
    assert played(asking, [(execution("a"), NOON), (stranger, NOON), (execution("b"), NOON)])[0] == ["b-1"]


def test_conditions_that_remember_may_stand_in_others() -> None:
    either = watcher({"conditions": [{"type": f"{CONDITION}.Or", "conditions": [MULTIPLE, named("c")]}]})
    coming = [(execution("a"), NOON), (execution("c"), NOON), (execution("d"), NOON), (execution("b"), NOON)]
    fired, memory = played(either, coming)
    assert (fired, memory.satisfied) == (["c-1", "b-1"], {})
    neither = watcher({"conditions": [{"type": f"{CONDITION}.Not", "conditions": [MULTIPLE]}]})
    assert played(neither, coming)[0] == ["a-1", "c-1", "d-1"]


def test_nothing_is_remembered_of_who_is_not_waited_for() -> None:
    before = judged(watcher({"dependsOn": [A, B]}), execution("a")).memory
    after = judged(watcher({"dependsOn": [A, B]}), execution("c"), at=NOON + DAY, memory=before).memory
    assert after == before
    assert judged(watcher({"dependsOn": [A, B]}), execution("a", State.RUNNING)).memory == Memory()


def test_what_is_heard_of_again_after_a_crash_counts_once() -> None:
    asking = watcher({"dependsOn": [A, B]})
    a, b, next_b = execution("a"), execution("b"), execution("b", id_="b-2")
    fired, memory = played(asking, [(a, NOON), (b, NOON), (a, NOON), (b, NOON), (next_b, NOON + MINUTE)])
    assert fired == ["b-1"]
    assert [one.execution_id for one in memory.satisfied["dependsOn"].values()] == ["b-2"]
    assert played(asking, [(execution("a", id_="a-2"), NOON), (b, NOON), (a, NOON), (next_b, NOON)])[0] == [
        "b-1",
        "b-2",
    ]


def test_what_is_heard_again_counts_once_for_each_thing_that_is_waited_for() -> None:
    one = {**MULTIPLE, "id": "one", "conditions": {"x": named("c")}}
    asking = watcher({"conditions": [one, MULTIPLE]})
    a, b, c = (execution(name) for name in "abc")
    coming = [(c, NOON), (a, NOON), (b, NOON), (c, NOON), (execution("a", id_="a-2"), NOON)]
    assert played(asking, [*coming, (execution("b", id_="b-2"), NOON)])[0] == ["b-1"]


def test_the_latest_of_several_is_remembered() -> None:
    coming = [(execution("a", id_=f"a-{n}"), NOON + n * MINUTE) for n in (1, 3, 2)]
    _, memory = played(watcher({"dependsOn": [A, B]}), coming)
    assert [one.execution_id for one in memory.satisfied["dependsOn"].values()] == ["a-3"]


def test_what_was_before_the_window_does_not_count_though_it_is_heard_of_late() -> None:
    asking = watcher({"dependsOn": [A, B], "window": {"every": "P1D"}})
    late = (execution("a", id_="a-0"), NOON - DAY)
    assert played(asking, [(execution("a"), NOON), (execution("b"), NOON), late])[0] == ["b-1"]


def test_an_execution_may_come_to_a_state_more_than_once() -> None:
    a, b = execution("a", State.PAUSED), execution("b", State.PAUSED)
    coming = [(a, NOON), (b, NOON), (a, NOON + MINUTE), (b, NOON + MINUTE)]
    assert played(watcher({"dependsOn": [A, B]}), coming)[0] == ["b-1", "b-1"]


def test_what_is_known_of_what_has_counted_is_bounded() -> None:
    coming = [(execution(name), NOON + n * MINUTE) for n in range(80) for name in "ab"]
    fired, memory = played(watcher({"dependsOn": [A, B]}), coming)
    assert len(fired) == 80
    assert len(memory.heard["dependsOn"]) == 64


def test_a_trigger_that_fires_at_once_remembers_nothing() -> None:
    for trigger in ({}, {"dependsOn": [A]}, {"conditions": [named("a")]}):
        assert judged(watcher(trigger), execution("a")).memory == Memory()


MODES = [{}, {"mode": "ANY"}, {"mode": "AT_LEAST", "minSatisfied": 2}]
WINDOWS = [{"every": "PT1H"}, {"lookback": "PT1H"}, {"deadline": "13:00"}, {"from": "12:00", "to": "13:00"}]


@given(
    mode=st.sampled_from(MODES),
    window=st.sampled_from(WINDOWS),
    minutes=st.lists(st.integers(0, 59), min_size=3, max_size=3),
)
def test_within_one_window_the_order_does_not_matter(
    mode: dict[str, Any], window: dict[str, str], minutes: list[int]
) -> None:
    asking = watcher({"dependsOn": [A, B, C], "window": window, **mode})
    coming = [(execution(name), NOON + minute * MINUTE) for name, minute in zip("abc", minutes, strict=True)]
    played_in = [played(asking, order) for order in permutations(coming)]
    assert len({len(fired) for fired, _ in played_in}) == 1
    assert all(memory.satisfied == played_in[0][1].satisfied for _, memory in played_in)


@given(minutes=st.lists(st.integers(0, 600), min_size=2, max_size=2), window=st.sampled_from(WINDOWS))
def test_two_come_by_alike_in_either_order_also_where_they_do_not_fit(
    minutes: list[int], window: dict[str, str]
) -> None:
    asking = watcher({"dependsOn": [A, B], "window": window})
    coming = [(execution(name), NOON + minute * MINUTE) for name, minute in zip("ab", minutes, strict=True)]
    (fired, memory), (turned, other) = played(asking, coming), played(asking, coming[::-1])
    assert len(fired) == len(turned)
    if window != WINDOWS[2] and window != WINDOWS[3]:  # what comes by in no window ends the one before it
        assert memory.satisfied == other.satisfied


@given(minute=st.integers(0, 59), window=st.sampled_from(WINDOWS))
def test_who_comes_by_twice_counts_once(minute: int, window: dict[str, str]) -> None:
    asking = watcher({"dependsOn": [A, B, C], "window": window})
    one = (execution("a"), NOON + minute * MINUTE)
    assert played(asking, [one, one]) == played(asking, [one])


def test_one_filter_is_enough_or_all() -> None:
    filters = [{"field": "FLOW_ID", "type": "EQUAL_TO", "value": name} for name in "ax"]
    for operand, expected in (("OR", True), ("AND", False)):
        trigger = {"preconditions": {"id": "p", "where": [{"id": "w", "operand": operand, "filters": filters}]}}
        assert fires(trigger, execution("a")) is expected


@given(
    mode=st.sampled_from(MODES),
    window=st.sampled_from([{}, *WINDOWS]),
    once=st.booleans(),
    steps=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 40)), min_size=2, max_size=8),
    crash=st.tuples(st.integers(0, 8), st.integers(0, 8)),
)
def test_a_page_that_is_heard_again_after_a_crash_changes_nothing(
    mode: dict[str, Any], window: dict[str, str], once: bool, steps: list[tuple[str, int]], crash: tuple[int, int]
) -> None:
    asking = watcher({"dependsOn": [A, B, C], **mode, **({"window": window, "fireOnce": once} if window else {})})
    coming, at = [], NOON
    for number, (name, minutes) in enumerate(steps):
        at += minutes * MINUTE
        coming.append((execution(name, id_=f"{name}-{number}"), at))
    start, end = sorted(crash)
    begun: dict[str, None] = {}  # what is begun is stored together with what is remembered, and known from then on
    memory = Memory()
    for upstream, at in [*coming[:end], *coming[start:]]:
        verdict = judged(asking, upstream, at=at, memory=memory)
        if upstream.id not in begun:
            memory = verdict.memory
            begun |= {upstream.id: None} if verdict.fires else {}
    fired, remembered = played(asking, coming)
    assert [*begun] == fired
    assert memory.satisfied == remembered.satisfied
