"""The key-value store for tests of tasks: in memory, with the clock of the fake context."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from engine.errors import NotFound, TaskFailed
from engine.model.keyvalue import KeyValue, ValueType, fitted, parents

START = datetime(2025, 1, 1, tzinfo=UTC)


class FakeKeyValues:
    """Fulfils engine.sdk.KeyValues. `pairs` holds everything, by namespace and key."""

    def __init__(self) -> None:
        self.pairs: dict[tuple[str, str], KeyValue] = {}
        self.now: Callable[[], datetime] = lambda: START

    def get(self, namespace: str, key: str) -> KeyValue | None:
        pair = self.pairs.get((namespace, key))
        return None if pair is None or pair.is_expired(self.now()) else pair

    def find(self, namespace: str, key: str) -> KeyValue | None:
        return next((pair for place in parents(namespace) if (pair := self.get(place, key)) is not None), None)

    def set(
        self,
        namespace: str,
        key: str,
        value: Any,
        *,
        type: ValueType | None = None,  # noqa: A002  the word in YAML
        ttl: timedelta | None = None,
        description: str | None = None,
        overwrite: bool = True,
    ) -> bool:
        now, known = self.now(), self.get(namespace, key)
        if known is not None and not overwrite:
            return False
        try:
            type_, plain = fitted(value, type)
        except ValueError as error:
            raise TaskFailed(f"`{key}` cannot be set: {error}") from None
        self.pairs[namespace, key] = KeyValue(
            namespace=namespace,
            key=key,
            type=type_,
            value=plain,
            description=description,
            created_at=known.created_at if known is not None else now,
            updated_at=now,
            expires_at=None if ttl is None else now + ttl,
        )
        return True

    def delete(self, namespace: str, key: str) -> bool:
        is_there = self.get(namespace, key) is not None
        self.pairs.pop((namespace, key), None)
        return is_there

    def list(self, namespace: str | None = None, prefix: str = "", *, expired: bool = False) -> list[KeyValue]:
        return [
            pair
            for (place, key), pair in sorted(self.pairs.items())
            if namespace in (None, place)
            and key.startswith(prefix)
            and pair.is_expired(self.now()) is expired
            and (not key.startswith("_") or prefix.startswith("_"))
        ]

    def purge(self, pairs: Sequence[KeyValue]) -> int:
        unchanged = [pair for pair in pairs if self.pairs.get((pair.namespace, pair.key)) == pair]
        for pair in unchanged:
            del self.pairs[pair.namespace, pair.key]
        return len(unchanged)

    def function(self, own_namespace: str) -> Callable[..., Any]:
        """`kv(key, namespace, errorOnMissing)` for expressions."""

        def kv(key: str, *, namespace: str | None = None, error_on_missing: bool = True) -> Any:
            pair = self.get(namespace, key) if namespace else self.find(own_namespace, key)
            if pair is not None:
                return pair.content
            if error_on_missing:
                raise NotFound(f'there is no key "{key}"', hint="set it in the FakeKeyValues that run_task is given")
            return None

        return kv
