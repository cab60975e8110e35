"""Encryption: the exchange format, keys that are none, and the key of the instance."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from engine.errors import ExpressionError, UsageError
from engine.runtime.cipher import InstanceCipher, decrypt, encrypt

KEY = base64.b64encode(bytes(range(32))).decode()
OTHER = base64.b64encode(bytes(32)).decode()


@pytest.mark.parametrize("text", ["", "hello", "Grüße \U0001f600 \x00", "x" * 100_000])
@pytest.mark.parametrize("size", [16, 24, 32])
def test_what_was_encrypted_is_decrypted(text: str, size: int) -> None:
    key = base64.b64encode(os.urandom(size)).decode()
    assert decrypt(key, encrypt(key, text)) == text


def test_the_format_is_the_iv_then_ciphertext_and_tag() -> None:
    raw = base64.b64decode(encrypt(KEY, "hello"))
    assert len(raw) == 12 + len("hello") + 16
    assert AESGCM(bytes(range(32))).decrypt(raw[:12], raw[12:], None) == b"hello"
    known = bytes(12) + AESGCM(bytes(range(32))).encrypt(bytes(12), b"there", None)
    assert decrypt(KEY, base64.b64encode(known).decode()) == "there"


def test_twice_the_same_text_looks_different() -> None:
    assert encrypt(KEY, "hello") != encrypt(KEY, "hello")


@pytest.mark.parametrize(("key", "why"), [("äöü", "not base64"), ("c2hvcnQ=", "has 5 bytes"), ("", "has 0 bytes")])
def test_what_is_no_key_is_refused_without_showing_it(key: str, why: str) -> None:
    for refused in (lambda: encrypt(key, "hello"), lambda: decrypt(key, "aGVsbG8=")):
        with pytest.raises(ExpressionError, match=why) as told:
            refused()
        assert told.value.code == "bad-key"
        assert "openssl rand" in (told.value.hint or "")


@pytest.mark.parametrize(
    "sealed",
    ["no base64!", "", "c2hvcnQ=", pytest.param(encrypt(OTHER, "hello"), id="with another key")],
)
def test_what_another_key_sealed_is_not_opened(sealed: str) -> None:
    with pytest.raises(ExpressionError, match="cannot decrypt"):
        decrypt(KEY, sealed)


def test_a_changed_byte_is_noticed() -> None:
    raw = bytearray(base64.b64decode(encrypt(KEY, "hello")))
    raw[13] ^= 1
    with pytest.raises(ExpressionError, match="changed since"):
        decrypt(KEY, base64.b64encode(bytes(raw)).decode())


def test_the_instance_makes_its_key_once_and_for_itself_alone(tmp_path: Path) -> None:
    file = tmp_path / "state" / "encryption.key"
    sealed = InstanceCipher(None, file).encrypt("hello")
    assert file.stat().st_mode & 0o777 == 0o600
    key = file.read_text()
    again = InstanceCipher(None, file)
    assert again.decrypt(sealed) == "hello"
    assert again.decrypt(InstanceCipher(None, file).encrypt("there")) == "there"
    assert file.read_text() == key
    assert list(file.parent.iterdir()) == [file]


def test_whoever_is_second_takes_the_key_of_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "encryption.key"
    first, second = InstanceCipher(None, file), InstanceCipher(None, file)
    sealed = first.encrypt("hello")
    monkeypatch.setattr(Path, "exists", lambda _self: False)  # as it was when the second one looked
    second.encrypt("there")
    assert second.decrypt(sealed) == "hello"


def test_the_key_in_the_settings_wins(tmp_path: Path) -> None:
    cipher = InstanceCipher(KEY, tmp_path / "encryption.key")
    assert decrypt(KEY, cipher.encrypt("hello")) == "hello"
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_made_where_something_should_be_opened(tmp_path: Path) -> None:
    file = tmp_path / "encryption.key"
    with pytest.raises(UsageError, match=r"encryption\.key: No such file"):
        InstanceCipher(None, file).decrypt(encrypt(KEY, "hello"))
    assert not file.exists()


def test_a_wrong_key_is_named_by_its_place(tmp_path: Path) -> None:
    file = tmp_path / "encryption.key"
    for garbled in (b"cut sho", b"\xe4\xff"):
        file.write_bytes(garbled)
        with pytest.raises(UsageError, match=r"encryption\.key: the key is not base64"):
            InstanceCipher(None, file).encrypt("hello")
    with pytest.raises(UsageError, match=r"encryption\.secretKey: the key has 5 bytes"):
        InstanceCipher("c2hvcnQ=", file).encrypt("hello")
    with pytest.raises(UsageError, match="another key sealed this") as told:
        InstanceCipher(OTHER, file).decrypt(encrypt(KEY, "hello"))
    assert "encryption.secretKey" in (told.value.hint or "")


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot make the key"):
        InstanceCipher(None, tmp_path / "file" / "encryption.key").encrypt("hello")
