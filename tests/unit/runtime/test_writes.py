"""Small writes as data: each does one thing to a store, also when it travelled to the engine that owns it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec import to_builtins

from engine.errors import StoreBusy, UsageError
from engine.model.keyvalue import KeyValue, ValueType
from engine.runtime.guest import Guest
from engine.runtime.host import Host
from engine.runtime.peer import Away
from engine.runtime.wire import encoded
from engine.runtime.writes import DeleteKey, DeleteSecret, PurgeKeys, SetKey, SetSecret, Write
from engine.store import MemoryStore

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
PAIR = KeyValue(
    namespace="acme",
    key="k",
    type=ValueType.JSON,
    value={"a": [1, None, 2**60, "\ud800"]},
    created_at=NOW,
    updated_at=NOW,
    expires_at=NOW,
)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def host(store: MemoryStore) -> Host:
    nothing: Any = None
    return Host(nothing, nothing, nothing, nothing, nothing, lambda write: write.perform(store), lambda: NOW)


def sent(host: Host, write: Write) -> int:
    """The answer to a write that went over the wire."""
    message = json.loads(encoded({"verb": "write", "write": to_builtins(write)}))
    return int(host.answer(message)["done"])


def test_pairs(host: Host, store: MemoryStore) -> None:
    assert sent(host, SetKey(pair=PAIR)) == 1
    assert store.kv_get("acme", "k") == PAIR
    assert sent(host, PurgeKeys(pairs=(PAIR, PAIR))) == 1
    assert sent(host, DeleteKey(namespace="acme", key="k")) == 0
    sent(host, SetKey(pair=PAIR))
    assert sent(host, DeleteKey(namespace="acme", key="k")) == 1
    assert store.kv_list() == []


def test_a_pair_that_must_not_be_replaced(host: Host, store: MemoryStore) -> None:
    living = KeyValue(namespace="a", key="k", type=ValueType.NUMBER, value=1, created_at=NOW, updated_at=NOW)
    assert [sent(host, SetKey(pair=living, overwrite=False)) for _ in range(2)] == [1, 0]


def test_secrets(host: Host, store: MemoryStore) -> None:
    assert sent(host, SetSecret(key="K", sealed="c2VhbGVk", at=NOW)) == 1
    assert store.secret_get("K") == "c2VhbGVk"
    assert [sent(host, DeleteSecret(key="K")) for _ in range(2)] == [1, 0]


@pytest.mark.parametrize("write", [None, {}, {"type": "drop_tables"}, {"type": "kv_set", "pair": {"key": 1}}])
def test_what_is_no_write_is_refused(host: Host, write: Any) -> None:
    with pytest.raises(UsageError, match="this write is not known"):
        host.answer({"verb": "write", "write": write})


class Owner:
    """Another engine, which starts, then answers."""

    def __init__(self, store: MemoryStore, *refusals: StoreBusy) -> None:
        self.store = store
        self.refusals = list(refusals)

    def write(self, write: Write) -> int:
        if self.refusals:
            raise self.refusals.pop()
        return write.perform(self.store)


def test_a_guest_has_the_owner_write(store: MemoryStore) -> None:
    own, theirs = store, MemoryStore()
    peer: Any = Owner(theirs, Away("starts"))
    assert Guest(own, peer, lambda: False).write(SetKey(pair=PAIR)) == 1
    assert (own.kv_list(), theirs.kv_list()) == ([], [PAIR])


def test_without_another_owner_it_writes_itself(store: MemoryStore) -> None:
    nobody: Any = None
    assert Guest(store, nobody, lambda: True).write(SetKey(pair=PAIR)) == 1
    assert store.kv_list() == [PAIR]
