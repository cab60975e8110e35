"""The key-value store with a clock: what has expired is absent. For tasks, for `kv()` in expressions, for commands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from engine.dialect.suggest import did_you_mean, nearest
from engine.errors import ExpressionError, TaskFailed
from engine.model.keyvalue import KeyValue, ValueType, fitted, parents
from engine.ports import Store
from engine.runtime.writes import DeleteKey, PurgeKeys, SetKey, Write


class KeyValues:
    """Fulfils engine.sdk.KeyValues. `write` makes a write wherever the database is owned. Any thread may use it."""

    def __init__(self, store: Callable[[], Store], write: Callable[[Write], int], now: Callable[[], datetime]) -> None:
        self._store = store
        self._write = write
        self._now = now

    def get(self, namespace: str, key: str) -> KeyValue | None:
        pair = self._store().kv_get(namespace, key)
        return None if pair is None or pair.is_expired(self._now()) else pair

    def set(
        self,
        namespace: str,
        key: str,
        value: Any,
        *,
        type: ValueType | None = None,  # noqa: A002 - the word in YAML
        ttl: timedelta | None = None,
        description: str | None = None,
        overwrite: bool = True,
    ) -> bool:
        now = self._now()
        try:
            type, plain = fitted(value, type)  # noqa: A001
            expires_at = None if ttl is None else now + ttl
        except (ValueError, OverflowError) as error:
            raise TaskFailed(f"`{key}` cannot be set: {error}") from None
        pair = KeyValue(
            namespace=namespace,
            key=key,
            type=type,
            value=plain,
            description=description,
            created_at=now,
            updated_at=now,
            expires_at=expires_at,
        )
        return bool(self._write(SetKey(pair=pair, overwrite=overwrite)))

    def delete(self, namespace: str, key: str) -> bool:
        is_there = self.get(namespace, key) is not None
        return bool(self._write(DeleteKey(namespace=namespace, key=key))) and is_there

    def list(self, namespace: str | None = None, prefix: str = "", *, expired: bool = False) -> list[KeyValue]:
        now = self._now()
        return [
            pair
            for pair in self._store().kv_list(namespace, prefix)
            if pair.is_expired(now) is expired and (not pair.key.startswith("_") or prefix.startswith("_"))
        ]

    def purge(self, pairs: Sequence[KeyValue]) -> int:
        return self._write(PurgeKeys(pairs=tuple(pairs)))

    def find(self, namespace: str, key: str) -> KeyValue | None:
        """The pair in the namespace, or else in the nearest of its parents that has one."""
        return next((pair for place in parents(namespace) if (pair := self.get(place, key)) is not None), None)

    def function(self, own_namespace: str) -> Callable[..., Any]:
        """`kv(key, namespace, errorOnMissing)` for the expressions of a flow."""

        def kv(key: Any, *, namespace: Any = None, error_on_missing: Any = True) -> Any:
            place = str(namespace) if namespace else own_namespace
            pair = self.get(place, str(key)) if namespace else self.find(place, str(key))
            if pair is not None:
                return pair.content
            if error_on_missing in (False, "false"):
                return None
            raise self._missing(str(key), (place,) if namespace else parents(place))

        return kv

    def _missing(self, key: str, searched: Sequence[str]) -> ExpressionError:
        near = nearest(key, [pair.key for place in searched for pair in self.list(place)])
        return ExpressionError(
            f"there is no key `{key}` in {' or '.join(searched)},",
            code="unknown-key",
            hint=did_you_mean(near)
            or f"`penstock kv set {searched[0]} {key} VALUE` sets it; errorOnMissing=false gives null",
        )
