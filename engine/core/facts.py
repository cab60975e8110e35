"""What the core may know about the world: settled once, before the first decision, and never asked for again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct, field


class Facts(Struct, frozen=True, kw_only=True):
    """Constants of the installation that expressions can see."""

    envs: Mapping[str, str] = field(default_factory=dict)  #: `envs.x`: KESTRA_X and ENV_X of the environment
    globals: Mapping[str, Any] = field(default_factory=dict)  #: `variables.globals` of the settings
    #: Opens the ciphertext of a secret input, where somebody may read it and masks what he writes; None in decisions.
    reveal: Callable[[str], str] | None = None
    #: A task run whose engines died this often under it is not tried again.
    deaths_allowed: int = 3
