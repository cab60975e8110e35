"""Many commands, one database: whoever owns it runs what the others type, and nobody can tell the difference.

The flows wait at gates, which are files that the test makes, so each test decides what happens before what.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.model.execution import Execution
from engine.model.state import AttemptState, State
from engine.ports import ExecutionFilter
from engine.store import open_store, owner_of

PATIENCE = 60  #: seconds after which a command that should have ended has failed the test
RACERS = 8

PLUGIN = """\
import os
from engine.sdk import RunContext, Task


class Gate(Task, type="test.Gate"):
    '''Waits until there is a file of this name.'''

    name: str

    def run(self, ctx: RunContext) -> None:
        ctx.logger.info("at the gate %s", self.name)
        while not os.path.exists(self.name):
            ctx.sleep(0.01)
"""
GATED = """\
id: gated
namespace: test
inputs:
  - {id: gate, type: STRING}
tasks:
  - {id: before, type: io.kestra.plugin.core.debug.Return, format: "{{ inputs.gate }}"}
  - {id: wait, type: test.Gate, name: "{{ inputs.gate }}"}
  - {id: after, type: io.kestra.plugin.core.log.Log, message: "passed {{ inputs.gate }}"}
outputs:
  - {id: passed, type: STRING, value: "{{ outputs.before.value }}"}
"""
MIXED = """\
id: mixed
namespace: test
tasks:
  - {id: nap, type: io.kestra.plugin.core.flow.Sleep, duration: PT0.3S}
  - id: each
    type: io.kestra.plugin.core.flow.ForEach
    values: [1, 2]
    tasks:
      - {id: say, type: io.kestra.plugin.core.log.Log, message: "{{ taskrun.value }}"}
  - {id: again, type: io.kestra.plugin.core.flow.Sleep, duration: PT0.2S}
  - {id: fail, type: io.kestra.plugin.core.execution.Fail, errorMessage: no more}
"""


class Command:
    """A `penstock` process."""

    def __init__(self, *arguments: str) -> None:
        program = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        program += "from engine.cli import main; main()"
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.heard = ""

    def hears(self, word: str) -> None:
        """Read stdout up to the line with the word."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.heard += line
            if word in line:
                return
        raise AssertionError(f"{word!r} never came: {self.heard}{self.end()}")

    def warns(self, word: str) -> None:
        """Read stderr up to the line with the word."""
        assert self.process.stderr is not None
        assert any(word in line for line in self.process.stderr)

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, self.heard + out, err


