"""Inputs on the command line: files, secrets, what is missing, and what is asked for at a terminal."""

from __future__ import annotations

import os
import pty
import select
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.typed import Penstock

FLOW = """\
id: form
namespace: acme
inputs:
  - {id: data, type: FILE, allowedFileExtensions: [.csv], required: false}
  - {id: token, type: SECRET, displayName: The token, description: From the vault}
  - {id: size, type: SELECT, values: [{label: Small, value: s}, {label: Large, value: l}]}
  - {id: db.port, type: INT, min: 1, prefill: 5432}
  - {id: tags, type: ARRAY, itemType: STRING, dependsOn: {inputs: [size], condition: "{{ inputs.size == 'l' }}"}}
tasks:
  - id: say
    type: io.kestra.plugin.core.log.Log
    message: "{{ inputs.token }} {{ inputs.size }} {{ inputs.db.port }} {{ inputs.tags ?? 'none' }}"
outputs:
  - {id: token, type: SECRET, value: "{{ inputs.token }}"}
"""
SECRET = "hunter2-and-more"
GIVEN = ("-i", f"token={SECRET}", "-i", "size=s", "-i", "db.port=5")


@pytest.fixture(autouse=True)
def form(project: Path) -> Path:
    (project / "form.yaml").write_text(FLOW, encoding="utf-8")
    (project / "a b.csv").write_bytes(b"x\xff\n1\n")
    return project


def stored(project: Path) -> list[Path]:
    return list((project / ".penstock").rglob("*.csv")) if (project / ".penstock").exists() else []


class TestFiles:
    @pytest.mark.parametrize("given", ["data=a b.csv", "data=@a b.csv", "data=./a b.csv"])
    def test_a_file_is_uploaded(self, penstock: Penstock, project: Path, given: str) -> None:
        ran = penstock("run", "form.yaml", "--json", *GIVEN, "-i", given)
        assert ran.code == 0
        uri = ran.json["inputs"]["data"]
        assert uri == f"kestra:///acme/form/executions/{ran.json['id']}/inputs/data/a%20b.csv"
        assert [file.read_bytes() for file in stored(project)] == [b"x\xff\n1\n"]

    def test_a_stored_one_keeps_its_uri(self, penstock: Penstock) -> None:
        ran = penstock("run", "form.yaml", "--json", *GIVEN, "-i", "data=nsfile:///a.csv")
        assert ran.json["inputs"]["data"] == "nsfile:///a.csv"

    @pytest.mark.parametrize(
        ("given", "reason"),
        [
            ("data=nope.csv", "cannot find"),
            ("data=.", "is a folder"),
            ("data=@/dev/null", "not a regular file"),
            ("data=form.yaml", "whose name ends in .csv"),
            ("data=kestra:///a.txt", "whose name ends in .csv"),
            ("data=a\0b.csv", "cannot find"),
        ],
    )
    def test_a_wrong_file(self, penstock: Penstock, project: Path, given: str, reason: str) -> None:
        ran = penstock("run", "form.yaml", *GIVEN, "-i", given)
        assert (ran.code, ran.out) == (2, "")
        assert "Invalid input for `data`, " in ran.err
        assert reason in ran.err
        assert stored(project) == []

    def test_nothing_is_uploaded_when_another_input_is_wrong(self, penstock: Penstock, project: Path) -> None:
        ran = penstock("run", "form.yaml", *GIVEN[:-1], "db.port=0", "-i", "data=a b.csv")
        assert ran.code == 2
        assert "Invalid input for `db.port`, it must be at least 1, but received `0`" in ran.err
        assert stored(project) == []


class TestSecrets:
    def test_it_is_shown_nowhere(self, penstock: Penstock, project: Path) -> None:
        seen = [penstock("run", "form.yaml", *GIVEN), penstock("run", "form.yaml", "--json", *GIVEN)]
        seen += [penstock("executions", command, "latest") for command in ("show", "logs", "outputs")]
        seen += [penstock("executions", "show", "latest", "--json"), penstock("eval", "latest", "{{ inputs }}")]
        assert [each.code for each in seen] == [0] * len(seen)
        assert not any(SECRET in each.out + each.err for each in seen)
        assert all("******" in each.out for each in seen)
        assert not any("aes_encrypted" in each.out for each in seen)

    def test_from_a_file_without_the_end_of_its_line(self, penstock: Penstock, project: Path) -> None:
        (project / "pw.txt").write_text(f"{SECRET}\n")
        penstock("run", "form.yaml", "-q", "-i", "token=@pw.txt", *GIVEN[2:])
        assert penstock("eval", "latest", "{{ inputs.token | length }}").out == f"{len(SECRET)}\n"


