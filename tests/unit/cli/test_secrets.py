"""`penstock secrets`: values go in and never come out; and the hints of `validate` at what is missing."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from engine import Engine
from engine.errors import StoreError
from engine.store import schema
from tests.unit.cli.typed import Penstock

CORE = "io.kestra.plugin.core"


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> io.BytesIO:
    """What the test types."""
    typed = io.BytesIO()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(typed))
    return typed


def test_set_list_delete(penstock: Penstock, project: Path, stdin: io.BytesIO) -> None:
    stdin.write(b"hunter22\n")
    stdin.seek(0)
    answers = [penstock("secrets", "set", "token"), penstock("secrets", "list"), penstock("secrets", "list", "--json")]
    assert [each.code for each in answers] == [0, 0, 0]
    assert answers[2].json == [{"key": "TOKEN", "source": "store"}]
    assert all("hunter22" not in each.out + each.err for each in answers)
    with Engine(project / ".penstock") as engine:
        assert engine.stored_secrets.find("TOKEN") == "hunter22"
    for file in (project / ".penstock").iterdir():
        assert b"hunter22" not in file.read_bytes()
    assert (project / ".penstock" / "encryption.key").stat().st_mode & 0o777 == 0o600
    assert penstock("secrets", "delete", "token").out == "TOKEN is gone\n"
    assert "No secrets" in penstock("secrets", "list").out


def test_a_value_is_asked_for_without_showing_it(
    penstock: Penstock, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    answers = iter(["hunter22", "hunter22"])
    monkeypatch.setattr("click.termui.hidden_prompt_func", lambda _prompt: next(answers))
    asked = penstock("secrets", "set", "TOKEN")
    assert asked.code == 0, asked.err
    with Engine(project / ".penstock") as engine:
        assert engine.stored_secrets.find("TOKEN") == "hunter22"


def test_other_places_are_listed_and_come_first(
    penstock: Penstock, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "x")
    (project / ".env").write_text("SECRET_OTHER=y\n")
    kept = penstock("secrets", "set", "TOKEN", "--value", "hunter22")
    assert kept.code == 0
    assert "SECRET_TOKEN in the environment comes first" in kept.err
    listed = penstock("secrets", "list").out.splitlines()
    assert [line.split() for line in listed[1:]] == [
        ["OTHER", ".env"],
        ["TOKEN", "environment", "(hides", "the", "stored", "one)"],
    ]
    assert "it is in the .env" in penstock("secrets", "delete", "OTHER").err


def test_what_makes_no_sense(penstock: Penstock, stdin: io.BytesIO) -> None:
    assert "cannot be empty" in penstock("secrets", "set", "TOKEN").err
    assert "cannot be the name" in penstock("secrets", "set", "a b", "--value", "x").err
    penstock("secrets", "set", "TOKEN", "--value", "x")
    missing = penstock("secrets", "delete", "TOKN")
    assert missing.code == 2
    assert 'did you mean "TOKEN"?' in missing.err


def test_beside_an_engine_that_owns_the_database(penstock: Penstock, project: Path) -> None:
    with Engine(project / ".penstock") as engine:
        engine.run(project / "hello.yaml")
        assert penstock("secrets", "set", "TOKEN", "--value", "hunter22").code == 0
        assert engine.stored_secrets.find("TOKEN") == "hunter22"


FLOW = f"""\
id: f
namespace: acme.team
tasks:
  - {{id: a, type: {CORE}.debug.Return, format: "{{{{ secret('TOKEN') }}}} {{{{ kv('cursor') }}}}"}}
"""


def hints(penstock: Penstock, project: Path, flow: str = FLOW) -> list[str]:
    (project / "f.yaml").write_text(flow)
    return [
        found["message"] for found in penstock("validate", "f.yaml", "--json").json if found["code"] == "unknown-key"
    ]


def test_validate_hints_at_what_is_missing(penstock: Penstock, project: Path) -> None:
    no_secret = 'there is no secret "TOKEN" here'
    assert hints(penstock, project) == [no_secret]  # nobody knows which keys there are
    assert not (project / ".penstock").exists()
    penstock("secrets", "set", "TOKEN", "--value", "hunter22")
    assert hints(penstock, project) == ['there is no key in the key-value store "cursor" here']
    penstock("kv", "set", "acme", "cursor", "x")
    penstock("secrets", "delete", "TOKEN")
    assert hints(penstock, project) == [no_secret]


def test_a_key_that_the_flow_sets_is_no_finding(penstock: Penstock, project: Path) -> None:
    penstock("secrets", "set", "TOKEN", "--value", "hunter22")
    sets = f"  - {{id: sets, type: {CORE}.kv.Set, key: cursor, value: 1}}\n"
    for task in (sets, sets.replace("cursor", '"{{ flow.id }}"')):
        assert hints(penstock, project, FLOW + task) == []
    assert hints(penstock, project, FLOW + sets.replace("cursor", "other")) != []


def test_validate_leaves_a_database_of_another_version_alone(
    penstock: Penstock, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    penstock("kv", "set", "acme", "other", "x")
    ours, file = schema.VERSION, project / ".penstock" / "penstock.db"
    before = file.read_bytes()
    monkeypatch.setattr(schema, "VERSION", "9999")
    assert hints(penstock, project) == []  # what cannot be read may hold anything
    monkeypatch.setattr(schema, "VERSION", "0000")
    assert hints(penstock, project) == []
    monkeypatch.setattr(schema, "VERSION", ours)
    assert file.read_bytes() == before
    file.write_bytes(b"no database at all" * 100)
    assert hints(penstock, project) == []
    with pytest.raises(StoreError), Engine(project / ".penstock") as engine:
        engine.kv.list()
