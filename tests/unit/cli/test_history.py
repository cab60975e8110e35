"""Looking at what is stored: executions, flows, outputs, logs, expressions, the database."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.unit.cli.typed import HELLO, Penstock


@pytest.fixture
def ran(penstock: Penstock) -> str:
    """The id of an execution that has ended."""
    return str(penstock("run", "hello.yaml", "--json", "--label", "team=a").json["id"])


class TestNothingYet:
    @pytest.mark.parametrize("group", ["executions", "flows"])
    def test_an_empty_list_creates_nothing(self, penstock: Penstock, project: Path, group: str) -> None:
        listed = penstock(group, "list")
        assert listed.code == 0
        assert listed.out
        assert penstock(group, "list", "--json").json == []
        assert not (project / ".penstock").exists()

    def test_a_database_that_is_not_there(self, penstock: Penstock) -> None:
        assert penstock("db", "check").code == 2
        assert penstock("executions", "show", "latest").code == 2


class TestExecutions:
    def test_list(self, penstock: Penstock, ran: str) -> None:
        penstock("run", "failing.yaml")
        head, first, second = penstock("executions", "list").out.splitlines()
        assert head.split() == ["STATE", "ID", "FLOW", "STARTED", "TOOK"]
        assert first.split()[0] == "FAILED"
        assert second.split()[:3] == ["SUCCESS", ran, "acme.team/hello"]
        assert first.index("acme.team") == second.index("acme.team")

    @pytest.mark.parametrize(
        ("options", "count"),
        [
            (["--state", "success"], 1),
            (["--state", "FAILED", "--state", "KILLED"], 0),
            (["--flow", "hello"], 1),
            (["--namespace", "acme"], 1),
            (["--namespace", "other"], 0),
            (["--label", "team=a"], 1),
            (["--label", "team=b"], 0),
        ],
    )
    def test_filters(self, penstock: Penstock, ran: str, options: list[str], count: int) -> None:
        assert len(penstock("executions", "list", "--json", *options).json) == count

    def test_a_page_says_that_there_is_more(self, penstock: Penstock, ran: str) -> None:
        penstock("run", "hello.yaml")
        assert "1 of 2" in penstock("executions", "list", "--limit", "1").out

    def test_show(self, penstock: Penstock, ran: str) -> None:
        shown = penstock("executions", "show", ran).out
        assert shown.splitlines()[0].split() == ["SUCCESS", "acme.team/hello", "revision", "1", ran]
        for line in ("greet  SUCCESS", "team=a", "greeting: Hello World"):
            assert line in shown
        assert penstock("executions", "show", "latest", "--json").json["id"] == ran

    def test_logs(self, penstock: Penstock, ran: str) -> None:
        assert "Hello World" in penstock("executions", "logs", ran, "--level", "info").out
        assert penstock("executions", "logs", ran, "--level", "error").out == ""
        (line,) = penstock("executions", "logs", ran, "--task", "say", "--json").json
        assert (line["level"], line["message"], line["taskId"]) == ("INFO", "Hello World", "say")

    def test_outputs(self, penstock: Penstock, ran: str) -> None:
        assert penstock("executions", "outputs", ran).json == {"greeting": "Hello World"}
        assert penstock("executions", "outputs", ran, "--task", "greet").json == {"value": "Hello World"}
        refused = penstock("executions", "outputs", ran, "--task", "gret")
        assert refused.code == 2
        assert "these did: greet, say" in refused.err

    def test_outputs_of_a_task_in_a_loop(self, penstock: Penstock, project: Path) -> None:
        loop = """\
id: loop
namespace: acme
tasks:
  - id: each
    type: io.kestra.plugin.core.flow.ForEach
    values: [a, b]
    tasks: [{id: give, type: io.kestra.plugin.core.debug.Return, format: "{{ taskrun.value }}!"}]
