"""Which secrets and keys a run in this project would find, so that `validate` can hint at those that are missing.

Always true: nothing is written or made, only names are read, and where nobody knows which keys there are every key
counts as known.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING

from engine.errors import PenstockError
from engine.model.flow import RunnableTask
from engine.model.keyvalue import parents

if TYPE_CHECKING:
    from engine.check.keys import Keys
    from engine.dialect import Parsed
    from engine.ports import Store
    from engine.settings import Project, Settings

_SETS_A_KEY = ".kv.Set"


class KnownKeys:
    """The database is opened when the first flow names a key, if there is one."""

    def __init__(self, project: Project, settings: Settings) -> None:
        self._project = project
        self._settings = settings

    def of(self, parsed: Parsed) -> Keys:
        """What `engine.check.check` asks about one flow."""
        data = parsed.document.data if parsed.document is not None else None
        namespace = data.get("namespace") if isinstance(data, Mapping) else None
        known: Keys = {"secret": self._is_secret}
        if not isinstance(namespace, str):
            return known
        return {**known, "kv": partial(self._is_key, namespace, _set_by(parsed))}

    def _is_secret(self, key: str) -> bool:
        name = key.upper()
        return name in self._outside or self._store is None or self._store.secret_get(name) is not None

    def _is_key(self, namespace: str, set_here: frozenset[str], key: str) -> bool:
        """Whether `kv(key)` finds something, or the flow itself may see to that."""
        if not self._is_there or self._store is None or key in set_here or any("{" in name for name in set_here):
            return True
        now = datetime.now(UTC)
        pairs = (self._store.kv_get(place, key) for place in parents(namespace))
        return any(pair is not None and not pair.is_expired(now) for pair in pairs)

    @cached_property
    def _outside(self) -> Mapping[str, str]:
        """The secrets of the environment and of `.env`."""
        from engine.runtime.secrets import Secrets

        return Secrets(os.environ, self._project.folder / self._settings.secrets.env_file).names()

    @property
    def _is_there(self) -> bool:
        file = self._settings.database.file
        return file is None or file.exists()

    @cached_property
    def _store(self) -> Store | None:
        """The database; None where it cannot be read."""
        from engine.store import MemoryStore, open_as_it_is

        assert self._settings.database.url is not None
        try:
            return open_as_it_is(self._settings.database.url) or MemoryStore()
        except PenstockError:
            return None  # whoever runs a flow will hear of it

    def close(self) -> None:
        store = self.__dict__.get("_store")
        if store is not None:
            store.close()


def _set_by(parsed: Parsed) -> frozenset[str]:
    """The keys, as written, that tasks of the flow set."""
    tasks = (task for _, task in parsed.tasks if isinstance(task, RunnableTask) and task.type.endswith(_SETS_A_KEY))
    return frozenset(str(task.properties.get("key")) for task in tasks)
