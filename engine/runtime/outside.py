"""What expressions may call out to: the one place where the functions of the language meet the world.

`Functions` says what the language can ask for; here each question is given to the adapter that knows. Who asks matters:
a key-value pair is looked up in the asker's namespace, a file must belong to the asker's execution, and every secret
that is handed out is masked in whatever the asker writes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from engine.expressions import Functions
from engine.ports import Clock
from engine.runtime.secrets import EnvironmentSecrets


def _unmasked(secret: str) -> None:
    """For askers that show nothing to anybody."""


class Asker(Struct, frozen=True, kw_only=True):
    """On whose behalf an expression is evaluated."""

    seed: str  #: what chance is derived from
    namespace: str
    flow_id: str
    execution_id: str | None = None  #: None while there is none yet, as for an input's default
    mask: Callable[[str], None] = _unmasked  #: hears every secret that is handed out


class Outside:
    """Gives each asker its functions."""

    def __init__(self, *, clock: Clock, envs: Mapping[str, str], secrets: EnvironmentSecrets) -> None:
        self._clock = clock
        self._envs = envs
        self._secrets = secrets

    def functions(self, asker: Asker) -> Functions:
        """What this asker's expressions may call."""
        return Functions(
            now=self._clock.now,
            seed=asker.seed,
            secret=self._secrets.function(asker.mask),
            env=self._env,
        )

    def _env(self, name: str, *, default: Any = None, **_: object) -> Any:
        return self._envs.get(name) or default
