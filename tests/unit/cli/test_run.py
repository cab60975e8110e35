"""`penstock run`: what is typed, what is printed, and the exit code."""

import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.app import Engine
from engine.model.execution import Execution, StateChange
from engine.model.state import State
from engine.store import Owner
from tests.unit.cli.typed import HELLO, Penstock


class TestAGoodRun:
    def test_plain_lines(self, penstock: Penstock) -> None:
        ran = penstock("run", "hello.yaml")
        assert ran.code == 0
        assert ran.err == ""
        lines = [line.split() for line in ran.out.splitlines()]
        assert [line[1:3] for line in lines[:3]] == [["SUCCESS", "greet"], ["INFO", "say"], ["SUCCESS", "say"]]
        assert lines[3][:2] == ["SUCCESS", "acme.team/hello"]
        assert ran.out.splitlines()[-1] == "  greeting: Hello World"

    def test_json_and_nothing_else(self, penstock: Penstock) -> None:
        ran = penstock("run", "hello.yaml", "--json", "--label", "team=a=b")
        assert ran.json["state"]["current"] == "SUCCESS"
        assert ran.json["outputs"] == {"greeting": "Hello World"}
        assert ran.json["labels"] == [
            {"key": "team", "value": "a=b"},
            {"key": "system.correlationId", "value": ran.json["id"]},
        ]

    def test_what_a_task_prints_is_no_part_of_the_json(self, penstock: Penstock, project: Path) -> None:
        (project / "plugins").mkdir()
        (project / "plugins" / "talking.py").write_text(
            "from engine.sdk import Task\n\n\n"
            "class Talk(Task, type='test.Talk'):\n"
            "    def run(self, ctx):\n"
            "        print('words')\n"
        )
        (project / "talk.yaml").write_text("id: talk\nnamespace: n\ntasks: [{id: talk, type: test.Talk}]\n")
        ran = penstock("run", "talk.yaml", "--json")
        assert ran.json["state"]["current"] == "SUCCESS"
        assert ran.err == "words\n"

    def test_quiet(self, penstock: Penstock) -> None:
        ran = penstock("run", "hello.yaml", "-q")
        assert (ran.code, ran.out, ran.err) == (0, "", "")

    @pytest.mark.parametrize("name", ["acme.team/hello", "acme.team.hello"])
    def test_a_stored_flow(self, penstock: Penstock, name: str) -> None:
        penstock("run", "hello.yaml")
        assert penstock("run", name, "--json").json["flowRevision"] == 1

    def test_state_lives_in_a_private_folder(self, penstock: Penstock, project: Path) -> None:
        penstock("run", "hello.yaml")
        assert (project / ".penstock" / ".gitignore").read_text() == "*\n"

    @pytest.mark.parametrize("place", ["before", "after"])
    def test_home(self, penstock: Penstock, project: Path, place: str) -> None:
        home = ["--home", str(project / "state")]
        command = ["run", "hello.yaml", "-q"]
        ran = penstock(*home, *command) if place == "before" else penstock(*command, *home)
        assert ran.code == 0
        assert (project / "state" / "penstock.db").exists()
        assert not (project / ".penstock").exists()


class TestInputs:
    @pytest.mark.parametrize(
        ("value", "greeting"), [("Ada", "Ada"), ("a=b", "a=b"), ("@name.txt", "Zoë"), ("@@home", "@home"), ("", "")]
    )
    def test_one_by_one(self, penstock: Penstock, project: Path, value: str, greeting: str) -> None:
        (project / "name.txt").write_text("Zoë", encoding="utf-8")
        ran = penstock("run", "hello.yaml", "--json", "-i", f"name={value}")
        assert ran.json["outputs"] == {"greeting": f"Hello {greeting}"}

    @pytest.mark.parametrize(("name", "text"), [("in.yaml", "name: Ada\n"), ("in.json", '{"name": "Ada"}')])
    def test_from_a_file(self, penstock: Penstock, project: Path, name: str, text: str) -> None:
        (project / name).write_text(text, encoding="utf-8")
        assert penstock("run", "hello.yaml", "--json", "--inputs", name).json["inputs"] == {"name": "Ada"}
        both = penstock("run", "hello.yaml", "--json", "--inputs", name, "-i", "name=Bob")
        assert both.json["inputs"] == {"name": "Bob"}

    @pytest.mark.parametrize(
        "arguments",
        [
            ("-i", "name"),
            ("-i", "=x"),
            ("-i", "name=a", "-i", "name=b"),
            ("-i", "name=@nope.txt"),
            ("-i", "name=\udcff"),
            ("-i", "nmae=Ada"),
            ("--inputs", "nope.yaml"),
            ("--inputs", "list.yaml"),
            ("--inputs", "broken.yaml"),
            ("--label", "x"),
        ],
    )
    def test_refused(self, penstock: Penstock, project: Path, arguments: tuple[str, ...]) -> None:
        (project / "list.yaml").write_text("- a\n", encoding="utf-8")
        (project / "broken.yaml").write_text("a: [\n", encoding="utf-8")
        ran = penstock("run", "hello.yaml", *arguments)
        assert (ran.code, ran.out) == (2, "")
        assert "Error" in ran.err
        assert penstock("executions", "list", "--json").json == []


