"""The tasks about the key-value store and about states, each run by the testing kit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engine.sdk.fake_keyvalues import FakeKeyValues
from engine.sdk.testing import FakeContext, TaskResult, run_task
from plugins.core import kv as tasks
from plugins.core import state


@pytest.fixture
def kv() -> FakeKeyValues:
    """A store with a value in the namespace of the flow, which is `test`."""
    pairs = FakeKeyValues()
    pairs.set("test", "there", {"a": 1})
    return pairs


def run(kv: FakeKeyValues, type_: type, **properties: Any) -> TaskResult:
    return run_task({"type": type_, **properties}, inputs={"n": 7, "text": "7", "none": None}, kv=kv)


@pytest.mark.parametrize(
    ("properties", "type_", "value"),
    [
        ({"value": "x"}, "STRING", "x"),
        ({"value": "{{ inputs.n }}"}, "NUMBER", 7),
        ({"value": "{{ inputs.text }}"}, "STRING", "7"),
        ({"value": "{{ inputs.text }}", "kvType": "NUMBER"}, "NUMBER", 7),
        ({"value": 7, "kvType": "STRING"}, "STRING", "7"),
        ({"value": "true", "kvType": "BOOLEAN"}, "BOOLEAN", True),
        ({"value": "2026-03-01T13:00:00+01:00", "kvType": "DATETIME"}, "DATETIME", "2026-03-01T12:00:00Z"),
        ({"value": "PT90M", "kvType": "DURATION"}, "DURATION", "PT1H30M"),
        ({"value": '{"a": [1]}', "kvType": "JSON"}, "JSON", {"a": [1]}),
        ({"value": {"a": "{{ inputs.n }}"}}, "JSON", {"a": 7}),
    ],
)
def test_set_keeps_a_value_with_its_type(kv: FakeKeyValues, properties: Any, type_: str, value: Any) -> None:
    assert run(kv, tasks.Set, key="k", **properties).state == "SUCCESS"
    pair = kv.get("test", "k")
    assert pair is not None
    assert (pair.type, pair.value) == (type_, value)


def test_set_elsewhere_for_a_while_with_a_reason(kv: FakeKeyValues) -> None:
    run(kv, tasks.Set, key="k", value=1, namespace="other.{{ inputs.text }}", ttl="PT1H", kvDescription="why")
    pair = kv.pairs["other.7", "k"]
    assert pair.description == "why"
    assert pair.expires_at == datetime(2025, 1, 1, 1, tzinfo=UTC)


def test_set_does_not_replace_what_it_should_not(kv: FakeKeyValues) -> None:
    result = run(kv, tasks.Set, key="there", value=2, overwrite=False)
    assert (result.state, result.error) == ("FAILED", "the key `there` is set in test already")
    assert run(kv, tasks.Set, key="new", value=2, overwrite=False).state == "SUCCESS"


@pytest.mark.parametrize(
    ("type_", "properties"),
    [
        (tasks.Set, {"value": 1}),
        (tasks.Get, {}),
        (tasks.Delete, {}),
    ],
)
@pytest.mark.parametrize("key", ["_state/x", "a b", "", "a/b"])
def test_what_cannot_be_a_key_is_refused(kv: FakeKeyValues, type_: type, properties: Any, key: str) -> None:
    result = run(kv, type_, key=key, **properties)
    assert result.state == "FAILED"
    assert "cannot be a key" in (result.error or "")


def test_set_tells_what_does_not_fit(kv: FakeKeyValues) -> None:
    assert run(kv, tasks.Set, key="k", value="x", kvType="NUMBER").error == "`k` cannot be set: `x` is not a number"
    assert kv.get("test", "k") is None


def test_get(kv: FakeKeyValues) -> None:
    assert run(kv, tasks.Get, key="there").outputs == {"value": {"a": 1}}
    assert run(kv, tasks.Get, key="none").outputs == {"value": None}
    assert run(kv, tasks.Get, key="there", namespace="other").outputs == {"value": None}
    missing = run(kv, tasks.Get, key="none", errorOnMissing=True)
    assert (missing.state, missing.error) == ("FAILED", "there is no key `none` in test or above it")


def test_get_gives_moments_as_text(kv: FakeKeyValues) -> None:
    kv.set("test", "ttl", timedelta(minutes=5))
    assert run(kv, tasks.Get, key="ttl").outputs == {"value": "PT5M"}


def test_delete(kv: FakeKeyValues) -> None:
    assert run(kv, tasks.Delete, key="there").outputs == {"deleted": True}
    assert run(kv, tasks.Delete, key="there").outputs == {"deleted": False}
    assert run(kv, tasks.Delete, key="there", errorOnMissing=True).error == "there is no key `there` in test"


def test_keys(kv: FakeKeyValues) -> None:
    kv.set("test", "_state/x", 1)
    kv.set("other", "theirs", 1)
    kv.set("test", "also", 1)
    assert run(kv, tasks.GetKeys).outputs == {"keys": ["also", "there"]}
    assert run(kv, tasks.GetKeys, prefix="th").outputs == {"keys": ["there"]}
    assert run(kv, tasks.GetKeys, prefix="_").outputs == {"keys": []}
    assert run(kv, tasks.GetKeys, namespace="other").outputs == {"keys": ["theirs"]}


@pytest.mark.parametrize(
    ("properties", "left"),
    [
        ({}, "acme:b acme.team:b acmeish:b test:there"),
        ({"expiredOnly": False}, ""),
        ({"expiredOnly": False, "namespaces": ["acme"]}, "acmeish:a acmeish:b test:there"),
        (
            {"expiredOnly": False, "namespaces": ["acme"], "includeChildNamespaces": False},
            "acme.team:a acme.team:b acmeish:a acmeish:b test:there",
        ),
        (
            {"expiredOnly": False, "namespacePattern": "acme*", "keyPattern": "b"},
            "acme:a acme.team:a acmeish:a test:there",
        ),
        ({"keyPattern": "b"}, "acme:a acme:b acme.team:a acme.team:b acmeish:a acmeish:b test:there"),
    ],
)
def test_purge(kv: FakeKeyValues, properties: Any, left: str) -> None:
    for namespace in ("acme", "acme.team", "acmeish"):
        kv.set(namespace, "a", 1, ttl=timedelta())
        kv.set(namespace, "b", 1)
    kv.set("acme", "_state/x", 1)
    before = len(kv.pairs)
    result = run(kv, tasks.PurgeKV, **properties)
    remaining = {f"{namespace}:{key}" for namespace, key in kv.pairs}
    assert remaining == {*left.split(), "acme:_state/x"}
    assert result.outputs == {"size": before - len(remaining)}


def test_purge_takes_names_or_a_pattern(kv: FakeKeyValues) -> None:
    result = run(kv, tasks.PurgeKV, namespaces=["a"], namespacePattern="b")
    assert "cannot both be set" in (result.error or "")


def test_a_state_is_merged(kv: FakeKeyValues) -> None:
    first = run(kv, state.Set, data={"a": "{{ inputs.n }}", "b": "x"})
    assert first.outputs["count"] == 2
    assert run(kv, state.Set, data={"b": None, "c": [1]}).outputs["count"] == 3
    assert run(kv, state.Get).outputs == {"count": 3, "data": {"a": 7, "b": None, "c": [1]}}


def test_states_are_told_apart(kv: FakeKeyValues) -> None:
    run(kv, state.Set, data={"own": 1})
    run(kv, state.Set, namespace=True, data={"shared": 1})
    run(kv, state.Set, name="a/b", data={"named": 1})
    assert run(kv, state.Get).outputs["data"] == {"own": 1}
    assert run(kv, state.Get, namespace=True).outputs["data"] == {"shared": 1}
    assert run(kv, state.Get, name="a/b").outputs["data"] == {"named": 1}
    assert run(kv, state.Get, name="a").outputs == {"count": 0, "data": {}}
    assert [pair.key for pair in kv.list("test")] == ["there"]


def test_each_value_of_a_loop_has_a_state(kv: FakeKeyValues) -> None:
    key = run(kv, state.Set, data={}).outputs["key"]
    assert key == "_state/flow/default/"
    kv.set("test", "_state/flow/default/a%2Fb", {"of": "a/b"})
    task = state.Get.model_construct(**{name: field.default for name, field in state.Get.model_fields.items()})
    seen = FakeContext(variables={"taskrun": {"value": "a/b"}}, kv=kv)
    assert task.run(seen).data == {"of": "a/b"}  # type: ignore[arg-type]
    assert task.model_copy(update={"taskrun_value": False}).run(seen).data == {}  # type: ignore[arg-type]


def test_a_state_is_deleted(kv: FakeKeyValues) -> None:
    run(kv, state.Set, data={"a": 1})
    assert run(kv, state.Delete).outputs == {"deleted": True}
    assert run(kv, state.Delete).outputs == {"deleted": False}
    for type_ in (state.Get, state.Delete):
        assert run(kv, type_, errorOnMissing=True).error == "there is no state `default`"
