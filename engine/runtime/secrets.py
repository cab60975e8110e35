"""Where `secret('KEY')` finds a value: `SECRET_KEY` in the environment, then in the project's `.env` file.

A value may be base64, as Kestra has it, or plain. It is taken for base64 only when it decodes to printable text.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from pathlib import Path

from engine.errors import ExpressionError

PREFIX = "SECRET_"


class EnvironmentSecrets:
    """Secrets from the environment and a `.env` file. Read anew at each call, so a rotated secret is seen."""

    def __init__(self, environ: Mapping[str, str], env_file: Path | None = None) -> None:
        self._environ = environ
        self._env_file = env_file

    def get(self, key: str) -> str:
        """The secret's value. Raises ExpressionError naming where it was looked for, never a value."""
        name = PREFIX + key.upper()
        value = self._environ.get(name)
        if value is None:
            value = self._from_file().get(name)
        if value is None:
            raise ExpressionError(
                f"there is no secret `{key}`",
                code="unknown-secret",
                hint=f"set {name} in the environment" + (f" or in {self._env_file}" if self._env_file else ""),
            )
        return decoded(value)

    def function(self, mask: Callable[[str], None]) -> Callable[..., str]:
        """`secret(key)` for expressions; whatever it gives is masked from then on."""

        def secret(key: str, **_: object) -> str:
            value = self.get(key)
            mask(value)
            return value

        return secret

    def _from_file(self) -> dict[str, str]:
        if self._env_file is None or not self._env_file.is_file():
            return {}
        pairs = (line.partition("=") for line in self._env_file.read_text(encoding="utf-8").splitlines())
        return {
            name.strip().removeprefix("export ").strip(): value.strip().strip("'\"")
            for name, separator, value in pairs
            if separator and not name.lstrip().startswith("#")
        }


def decoded(value: str) -> str:
    """The text behind a value that may be base64."""
    try:
        text = base64.b64decode(value, validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return value
    return text if text and text.isprintable() else value
