"""`penstock migrate`: printed, as a diff, in place; what is left, and the exit codes."""

import io
import json
import os
import sys
from pathlib import Path

import pytest

from tests.unit.cli.typed import HELLO, Penstock

OLD = HELLO.replace("{id: say, ", "{id: say, runIf: true, ")
NEW = HELLO.replace("{id: say, ", "{id: say, when: true, ")
LEFT = OLD + "listeners: [{tasks: []}, 1]\n"


@pytest.fixture
def old(project: Path) -> Path:
    (project / "old.yaml").write_text(OLD, encoding="utf-8")
    return project / "old.yaml"


def test_the_flow_is_printed_and_the_file_stays(penstock: Penstock, old: Path) -> None:
    answer = penstock("migrate", "old.yaml", "--to", "2.0")
    assert (answer.code, answer.out) == (0, NEW)
    assert answer.err == "old.yaml: 1 rewritten, 0 left\n"
    assert old.read_text(encoding="utf-8") == OLD


def test_stdin(penstock: Penstock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(NEW.encode())))
    assert penstock("migrate", "-", "--to", "1.x").out == OLD


def test_write_and_nothing_left_to_do(penstock: Penstock, old: Path) -> None:
    old.chmod(0o640)
    assert penstock("migrate", "old.yaml", "--to", "2.0", "--write").out == ""
    assert old.read_text(encoding="utf-8") == NEW
    assert old.stat().st_mode & 0o777 == 0o640
    before = old.stat().st_mtime_ns
    assert penstock("migrate", "old.yaml", "--to", "2.0", "--write").code == 0
    assert old.stat().st_mtime_ns == before
    assert sorted(os.listdir(old.parent)) == ["failing.yaml", "hello.yaml", "old.yaml", "waiting.yaml"]


def test_bytes_that_are_no_text_of_the_flow_stay(penstock: Penstock, old: Path) -> None:
    old.write_bytes(b"\xef\xbb\xbf" + OLD.replace("\n", "\r\n").encode())
    penstock("migrate", "old.yaml", "--to", "2.0", "--write")
    assert old.read_bytes() == b"\xef\xbb\xbf" + NEW.replace("\n", "\r\n").encode()


def test_a_link_stays_a_link(penstock: Penstock, old: Path) -> None:
    (old.parent / "link.yaml").symlink_to("old.yaml")
    penstock("migrate", "link.yaml", "--to", "2.0", "--write")
    assert (old.parent / "link.yaml").is_symlink()
    assert old.read_text(encoding="utf-8") == NEW


def test_a_diff(penstock: Penstock, old: Path) -> None:
    answer = penstock("migrate", ".", "--to", "2.0", "--diff")
    assert answer.code == 0
    assert answer.out.startswith("--- ./old.yaml\n+++ ./old.yaml\n@@ ")
    assert [line[:26] for line in answer.out.splitlines()[2:] if line[0] in "+-"] == [
        "-  - {id: say, runIf: true",
        "+  - {id: say, when: true,",
    ]
    assert old.read_text(encoding="utf-8") == OLD


def test_a_file_with_something_left_is_left_alone(penstock: Penstock, old: Path) -> None:
    old.write_text(LEFT, encoding="utf-8")
    answer = penstock("migrate", "old.yaml", "--to", "2.0", "--write")
    assert answer.code == 1
    assert "old.yaml:10:1: error[not-migrated]: 2.0 has no listeners" in answer.err
    assert "afterExecution" in answer.err
    assert "old.yaml: 1 rewritten, 1 left (unchanged; --partial rewrites the rest)" in answer.err
    assert old.read_text(encoding="utf-8") == LEFT


def test_partial_rewrites_the_rest(penstock: Penstock, old: Path) -> None:
    old.write_text(LEFT, encoding="utf-8")
    assert penstock("migrate", "old.yaml", "--to", "2.0", "--write", "--partial").code == 1
    assert old.read_text(encoding="utf-8") == LEFT.replace("runIf", "when")


def test_json(penstock: Penstock, old: Path) -> None:
    old.write_text(LEFT, encoding="utf-8")
    answer = penstock("migrate", "hello.yaml", "old.yaml", "nope.yaml", "--to", "2.0", "--json")
    assert answer.code == 2
    hello, told, nope = answer.json
    assert (hello["changed"], hello["left"], hello["text"]) == (False, [], HELLO)
    assert told["rewritten"] == [{"rule": "run-if", "line": 7, "column": 15}]
    assert [(finding["line"], finding["code"]) for finding in told["left"]] == [(10, "not-migrated")]
    assert (told["changed"], told["text"]) == (False, LEFT)
    assert [finding["code"] for finding in nope["left"]] == ["unreadable"]
    assert answer.err == ""
    assert json.loads(answer.out) == answer.json


def test_what_cannot_be_read_hides_no_other(penstock: Penstock, old: Path) -> None:
    (old.parent / "broken.yaml").write_text("id: [\n", encoding="utf-8")
    answer = penstock("migrate", "broken.yaml", "nope.yaml", "old.yaml", "--to", "2.0", "--write")
    assert answer.code == 2
    assert "broken.yaml:2:1: error[yaml-syntax]" in answer.err
    assert "nope.yaml" in answer.err
    assert old.read_text(encoding="utf-8") == NEW


@pytest.mark.parametrize(
    "arguments",
    [
        ["old.yaml"],
        ["old.yaml", "--to", "3.0"],
        ["old.yaml", "--to", "2.0", "--write", "--diff"],
        ["-", "--to", "2.0", "--write"],
        ["old.yaml", "hello.yaml", "--to", "2.0"],
        ["--to", "2.0"],
    ],
)
def test_usage(penstock: Penstock, old: Path, arguments: list[str]) -> None:
    answer = penstock("migrate", *arguments)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err


def test_a_file_that_cannot_be_written(penstock: Penstock, old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "replace", refuse)
    answer = penstock("migrate", "old.yaml", "--to", "2.0", "--write")
    assert answer.code == 2
    assert "cannot write old.yaml: Permission denied" in answer.err
    assert old.read_text(encoding="utf-8") == OLD
    assert len(os.listdir(old.parent)) == 4
