"""Where `secret('KEY')` finds a value: `SECRET_KEY` in the environment, then in the project's `.env` file, then in the
store, where it is sealed.

In the environment and the file a value may be base64, as Kestra has it, or plain. It is taken for base64 only when it
decodes to printable text. Always true: no error shows a value, and whatever an expression gets is masked from then on.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from engine.dialect.suggest import did_you_mean, nearest
from engine.errors import ExpressionError
from engine.ports import Cipher, SecretRecord, Store
from engine.runtime.writes import DeleteSecret, SetSecret, Write

PREFIX = "SECRET_"


class StoredSecrets:
    """Secrets in the database, by their names in capitals. Their values are sealed before they get there."""

    def __init__(
        self,
        store: Callable[[], Store],
        cipher: Cipher,
        write: Callable[[Write], int],
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._cipher = cipher
        self._write = write
        self._now = now

    def find(self, key: str) -> str | None:
        """The value. Raises UsageError when the key that sealed it is gone."""
        sealed = self._store().secret_get(key.upper())
        return None if sealed is None else self._cipher.decrypt(sealed)

    def set(self, key: str, value: str) -> None:
        self._write(SetSecret(key=key.upper(), sealed=self._cipher.encrypt(value), at=self._now()))

    def delete(self, key: str) -> bool:
        """False when there was none."""
        return bool(self._write(DeleteSecret(key=key.upper())))

    def list(self) -> list[SecretRecord]:
        """Which there are; no values."""
        return self._store().secret_list()


class Secrets:
    """All places together. Each is read anew at each call, so a rotated secret is seen."""

    def __init__(
        self, environ: Mapping[str, str], env_file: Path | None = None, stored: StoredSecrets | None = None
    ) -> None:
        self._environ = environ
        self._env_file = env_file
        self._stored = stored

    def get(self, key: str) -> str:
        """The secret's value. Raises ExpressionError naming where it was looked for, never a value."""
        name = PREFIX + key.upper()
        value = self._environ.get(name)
        if value is None:
            value = self._from_file().get(name)
        if value is not None:
            return decoded(value)
        stored = self._stored.find(key) if self._stored is not None else None
        if stored is None:
            raise self._missing(key)
        return stored

    def names(self) -> dict[str, str]:
        """The names of all secrets there are, each with the place where it is found first."""
        known = dict.fromkeys((record.key for record in self._stored.list()) if self._stored else (), "store")
        for place, variables in ((".env", self._from_file()), ("environment", self._environ)):
            known |= {name.removeprefix(PREFIX): place for name in variables if _is_secret(name)}
        return dict(sorted(known.items()))

    def function(self, mask: Callable[[str], None]) -> Callable[..., Any]:
        """`secret(key, namespace, subkey, full)` for expressions. Secrets here belong to every namespace."""

        def secret(key: Any, *, subkey: Any = None, full: Any = False, **_: object) -> Any:
            value = self.get(str(key))
            mask(value)
            if full not in (False, "false"):
                if subkey is not None:
                    raise ExpressionError("`secret` takes `subkey` or `full`, not both", code="bad-argument")
                return {"value": value, "metadata": {}}
            if subkey is None:
                return value
            part = _part(str(key), value, str(subkey))
            mask(part)
            return part

        return secret

    def _missing(self, key: str) -> ExpressionError:
        name = PREFIX + key.upper()
        places = f"set {name} in the environment" + (f" or in {self._env_file}" if self._env_file else "")
        if self._stored is not None:
            places += f", or `penstock secrets set {key.upper()}`"
        hint = did_you_mean(nearest(key.upper(), self.names())) or places
        return ExpressionError(f"there is no secret `{key}`", code="unknown-secret", hint=hint)

    def _from_file(self) -> dict[str, str]:
        if self._env_file is None or not self._env_file.is_file():
            return {}
        pairs = (line.partition("=") for line in self._env_file.read_text(encoding="utf-8").splitlines())
        return {
            name.strip().removeprefix("export ").strip(): value.strip().strip("'\"")
            for name, separator, value in pairs
            if separator and not name.lstrip().startswith("#")
        }


def _is_secret(name: str) -> bool:
    return name.startswith(PREFIX) and name != PREFIX and name == name.upper()


def _part(key: str, value: str, subkey: str) -> str:
    """One field of a secret that is a JSON map, as text."""
    try:
        fields = json.loads(value)
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        raise ExpressionError(f"the secret `{key}` is no JSON map, so it has no `subkey`", code="bad-argument")
    if subkey not in fields:
        hint = did_you_mean(nearest(subkey, fields))
        raise ExpressionError(f"the secret `{key}` has no `{subkey}`", code="unknown-secret", hint=hint)
    part = fields[subkey]
    return part if isinstance(part, str) else json.dumps(part, ensure_ascii=False, separators=(",", ":"))


def decoded(value: str) -> str:
    """The text behind a value that may be base64."""
    try:
        text = base64.b64decode(value, validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return value
    return text if text and text.isprintable() else value
