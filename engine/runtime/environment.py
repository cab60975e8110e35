"""Which environment variables flows can see: those that say so by their prefix, and no others."""

from __future__ import annotations

from collections.abc import Mapping

#: Variables with these prefixes are `envs.*` in expressions, without the prefix and in lower case.
PREFIXES = ("KESTRA_", "ENV_")


def visible(environ: Mapping[str, str]) -> dict[str, str]:
    """What `envs` holds, given the environment."""
    return {
        name.removeprefix(prefix).lower(): value
        for prefix in PREFIXES
        for name, value in environ.items()
        if name.startswith(prefix)
    }