class TestMissing:
    def test_all_at_once_and_how_to_give_them(self, penstock: Penstock) -> None:
        ran = penstock("run", "form.yaml")
        assert (ran.code, ran.out) == (2, "")
        missing = "missing required input, but received `null`"
        assert [line for line in ran.err.splitlines() if missing in line] == [
            f"Error: Invalid input for `token`, {missing}",
            f"Invalid input for `size`, {missing}",
            f"Invalid input for `db.port`, {missing}",
        ]
        assert "  -i token=@FILE                SECRET; The token" in ran.err
        assert "  -i size=VALUE                 SELECT; one of s (Small), l (Large)" in ran.err
        assert penstock("executions", "list", "--json").json == []

    def test_a_list(self, penstock: Penstock) -> None:
        ran = penstock("run", "form.yaml", "-i", "token=x", "-i", "size=l", "-i", "db.port=1")
        assert "  -i tags='[...]'               ARRAY of STRING" in ran.err


class Terminal:
    """A person at a terminal: reads what is asked, types answers."""

    def __init__(self, end: int) -> None:
        self._end = end
        self.seen = ""

    def expect(self, text: str) -> None:
        """Read until the text comes; what was read before it is forgotten."""
        while text not in self.seen:
            read = os.read(self._end, 4096).decode()
            assert read, f"{text!r} never came: {self.seen!r}"
            self.seen += read
        self.seen = self.seen.partition(text)[2]

    def type(self, text: str) -> None:
        os.write(self._end, text.encode())

    def insist(self, key: str, text: str) -> None:
        """Type a key, and again when nothing more comes of it: while a terminal changes its modes a key is lost."""
        self.type(key)
        while text not in self.seen:
            if select.select([self._end], [], [], 5.0)[0]:
                self.seen += os.read(self._end, 4096).decode()
            else:
                self.type(key)


@contextmanager
def terminal(start: Callable[..., Any], *arguments: str) -> Iterator[tuple[Terminal, Any]]:
    def listen() -> None:
        # Whoever started the tests in the background may have had SIGINT ignored for all its children.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.close(os.open(os.ttyname(0), os.O_RDWR))  # the first one that a new session opens becomes its own

    ours, theirs = pty.openpty()
    options = {"stdin": theirs, "stderr": theirs, "start_new_session": True, "preexec_fn": listen}
    process = start(*arguments, environ={"NO_COLOR": "1"}, **options)
    os.close(theirs)
    try:
        yield Terminal(ours), process
    finally:
        process.kill()
        process.communicate()
        os.close(ours)


class TestAsking:
    def test_what_is_missing_is_asked_for_until_it_is_right(
        self, start: Callable[..., Any], penstock: Penstock
    ) -> None:
        with terminal(start, "run", "form.yaml") as (person, process):
            person.expect("From the vault")
            person.expect("The token (SECRET): ")
            person.type(f"{SECRET}\n")
            person.expect("size (SELECT: s (Small), l (Large)): ")
            assert SECRET not in person.seen
            person.type("huge\n")
            person.expect("it must be one of s, l")
            person.expect("size (SELECT: s (Small), l (Large)): ")
            person.type("Large\n")
            person.expect("db.port (INT) [5432]: ")
            person.type("\n")
            person.expect("tags (ARRAY of STRING): ")
            person.type("a, b\n")
            out, _ = process.communicate(timeout=30)
        assert process.returncode == 0
        assert b'****** l 5432 ["a","b"]' in out
        assert b"The token" not in out

    @pytest.mark.parametrize("key", ["\x03", "\x04"])
    def test_whoever_gives_up_leaves_nothing_behind(
        self, start: Callable[..., Any], penstock: Penstock, project: Path, key: str
    ) -> None:
        with terminal(start, "run", "form.yaml", "-i", "token=x", "-i", "data=a b.csv") as (person, process):
            person.expect("size (SELECT")
            person.insist(key, "interrupted")
            process.communicate(timeout=30)
        assert process.returncode == 130
        assert not (project / ".penstock" / "penstock.db").exists()
        assert stored(project) == []

    def test_what_is_wrong_is_told_before_anything_is_asked(self, start: Callable[..., Any]) -> None:
        with terminal(start, "run", "form.yaml", "-i", "db.port=x") as (person, process):
            person.expect("`db.port`, it must be a whole number")
            process.communicate(timeout=30)
        assert process.returncode == 2

    @pytest.mark.parametrize("option", ["--no-input", "--quiet", "--json"])
    def test_nobody_is_asked_who_does_not_want_it(self, start: Callable[..., Any], option: str) -> None:
        with terminal(start, "run", "form.yaml", option) as (person, process):
            person.expect("missing required input")
            process.communicate(timeout=30)
        assert process.returncode == 2
