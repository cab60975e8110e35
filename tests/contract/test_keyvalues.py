"""Key-value pairs and sealed secrets: the same answers from every store."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from engine.errors import StoreError
from engine.model.keyvalue import KeyValue, ValueType, fitted
from engine.ports import SecretRecord, Store
from tests.contract.builders import at


def a_pair(
    key: str = "cursor", value: Any = "x", namespace: str = "acme", *, seconds: float = 0, **more: Any
) -> KeyValue:
    type_, plain = fitted(value)
    fields = {"created_at": at(seconds), "updated_at": at(seconds), **more}
    return KeyValue(namespace=namespace, key=key, type=type_, value=plain, **fields)


@pytest.mark.parametrize(
    "value",
    [
        "text",
        "",
        "nul \x00 and \ud800",
        0,
        -3.5,
        2**62,
        True,
        at(0),
        at(0).date(),
        timedelta(hours=3),
        {"a": [1, None]},
        [],
    ],
)
def test_a_pair_comes_back_as_it_went_in(store: Store, value: Any) -> None:
    pair = a_pair("k", value, description="what it is for", expires_at=at(60))
    assert store.kv_set(pair)
    assert store.kv_get("acme", "k") == pair
    assert pair.content == value


def test_a_pair_belongs_to_one_namespace(store: Store) -> None:
    store.kv_set(a_pair(value="above"))
    store.kv_set(a_pair(value="below", namespace="acme.team"))
    found = [store.kv_get(namespace, "cursor") for namespace in ("acme", "acme.team", "acme.other")]
    assert [pair and pair.value for pair in found] == ["above", "below", None]


def test_setting_anew_keeps_the_day_of_creation(store: Store) -> None:
    store.kv_set(a_pair(value=1, description="old", expires_at=at(100)))
    store.kv_set(a_pair(value="two", seconds=10))
    assert store.kv_get("acme", "cursor") == replace(a_pair(value="two", seconds=10), created_at=at(0))


def test_without_overwrite_a_living_pair_stays(store: Store) -> None:
    store.kv_set(a_pair(value="first", expires_at=at(20)))
    assert not store.kv_set(a_pair(value="second", seconds=10), overwrite=False)
    assert store.kv_get("acme", "cursor") == a_pair(value="first", expires_at=at(20))
    late = a_pair(value="third", seconds=20)
    assert store.kv_set(late, overwrite=False)
    assert store.kv_get("acme", "cursor") == late


def test_a_pair_is_deleted_once(store: Store) -> None:
    store.kv_set(a_pair())
    assert [store.kv_delete("acme", "other"), store.kv_delete("acme", "cursor")] == [False, True]
    assert not store.kv_delete("acme", "cursor")
    assert store.kv_get("acme", "cursor") is None


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({}, "A:x a:_k a:ab a:aB b:ab"),
        ({"namespace": "a"}, "a:_k a:ab a:aB"),
        ({"namespace": "a", "prefix": "ab"}, "a:ab"),
        ({"prefix": "a"}, "a:ab a:aB b:ab"),
        ({"prefix": "_"}, "a:_k"),
        ({"prefix": "%"}, ""),
        ({"namespace": "none"}, ""),
    ],
)
def test_pairs_are_listed_in_order(store: Store, where: dict[str, str], expected: str) -> None:
    for namespace, key in (("b", "ab"), ("a", "ab"), ("a", "aB"), ("A", "x"), ("a", "_k")):
        store.kv_set(a_pair(key, namespace=namespace))
    found = [f"{pair.namespace}:{pair.key}" for pair in store.kv_list(**where)]
    assert sorted(found) == sorted(expected.split())
    assert [(pair.namespace, pair.key) for pair in store.kv_list(**where)] == sorted(
        (pair.namespace, pair.key) for pair in store.kv_list(**where)
    )


def test_a_purge_spares_what_was_set_since(store: Store) -> None:
    store.kv_set(a_pair("old", expires_at=at(5)))
    store.kv_set(a_pair("renewed", expires_at=at(5)))
    store.kv_set(a_pair("gone", expires_at=at(5)))
    read = store.kv_list()
    assert [pair.key for pair in read if pair.is_expired(at(5))] == ["gone", "old", "renewed"]
    assert not any(pair.is_expired(at(4)) for pair in read)
    store.kv_set(a_pair("renewed", seconds=1))
    store.kv_delete("acme", "gone")
    assert store.kv_purge(read) == 1
    assert [pair.key for pair in store.kv_list()] == ["renewed"]


def test_what_json_cannot_hold_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="'cursor' of acme cannot be stored"):
        store.kv_set(replace(a_pair(), type=ValueType.JSON, value={"a": float("nan")}))
    assert store.kv_list() == []


def test_secrets_are_kept_sealed_and_listed_by_key(store: Store) -> None:
    store.secret_set("TOKEN", "c2VhbGVk", at=at(0))
    store.secret_set("KEY", "b3RoZXI=", at=at(1))
    store.secret_set("TOKEN", "YW5ldw==", at=at(2))
    assert [store.secret_get(key) for key in ("TOKEN", "KEY", "NONE")] == ["YW5ldw==", "b3RoZXI=", None]
    assert store.secret_list() == [
        SecretRecord(key="KEY", updated_at=at(1)),
        SecretRecord(key="TOKEN", updated_at=at(2)),
    ]
    assert [store.secret_delete("KEY"), store.secret_delete("KEY")] == [True, False]
    assert [record.key for record in store.secret_list()] == ["TOKEN"]
