"""What expressions may call out to: the one place where the functions of the language meet the world.

`Functions` says what the language can ask for; here each question is given to the adapter that knows. Who asks matters:
a key-value pair is looked up in the asker's namespace, a file must belong to the asker's execution, and every secret
that is handed out is masked in whatever the asker writes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from msgspec import Struct

from engine.errors import ExpressionError
from engine.expressions import Functions
from engine.model.execution import Execution
from engine.ports import Clock, Files, Store
from engine.runtime import cipher
from engine.runtime.error_logs import error_logs
from engine.runtime.files import is_related
from engine.runtime.free_port import random_port
from engine.runtime.holidays import is_public_holiday
from engine.runtime.keyvalues import KeyValues
from engine.runtime.secrets import Secrets
from engine.runtime.subflows import Runner, Subflows
from engine.sdk import FileAccess
from engine.sdk.ion import from_ion, to_ion


def _unmasked(secret: str) -> None:
    """For askers that show nothing to anybody."""


class Asker(Struct, frozen=True, kw_only=True):
    """On whose behalf an expression is evaluated."""

    seed: str  #: what chance is derived from
    namespace: str
    flow_id: str
    execution_id: str | None = None  #: None while there is none yet, as for an input's default
    execution: Execution | None = None  #: whose files, and those of its family, may be read
    folder: str | None = None  #: where a running task's files go
    mask: Callable[[str], None] = _unmasked  #: hears every secret that is handed out


class Reach(Protocol):
    """What there is outside, for one asker or another."""

    def functions(self, asker: Asker) -> Functions: ...

    def files(self, asker: Asker) -> FileAccess: ...


class Outside:
    """Gives each asker its functions and its files."""

    def __init__(
        self,
        *,
        clock: Clock,
        envs: Mapping[str, str],
        secrets: Secrets,
        files: Files,
        allowed_paths: Sequence[str] = (),
        kv: KeyValues | None = None,
        store: Callable[[], Store] | None = None,
        runner: Runner | None = None,
    ) -> None:
        self._clock = clock
        self._envs = envs
        self._secrets = secrets
        self._kv = kv
        self._files = files
        self._allowed_paths = allowed_paths
        self._store = store  #: opened by whoever needs it first
        self._subflow = Subflows(runner).call if runner is not None else None

    def functions(self, asker: Asker) -> Functions:
        """What this asker's expressions may call."""
        files = self.files(asker)
        return Functions(
            now=self._clock.now,
            seed=asker.seed,
            secret=self._secrets.function(asker.mask),
            kv=self._kv.function(asker.namespace) if self._kv is not None else None,
            encrypt=cipher.encrypt,
            decrypt=cipher.decrypt,
            env=self._env,
            read=files.read_text,
            file_uri=files.uri,
            file_size=files.size,
            file_exists=files.exists,
            is_file_empty=files.is_empty,
            from_ion=_from_ion,
            to_ion=to_ion,
            error_logs=self._error_logs(asker),
            random_port=random_port,
            http=_http,
            subflow=self._subflow,
            is_public_holiday=is_public_holiday,
            read_rows=files.read_rows,
            write_rows=files.write_rows,
        )

    def _error_logs(self, asker: Asker) -> Callable[[], list[dict[str, Any]]] | None:
        """None for an asker without an execution, who has no log."""
        store, execution_id = self._store, asker.execution_id
        return None if store is None or execution_id is None else lambda: error_logs(store(), execution_id)

    def files(self, asker: Asker) -> FileAccess:
        """What this asker can do with files. Without an execution: read those of namespaces."""
        execution = asker.execution
        return FileAccess(
            self._files,
            namespace=asker.namespace,
            folder=asker.folder,
            related=partial(is_related, execution) if execution is not None else lambda execution_id: False,
            allowed_paths=self._allowed_paths,
        )

    def _env(self, name: str, *, default: Any = None, **_: object) -> Any:
        return self._envs.get(name) or default


def _from_ion(ion: Any, *, all_rows: bool = False) -> Any:
    """The first row (null if there is none), or all of them."""
    if not isinstance(ion, (str, bytes)):
        raise ExpressionError("`fromIon` needs ION, as text or bytes,", hint="Read a file first: `fromIon(read(uri))`.")
    rows = from_ion(ion)
    return list(rows) if all_rows else next(rows, None)


def _http(uri: Any, **given: Any) -> Any:
    from engine.runtime.http import http  # lazy: few flows ask, and it costs every start

    return http(uri, **given)
