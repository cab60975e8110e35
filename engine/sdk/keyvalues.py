"""The key-value store as a task sees it: what flows remember between their runs.

A Protocol: the runtime fulfils it for real runs, `engine.sdk.testing` for tests. Every write is on the disk when it
returns, whatever becomes of the task. An expired pair counts as absent everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Protocol

from engine.errors import TaskFailed
from engine.model.keyvalue import KEY, KeyValue, ValueType


class KeyValues(Protocol):
    """Pairs by namespace and key.

    Keys that begin with `_` are free for what a plugin itself keeps: flows cannot name them, and they are listed only
    where the prefix says so.
    """

    def get(self, namespace: str, key: str) -> KeyValue | None:
        """The pair in exactly this namespace."""

    def find(self, namespace: str, key: str) -> KeyValue | None:
        """The pair in the namespace, or else in the nearest of its parents that has one."""

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
        """Keep a value; without `type` its own decides. False when it stays as it was, for want of `overwrite`.

        Raises TaskFailed when the value does not fit the type.
        """

    def delete(self, namespace: str, key: str) -> bool:
        """Remove a pair; False when there was none."""

    def list(self, namespace: str | None = None, prefix: str = "", *, expired: bool = False) -> list[KeyValue]:
        """The pairs of a namespace, or of all, by namespace and key; with `expired`, those that are gone but kept."""

    def purge(self, pairs: Sequence[KeyValue]) -> int:
        """Remove these pairs, but for those that were set anew since; how many."""


def checked_key(key: str) -> str:
    """A key as flows may call it. Raises TaskFailed."""
    if not KEY.fullmatch(key):
        hint = "a key is made of letters, digits, `.`, `_` and `-`, and begins with a letter or a digit"
        raise TaskFailed(f"`{key}` cannot be a key", hint=hint)
    return key