"""
        (project / "loop.yaml").write_text(loop, encoding="utf-8")
        penstock("run", "loop.yaml")
        assert penstock("executions", "outputs", "latest", "--task", "give").json == [
            {"value": "a", "outputs": {"value": "a!"}},
            {"value": "b", "outputs": {"value": "b!"}},
        ]

    @pytest.mark.parametrize("command", [["show"], ["logs"], ["outputs"]])
    def test_an_unknown_id(self, penstock: Penstock, ran: str, command: list[str]) -> None:
        refused = penstock("executions", *command, "nope")
        assert refused.code == 2
        assert "there is no execution nope" in refused.err

    def test_nothing_to_recover(self, penstock: Penstock, ran: str) -> None:
        assert penstock("executions", "recover").code == 0

    def test_what_cannot_go_on_is_told(self, penstock: Penstock, ran: str, project: Path) -> None:
        with closing(sqlite3.connect(project / ".penstock" / "penstock.db")) as database, database:
            database.execute("UPDATE executions SET state = 'RUNNING', ended_at = NULL")
            database.execute("UPDATE flows SET source = 'id: ['")
        refused = penstock("executions", "recover")
        assert refused.code == 1
        assert f"execution {ran} cannot go on" in refused.err
        assert "1 of the executions that were left behind cannot go on" in refused.err

    def test_what_cannot_go_on_can_be_killed(self, penstock: Penstock, ran: str, project: Path) -> None:
        with closing(sqlite3.connect(project / ".penstock" / "penstock.db")) as database, database:
            database.execute("UPDATE executions SET state = 'RUNNING', ended_at = NULL")
            database.execute("UPDATE task_runs SET state = 'RUNNING' WHERE task_id = 'say'")
            database.execute("UPDATE flows SET source = 'id: ['")
        assert penstock("executions", "restart", ran).code == 2
        assert penstock("executions", "kill", ran).code == 0
        shown = penstock("executions", "show", ran, "--json").json
        assert shown["state"]["current"] == "KILLED"
        assert [run["state"]["current"] for run in shown["taskRunList"]] == ["SUCCESS", "KILLED"]
        assert "its flow cannot be read" in shown["error"]
        assert penstock("executions", "recover").code == 0


class TestFlows:
    def test_list_and_show(self, penstock: Penstock, ran: str) -> None:
        assert penstock("flows", "list").out.splitlines()[1].split()[:2] == ["acme.team/hello", "1"]
        for name in ("acme.team/hello", "acme.team.hello"):
            assert penstock("flows", "show", name).out == HELLO
        assert penstock("flows", "show", "acme.team/hello", "--json").json["source"] == HELLO

    def test_an_older_revision(self, penstock: Penstock, ran: str, project: Path) -> None:
        (project / "hello.yaml").write_text(HELLO + "# newer\n", encoding="utf-8")
        penstock("run", "hello.yaml")
        assert penstock("flows", "show", "acme.team/hello").out == HELLO + "# newer\n"
        assert penstock("flows", "show", "acme.team/hello", "--revision", "1").out == HELLO
        assert penstock("flows", "show", "acme.team/hello", "--revision", "3").code == 2

    def test_one_that_is_not_there(self, penstock: Penstock, ran: str) -> None:
        assert "there is no flow" in penstock("flows", "show", "acme/nope").err


class TestEval:
    @pytest.mark.parametrize(
        ("expression", "value"),
        [("{{ outputs.greet.value | upper }}", "HELLO WORLD"), ("{{ inputs }}", {"name": "World"}), ("{{ 1 + 1 }}", 2)],
    )
    def test_what_an_execution_sees(self, penstock: Penstock, ran: str, expression: str, value: object) -> None:
        printed = penstock("eval", ran, expression).out
        assert (printed.strip() if isinstance(value, str) else json.loads(printed)) == value

    def test_what_a_task_sees(self, penstock: Penstock, ran: str) -> None:
        assert penstock("eval", ran, "{{ task.id }}", "--task", "say").out == "say\n"
        assert penstock("eval", ran, "{{ task.id }}", "--task", "nope").code == 2

    def test_a_mistake_is_shown_where_it_is(self, penstock: Penstock, ran: str) -> None:
        refused = penstock("eval", ran, "{{ outputs | nope }}")
        assert refused.code == 2
        lines = refused.err.splitlines()
        assert lines[1].index("nope") == lines[2].index("^")

    def test_secrets_are_masked(self, penstock: Penstock, ran: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SECRET_KEY", "hunter22")
        assert "hunter22" not in penstock("eval", ran, "{{ secret('KEY') }}").out


class TestDatabase:
    def test_check(self, penstock: Penstock, ran: str) -> None:
        assert penstock("db", "check").out.splitlines()[-1] == "sound"
        assert penstock("db", "check", "--json").json["counts"]["executions"] == 1

    def test_damage(self, penstock: Penstock, ran: str, project: Path) -> None:
        (project / ".penstock" / "penstock.db").write_bytes(b"not a database" * 100)
        for command in (["db", "check"], ["executions", "list"], ["run", "hello.yaml"]):
            broken = penstock(*command)
            assert broken.code == 1
            assert "Hint" in broken.err

    def test_upgrade(self, penstock: Penstock, project: Path) -> None:
        assert penstock("db", "upgrade").code == 0
        assert penstock("db", "check").code == 0


class TestPlugins:
    def test_list_show_and_schema(self, penstock: Penstock, project: Path) -> None:
        (project / "plugins").mkdir()
        (project / "plugins" / "acme.py").write_text(
            'from engine.sdk import Task\nclass Greet(Task, type="acme.Greet"):\n    """Greets."""\n    name: str\n'
        )
        (project / "plugins" / "broken.py").write_text("import nothing_like_this\n")
        listed = penstock("plugins", "list")
        assert "acme.Greet" in listed.out
        assert "nothing_like_this" in listed.err
        assert "Greets." in penstock("plugins", "show", "acme.Greet").out
        assert "name" in penstock("plugins", "show", "acme.Greet", "--schema").json["properties"]

    def test_an_alias_a_container_and_a_slip(self, penstock: Penstock) -> None:
        assert "# Log" in penstock("plugins", "show", "io.kestra.core.tasks.log.Log").out
        assert "`concurrent`" in penstock("plugins", "show", "io.kestra.plugin.core.flow.Parallel").out
        assert (
            'did you mean "io.kestra.plugin.core.log.Log"'
            in penstock("plugins", "show", "io.kestra.plugin.core.log.Lgo").err
        )
