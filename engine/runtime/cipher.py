"""Encryption: what flows do with keys of their own, and the key of this instance.

AES-GCM as Kestra has it, so that either opens what the other sealed: the key is base64; the result is base64 of 12
random bytes, the ciphertext and its tag. Always true: no error shows a key or a text; the instance's key is made once,
whoever needs it first, and never made where something should be opened with it.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import secrets
from functools import cached_property
from pathlib import Path

from engine.errors import ExpressionError, UsageError

KEY_FILE = "encryption.key"
SETTING = "encryption.secretKey"
_IV_BYTES = 12
_KEY_BYTES = (16, 24, 32)
_HOW_TO = "a key is base64 of 16, 24 or 32 random bytes, as `openssl rand -base64 32` prints"


def encrypt(key: str, plaintext: str) -> str:
    """The language's `encrypt(key, plaintext)`. Raises ExpressionError for what is no key."""
    try:
        return _sealed(_key_bytes(str(key)), str(plaintext))
    except ValueError as error:
        raise ExpressionError(f"cannot encrypt: {error}", code="bad-key", hint=_HOW_TO) from None


def decrypt(key: str, encrypted: str) -> str:
    """The language's `decrypt(key, encrypted)`. Raises ExpressionError."""
    try:
        raw = _key_bytes(str(key))
    except ValueError as error:
        raise ExpressionError(f"cannot decrypt: {error}", code="bad-key", hint=_HOW_TO) from None
    try:
        return _opened(raw, str(encrypted))
    except ValueError as error:
        raise ExpressionError(f"cannot decrypt: {error}", code="cannot-decrypt") from None


class InstanceCipher:
    """Fulfils engine.ports.Cipher with the key in the settings, else the one in `file`, made when first needed."""

    def __init__(self, setting: str | None, file: Path) -> None:
        self._setting = setting
        self._file = file

    def encrypt(self, text: str) -> str:
        if self._setting is None and not self._file.exists():
            _make_key(self._file)
        return _sealed(self._key, text)

    def decrypt(self, sealed: str) -> str:
        try:
            return _opened(self._key, sealed)
        except ValueError as error:
            raise UsageError(
                f"cannot decrypt: {error}", hint=f"the key is in {self._origin}; restore the one that sealed it"
            ) from None

    @property
    def _origin(self) -> str:
        return SETTING if self._setting is not None else str(self._file)

    @cached_property
    def _key(self) -> bytes:
        try:
            return _key_bytes(self._setting if self._setting is not None else self._file.read_bytes())
        except OSError as error:
            hint = f"restore it, or give the key as {SETTING}"
            raise UsageError(f"cannot read the key {self._file}: {error.strerror}", hint=hint) from None
        except ValueError as error:
            raise UsageError(f"{self._origin}: {error}", hint=_HOW_TO) from None


def _make_key(file: Path) -> None:
    """Make the key file, all of it at once, unless another engine was faster."""
    draft = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as out:
            out.write(base64.b64encode(secrets.token_bytes(32)) + b"\n")
            out.flush()
            os.fsync(out.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, file)
    except OSError as error:
        hint = f"make its folder writable, or give a key as {SETTING}"
        raise UsageError(f"cannot make the key {file}: {error.strerror}", hint=hint) from None
    finally:
        with contextlib.suppress(OSError):
            draft.unlink()


def _key_bytes(text: str | bytes) -> bytes:
    try:
        raw = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("the key is not base64") from None
    if len(raw) not in _KEY_BYTES:
        raise ValueError(f"the key has {len(raw)} bytes")
    return raw


def _sealed(key: bytes, text: str) -> str:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    iv = secrets.token_bytes(_IV_BYTES)
    return base64.b64encode(iv + AESGCM(key).encrypt(iv, text.encode("utf-8", "surrogatepass"), None)).decode()


def _opened(key: bytes, sealed: str) -> str:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        raw = base64.b64decode(sealed, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("this is not base64, so nothing that was encrypted") from None
    try:
        return AESGCM(key).decrypt(raw[:_IV_BYTES], raw[_IV_BYTES:], None).decode("utf-8", "surrogatepass")
    except (InvalidTag, ValueError):
        raise ValueError("another key sealed this, or it was changed since") from None