class TestABadRun:
    def test_a_failure_says_which_task_why_and_where_to_look(self, penstock: Penstock) -> None:
        ran = penstock("run", "failing.yaml")
        assert ran.code == 1
        assert "task broken failed: no ducks left" in ran.err
        assert "penstock executions logs" in ran.err

    def test_quiet_still_tells_errors(self, penstock: Penstock) -> None:
        ran = penstock("run", "failing.yaml", "--quiet")
        assert (ran.code, ran.out) == (1, "")
        assert "no ducks left" in ran.err

    def test_json_of_a_failure(self, penstock: Penstock) -> None:
        ran = penstock("run", "failing.yaml", "--json")
        assert ran.code == 1
        assert json.loads(ran.out)["state"]["current"] == "FAILED"

    def test_an_invalid_flow_is_told_as_validate_tells_it(self, penstock: Penstock, project: Path) -> None:
        (project / "bad.yaml").write_text(HELLO.replace("message:", "mesage:"), encoding="utf-8")
        ran = penstock("run", "bad.yaml")
        assert (ran.code, ran.out) == (2, "")
        assert "bad.yaml:7:52: error[" in ran.err
        assert "Error:" not in ran.err

    @pytest.mark.parametrize(
        ("path", "reason"),
        [
            ("nope.yaml", "cannot find"),
            ("helo.yaml", "did you mean hello.yaml?"),
            (".", "is a folder"),
            ("/dev/null", "not a regular file"),
            ("big.yaml", "the limit is"),
            ("a\0b.yaml", "cannot find"),
            ("\udcff.yaml", "cannot find"),
            ("acme.team/nope", "there is no flow"),
            ("", "there is no flow"),
        ],
    )
    def test_what_is_no_flow(self, penstock: Penstock, project: Path, path: str, reason: str) -> None:
        with (project / "big.yaml").open("wb") as big:
            big.truncate(1_000_000_000)
        ran = penstock("run", path)
        assert ran.code == 2
        assert reason in ran.err

    def test_a_slip_in_the_name_of_a_stored_flow(self, penstock: Penstock) -> None:
        flow = penstock("run", "hello.yaml", "--json").json
        name = f"{flow['namespace']}/{flow['flowId']}"
        slip = penstock("run", name[:-1])
        assert (slip.code, f'did you mean "{name}"?' in slip.err) == (2, True)

    def test_a_file_that_may_not_be_read(self, penstock: Penstock, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("os.access", lambda *_: False)
        assert "permission denied" in penstock("run", "hello.yaml").err

    def test_a_database_that_is_none(self, penstock: Penstock, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PENSTOCK_DATABASE__URL", "mysql://ada:s3cret@db/x")
        ran = penstock("run", "hello.yaml")
        assert ran.code == 2
        assert "s3cret" not in ran.err

    def test_another_engine_holds_the_database_and_does_not_listen(
        self, penstock: Penstock, project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("engine.runtime.guest.STARTING", 0.05)
        assert penstock("run", "hello.yaml").code == 0
        owner = Owner.acquire(project / ".penstock" / "penstock.db")
        ran = penstock("run", "hello.yaml")
        owner.release()
        assert ran.code == 4
        assert f"owned by process {os.getpid()} (" in ran.err
        assert "Hint:" in ran.err


def paused(self: Engine, flow: Any, inputs: Any, labels: Any, on_change: Callable[..., None]) -> Execution:
    """Stands for Engine.run: an execution that waits for a person."""
    at = self._clock.now()
    on_change(
        Execution(
            id="e1",
            namespace="acme.team",
            flow_id="hello",
            flow_revision=1,
            state=State.PAUSED,
            history=(StateChange(State.PAUSED, at),),
        ),
        [],
        [],
    )
    raise AssertionError("nobody waits any longer for an execution that waits for a person")


def test_a_pause_for_a_person_ends_the_command(penstock: Penstock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Engine, "run", paused)
    ran = penstock("run", "hello.yaml")
    assert ran.code == 3
    assert "waits for a decision" in ran.err


def test_executions_left_behind_are_told_and_never_resumed(penstock: Penstock, project: Path) -> None:
    abandoned = penstock("run", "hello.yaml", "--json").json["id"]
    with sqlite3.connect(project / ".penstock" / "penstock.db") as database:
        database.execute("UPDATE executions SET state = 'RUNNING'")
    database.close()
    ran = penstock("run", "hello.yaml")
    assert ran.code == 0
    assert "An execution was left behind" in ran.err
    assert "penstock executions recover" in ran.err
    assert penstock("run", "hello.yaml", "--quiet").err == ""
    assert penstock("executions", "show", abandoned, "--json").code == 0
    assert len(penstock("executions", "list", "--state", "running", "--json").json) == 1
