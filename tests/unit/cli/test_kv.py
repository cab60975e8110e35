"""`penstock kv`: looking at what flows remember, and changing it, also beside an engine that owns the database."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import pytest

from engine import Engine
from tests.unit.cli.typed import Penstock


def test_set_get_list_delete(penstock: Penstock) -> None:
    assert penstock("kv", "set", "acme.team", "cursor", "x y").out == "cursor is set in acme.team\n"
    assert penstock("kv", "get", "acme.team", "cursor").out == "x y\n"
    listed = penstock("kv", "list").out
    assert listed.splitlines()[0].split() == ["NAMESPACE", "KEY", "TYPE", "VALUE", "SET", "EXPIRES"]
    assert listed.splitlines()[1].split()[:5] == ["acme.team", "cursor", "STRING", "x", "y"]
    assert penstock("kv", "delete", "acme.team", "cursor").out == "cursor is gone from acme.team\n"
    assert "No keys" in penstock("kv", "list").out


@pytest.mark.parametrize(
    ("type_", "text", "value"),
    [
        ("STRING", "1", "1"),
        ("number", "1.5", 1.5),
        ("BOOLEAN", "true", True),
        ("DATETIME", "2026-03-01T13:00:00+01:00", "2026-03-01T12:00:00Z"),
        ("DATE", "2026-03-01", "2026-03-01"),
        ("DURATION", "PT90S", "PT1M30S"),
        ("JSON", '{"a": [1, null]}', {"a": [1, None]}),
    ],
)
def test_each_type(penstock: Penstock, type_: str, text: str, value: Any) -> None:
    penstock("kv", "set", "acme", "k", text, "--type", type_, "--description", "why", "--ttl", "P1D")
    shown = penstock("kv", "get", "acme", "k", "--json").json
    assert (shown["type"], shown["value"], shown["description"]) == (type_.upper(), value, "why")
    assert shown["expirationDate"] > shown["updateDate"] == shown["creationDate"]
    assert penstock("kv", "list", "acme", "--json").json == [shown]


def test_a_value_from_stdin(penstock: Penstock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"two\nlines\n")))
    penstock("kv", "set", "acme", "k", "-")
    assert penstock("kv", "get", "acme", "k").out == "two\nlines\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xff")))
    assert "not valid UTF-8" in penstock("kv", "set", "acme", "k", "-").err


def test_lists_are_narrowed_and_keep_what_belongs_to_tasks_to_themselves(penstock: Penstock, project: Path) -> None:
    with Engine(project / ".penstock") as engine:
        for namespace, key in (("a", "x"), ("a", "xy"), ("b", "x"), ("a", "_state/f/default/")):
            engine.kv.set(namespace, key, 1)
    assert [pair["key"] for pair in penstock("kv", "list", "a", "--json").json] == ["x", "xy"]
    assert [pair["namespace"] for pair in penstock("kv", "list", "--prefix", "x", "--json").json] == ["a", "a", "b"]
    assert penstock("kv", "get", "a", "_state/f/default/").code == 2


def test_without_overwrite(penstock: Penstock) -> None:
    assert penstock("kv", "set", "a", "k", "1", "--no-overwrite").code == 0
    refused = penstock("kv", "set", "a", "k", "2", "--no-overwrite")
    assert (refused.code, refused.out) == (2, "")
    assert "k is set in a already" in refused.err
    assert penstock("kv", "get", "a", "k").out == "1\n"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("get", "acme", "cursr"), 'did you mean "cursor"?'),
        (("delete", "acme", "cursr"), 'did you mean "cursor"?'),
        (("get", "elsewhere", "cursor"), "there is no key cursor in elsewhere"),
        (("set", "acme", "k", "one", "--type", "NUMBER"), "`one` is not a number"),
        (("set", "acme", "k", "1", "--ttl", "1 day"), "not an ISO-8601 duration"),
        (("set", "acme", "_k", "1"), "_k cannot be a key"),
        (("set", "Acme", "k", "1"), "Acme cannot be a namespace"),
    ],
)
def test_what_makes_no_sense(penstock: Penstock, arguments: tuple[str, ...], why: str) -> None:
    penstock("kv", "set", "acme", "cursor", "x")
    refused = penstock("kv", *arguments)
    assert (refused.code, refused.out) == (2, "")
    assert why in refused.err


def test_looking_makes_no_database(penstock: Penstock, project: Path) -> None:
    assert penstock("kv", "list").code == 0
    assert penstock("kv", "get", "a", "k").code == 2
    assert not (project / ".penstock").exists()


def test_beside_an_engine_that_owns_the_database(penstock: Penstock, project: Path) -> None:
    with Engine(project / ".penstock") as engine:
        engine.run(project / "hello.yaml")
        assert penstock("kv", "set", "acme", "k", "[1]", "--type", "JSON").code == 0
        assert penstock("kv", "get", "acme", "k").out == "[\n  1\n]\n"
        pair = engine.kv.get("acme", "k")
        assert pair is not None
        assert pair.value == [1]
        assert penstock("kv", "delete", "acme", "k").code == 0
        assert engine.kv.get("acme", "k") is None