Start = Callable[..., Command]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in list(os.environ):
        if name.startswith("PENSTOCK_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "gates.py").write_text(PLUGIN, encoding="utf-8")
    (tmp_path / "gated.yaml").write_text(GATED, encoding="utf-8")
    (tmp_path / "mixed.yaml").write_text(MIXED, encoding="utf-8")
    return tmp_path


@pytest.fixture
def start(project: Path) -> Iterator[Start]:
    commands = []

    def started(*arguments: str) -> Command:
        commands.append(Command(*arguments))
        return commands[-1]

    yield started
    for command in commands:
        command.process.kill()
        command.process.communicate()


def database(project: Path) -> Path:
    return project / ".penstock" / "penstock.db"


def history(project: Path) -> dict[str, Execution]:
    """All executions, by the gate that they were given."""
    store = open_store(f"sqlite:///{database(project)}")
    try:
        found = [store.execution(summary.id) for summary in store.executions(ExecutionFilter(limit=1000))[0]]
        return {str(execution.inputs.get("gate")): execution for execution in found if execution}
    finally:
        store.close()


def at_gate(start: Start, gate: str) -> Command:
    """A run that has come to a gate."""
    command = start("run", "gated.yaml", "-i", f"gate={gate}")
    command.hears(f"at the gate {gate}")
    return command


def test_many_runs_at_once_in_a_new_project_all_succeed(project: Path, start: Start) -> None:
    (project / "open").touch()
    for number in range(RACERS):
        (project / f"g{number}").touch()
    racers = [start("run", "gated.yaml", "-i", f"gate=g{number}", "--json") for number in range(RACERS)]
    for number, racer in enumerate(racers):
        code, out, err = racer.end()
        assert code == 0, err
        assert json.loads(out)["outputs"] == {"passed": f"g{number}"}
        assert "Error" not in err
        assert "left behind" not in err
    states = {gate: execution.state for gate, execution in history(project).items()}
    assert states == {f"g{number}": State.SUCCESS for number in range(RACERS)}
    assert owner_of(database(project)) is None
    assert not (project / ".penstock" / "engine.sock").exists()


def essence(out: str) -> list[str]:
    """What was printed, without ids and times."""
    return [re.sub(r"\d+:\d+:\d+\.\d+|[0-9a-z]{26}|[\d.]+ m?s\b", "#", line) for line in out.splitlines()]


def test_a_run_elsewhere_prints_and_answers_what_a_run_here_does(project: Path, start: Start) -> None:
    alone = start("run", "mixed.yaml").end()
    owner = at_gate(start, "open")
    beside = start("run", "mixed.yaml").end()
    as_json = start("run", "mixed.yaml", "--json").end()
    refused = start("run", "gated.yaml", "-i", "gates=x").end()
    (project / "open").touch()

    assert owner.end()[0] == 0
    assert beside[0] == alone[0] == as_json[0] == 1
    assert essence(beside[1]) == essence(alone[1])
    assert essence(beside[2]) == essence(alone[2])
    assert [run["state"]["current"] for run in json.loads(as_json[1])["taskRunList"]][-1] == "FAILED"
    assert refused[0] == 2
    assert "did you mean `gate`" in refused[2]


def test_an_owner_ends_after_what_was_handed_to_it(project: Path, start: Start) -> None:
    owner = at_gate(start, "first")
    beside = at_gate(start, "second")
    (project / "first").touch()
    owner.hears("passed: first")
    owner.warns("still runs an execution for other commands")
    (project / "third").touch()
    late = start("run", "gated.yaml", "-i", "gate=third")
    late.warns("only finishes what it has")
    assert owner.process.poll() is None
    (project / "second").touch()

    assert [command.end()[0] for command in (beside, owner, late)] == [0, 0, 0]
    assert {execution.state for execution in history(project).values()} == {State.SUCCESS}


def test_the_death_of_the_owner_stops_nobody_else(project: Path, start: Start) -> None:
    owner = at_gate(start, "own")
    others = [at_gate(start, f"other{number}") for number in range(3)]
    owner.process.kill()
    owner.process.wait()
    for number in range(3):
        (project / f"other{number}").touch()
    for number, other in enumerate(others):
        code, out, err = other.end()
        assert code == 0, err
        assert f"passed: other{number}" in out
        assert out.count("SUCCESS   after") == 1

    after = history(project)
    assert after.pop("own").state is State.RUNNING, "a dead execution is resumed only when a person asks"
    for execution in after.values():
        wait = next(run for run in execution.in_order() if run.task_id == "wait")
        assert [attempt.state for attempt in wait.attempts] == [AttemptState.LOST, AttemptState.SUCCEEDED]


def test_an_interrupt_kills_the_execution_at_its_owner(project: Path, start: Start) -> None:
    owner = at_gate(start, "own")
    beside = at_gate(start, "never")
    beside.process.send_signal(signal.SIGINT)
    code, out, err = beside.end()
    assert code == 1
    assert "Stopping" in err
    assert "KILLED" in out
    assert "the execution was killed" in err
    (project / "own").touch()
    assert owner.end()[0] == 0
    assert history(project)["never"].state is State.KILLED


def test_an_owner_that_is_interrupted_leaves_the_rest_to_those_who_asked(project: Path, start: Start) -> None:
    owner = at_gate(start, "own")
    beside = at_gate(start, "beside")
    (project / "own").touch()
    owner.warns("Ctrl-C leaves the rest")
    owner.process.send_signal(signal.SIGINT)
    assert owner.end()[0] == 130
    (project / "beside").touch()
    assert beside.end()[0] == 0


def test_an_owner_that_does_not_answer_is_named(
    project: Path, start: Start, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.cli.root import answer

    owner = at_gate(start, "open")
    owner.process.send_signal(signal.SIGSTOP)
    monkeypatch.setattr("engine.runtime.peer.PATIENCE", 0.2)
    code = answer(["run", "mixed.yaml"])
    owner.process.send_signal(signal.SIGCONT)
    told = capsys.readouterr().err
    assert code == 4
    assert f"owned by process {owner.process.pid} (" in told
    assert "does not answer" in told
    (project / "open").touch()
    assert owner.end()[0] == 0
