"""Where secrets come from, in which order, and that no error shows one."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from engine.errors import ExpressionError, UsageError
from engine.expressions import Functions, evaluate
from engine.runtime.cipher import InstanceCipher
from engine.runtime.secrets import Secrets, StoredSecrets
from engine.store import MemoryStore

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ACCOUNT = json.dumps({"user": "ada", "password": "hunter22", "port": 5432})


class Bench:
    def __init__(self, folder: Path) -> None:
        self.store = MemoryStore()
        self.environ: dict[str, str] = {}
        self.env_file = folder / ".env"
        self.cipher = InstanceCipher(None, folder / "encryption.key")
        self.stored = StoredSecrets(lambda: self.store, self.cipher, lambda w: w.perform(self.store), lambda: NOW)
        self.secrets = Secrets(self.environ, self.env_file, self.stored)
        self.masked: list[str] = []

    def ask(self, template: str) -> Any:
        return evaluate(template, {}, Functions(secret=self.secrets.function(self.masked.append)))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_the_environment_comes_before_the_file_before_the_store(bench: Bench) -> None:
    bench.stored.set("token", "from the store")
    assert bench.secrets.get("TOKEN") == "from the store"
    bench.env_file.write_text("SECRET_TOKEN=from the file\n")
    assert bench.secrets.get("token") == "from the file"
    bench.environ |= {"SECRET_": "", "SECRET_lower": "never looked for"}
    bench.environ["SECRET_TOKEN"] = base64.b64encode(b"from the environment").decode()
    assert bench.secrets.get("Token") == "from the environment"
    assert bench.secrets.names() == {"TOKEN": "environment"}


def test_the_store_never_sees_a_value(bench: Bench) -> None:
    bench.stored.set("TOKEN", "hunter22")
    sealed = bench.store.secret_get("TOKEN")
    assert sealed is not None
    assert "hunter22" not in sealed
    assert b"hunter22" not in base64.b64decode(sealed)


def test_a_stored_value_is_given_back_as_it_was(bench: Bench) -> None:
    text = base64.b64encode(b"readable").decode()  # only in the environment may this mean `readable`
    bench.stored.set("TOKEN", text)
    assert bench.ask("{{ secret('TOKEN') }}") == text


def test_secrets_are_listed_and_deleted(bench: Bench) -> None:
    bench.stored.set("b", "1")
    bench.stored.set("a", "2")
    assert [(record.key, record.updated_at) for record in bench.stored.list()] == [("A", NOW), ("B", NOW)]
    assert [bench.stored.delete("a"), bench.stored.delete("a")] == [True, False]
    assert bench.secrets.names() == {"B": "store"}


def test_one_field_of_a_secret(bench: Bench) -> None:
    bench.stored.set("DB", ACCOUNT)
    assert bench.ask("{{ secret('DB', subkey='password') }}") == "hunter22"
    assert bench.ask("{{ secret('DB', subkey='port') }}") == "5432"
    assert set(bench.masked) == {ACCOUNT, "hunter22", "5432"}


def test_a_secret_in_full(bench: Bench) -> None:
    bench.stored.set("TOKEN", "hunter22")
    assert bench.ask("{{ secret('TOKEN', full=true) }}") == {"value": "hunter22", "metadata": {}}
    assert bench.masked == ["hunter22"]


def test_a_namespace_makes_no_difference(bench: Bench) -> None:
    bench.stored.set("TOKEN", "hunter22")
    assert bench.ask("{{ secret(namespace='system', key='TOKEN') }}") == "hunter22"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ secret('DB', subkey='pasword') }}", "the secret `DB` has no `pasword`"),
        ("{{ secret('TOKEN', subkey='x') }}", "the secret `TOKEN` is no JSON map"),
        ("{{ secret('DB', subkey='user', full=true) }}", "not both"),
        ("{{ secret('NONE') }}", "there is no secret `NONE`"),
    ],
)
def test_what_cannot_be_had_is_told_without_values(bench: Bench, template: str, message: str) -> None:
    bench.stored.set("DB", ACCOUNT)
    bench.stored.set("TOKEN", "hunter22")
    with pytest.raises(ExpressionError, match=message) as told:
        bench.ask(template)
    assert "hunter22" not in f"{told.value}{told.value.hint}"


def test_a_slip_is_recognised(bench: Bench) -> None:
    bench.environ["SECRET_API_TOKEN"] = "x"
    with pytest.raises(ExpressionError) as told:
        bench.secrets.get("API_TOKN")
    assert told.value.hint == 'did you mean "API_TOKEN"?'
    with pytest.raises(ExpressionError) as told:
        bench.secrets.get("quite_different")
    assert "SECRET_QUITE_DIFFERENT" in (told.value.hint or "")
    assert "penstock secrets set QUITE_DIFFERENT" in (told.value.hint or "")


def test_a_lost_key_is_told(bench: Bench, tmp_path: Path) -> None:
    bench.stored.set("TOKEN", "hunter22")
    (tmp_path / "encryption.key").unlink()
    bench.stored = StoredSecrets(
        lambda: bench.store, InstanceCipher(None, tmp_path / "encryption.key"), lambda _write: 0, lambda: NOW
    )
    with pytest.raises(UsageError, match=r"encryption\.key"):
        Secrets({}, None, bench.stored).get("TOKEN")
