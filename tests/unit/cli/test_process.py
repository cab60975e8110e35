"""The command as a process: signals, pipes that break, terminals, odd environments, what a start costs."""

import errno
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import click
import pytest

from engine.cli.root import penstock as root
from tests.unit.cli.typed import HELLO, Penstock

Start = Callable[..., "subprocess.Popen[bytes]"]
HEAVY = {"openai", "sqlalchemy", "pydantic", "networkx", "fastapi", "rich", "jinja2", "yaml", "alembic"}


def wait_for(stream: IO[bytes], word: bytes) -> None:
    """Read up to the line with the word."""
    for line in stream:
        if word in line:
            return
    raise AssertionError(f"{word!r} never came")


def listen_to_interrupts() -> None:
    # Whoever started the tests in the background may have had SIGINT ignored for all its children.
    signal.signal(signal.SIGINT, signal.default_int_handler)


class TestSignals:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_the_first_one_kills_the_execution_and_waits(
        self, start: Start, penstock: Penstock, number: signal.Signals
    ) -> None:
        with start("run", "waiting.yaml", preexec_fn=listen_to_interrupts) as process:
            wait_for(process.stdout, b"RUNNING")
            process.send_signal(number)
            out, err = process.communicate(timeout=30)
        assert process.returncode == 1
        assert b"Stopping" in err
        assert b"the execution was killed" in err
        assert b"KILLED" in out
        assert penstock("executions", "show", "latest", "--json").json["state"]["current"] == "KILLED"

    def test_a_second_one_leaves_at_once(self, start: Start, penstock: Penstock, project: Path) -> None:
        (project / "plugins").mkdir()
        (project / "plugins" / "deaf.py").write_text(
            "import threading\nfrom engine.sdk import Task\n"
            'class Deaf(Task, type="acme.Deaf"):\n'
            "    def run(self, ctx):\n"
            "        threading.Event().wait(60)\n"
        )
        (project / "deaf.yaml").write_text("id: deaf\nnamespace: acme\ntasks: [{id: nap, type: acme.Deaf}]\n")
        with start("run", "deaf.yaml", preexec_fn=listen_to_interrupts) as process:
            wait_for(process.stdout, b"RUNNING")
            process.send_signal(signal.SIGINT)
            wait_for(process.stderr, b"Stopping")
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=30)
        assert process.returncode == -signal.SIGINT
        assert b"Left at once" in err
        shown = penstock("executions", "show", "latest").out
        assert f"its engine, process {process.pid}, is gone" in shown
        assert "penstock executions recover" in shown

    def test_while_it_runs_its_engine_is_named_and_runs_what_others_type(
        self, start: Start, penstock: Penstock
    ) -> None:
        with start("run", "waiting.yaml", preexec_fn=listen_to_interrupts) as process:
            wait_for(process.stdout, b"RUNNING")
            shown = penstock("executions", "show", "latest").out
            beside = penstock("run", "hello.yaml")
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=30)
        assert f"its engine runs as process {process.pid}" in shown
        assert beside.code == 0
        assert "SUCCESS" in beside.out
        assert beside.err == ""


class TestOutput:
    def test_a_reader_that_goes_away_does_not_stop_a_run(self, start: Start) -> None:
        with start("run", "hello.yaml") as process:
            process.stdout.close()
            err = process.stderr.read()
        assert (process.returncode, err) == (0, b"")

    @pytest.mark.parametrize("command", [["executions", "list"], ["plugins", "list"], ["--help"]])
    def test_a_reader_that_goes_away_ends_a_list_in_silence(self, start: Start, command: list[str]) -> None:
        with start(*command) as process:
            process.stdout.close()
            err = process.stderr.read()
        assert (process.returncode, err) == (1, b"")

    def test_no_stdout_at_all(self, start: Start) -> None:
        with start("run", "hello.yaml", preexec_fn=lambda: os.close(1), stdout=None) as process:
            _, err = process.communicate(timeout=30)
        assert (process.returncode, err) == (0, b"")

    def test_a_full_disk(self, penstock: Penstock, monkeypatch: pytest.MonkeyPatch) -> None:
        echo = click.echo

        def full(message: str, *, err: bool = False, **options: Any) -> None:
            if not err:
                raise OSError(errno.ENOSPC, "No space left on device")
            echo(message, err=True, **options)

        monkeypatch.setattr(click, "echo", full)
        told = penstock("plugins", "list")
        assert told.code == 1
        assert "cannot write the output: No space left on device" in told.err

    def test_control_characters_of_a_flow_do_not_reach_the_terminal(self, penstock: Penstock, project: Path) -> None:
        (project / "hello.yaml").write_text(HELLO.replace("Hello {{", "\\e]0;title\\a{{").replace("\\e", "\\x1b"))
        assert penstock("run", "hello.yaml").code == 0
        assert "\x1b" not in penstock("executions", "logs", "latest").out


class TestEnvironment:
    def test_ascii_only(self, start: Start) -> None:
        ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
        name = "name=Zoë".encode()
        with start("run", "hello.yaml", "-i", name, environ=ascii_only) as process:
            out, err = process.communicate(timeout=30)
        assert (process.returncode, err) == (0, b"")
        assert "greeting: Hello Zoë" in out.decode()
        with start("executions", "outputs", "latest", environ=ascii_only) as process:
            assert rb"Hello Zo\u00eb" in process.communicate(timeout=30)[0]

    def test_no_home_folder(self, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("HOME")
        with start("run", "hello.yaml", "-q") as process:
            assert process.communicate(timeout=30) == (b"", b"")

    def test_a_current_folder_that_is_gone(self, start: Start, project: Path) -> None:
        def leave_nothing() -> None:
            os.mkdir("gone")
            os.chdir("gone")
            os.rmdir(project / "gone")

        with start("executions", "list", preexec_fn=leave_nothing) as process:
            _, err = process.communicate(timeout=30)
        assert process.returncode == 2
        assert b"the current folder does not exist any more" in err

    @pytest.mark.parametrize("argument", [b"\xff", b"--\xff", b"run\xff"])
    def test_arguments_that_are_no_text(self, start: Start, argument: bytes) -> None:
        with start(argument) as process:
            _, err = process.communicate(timeout=30)
        assert process.returncode == 2
        assert b"Traceback" not in err


class TestTerminal:
    def run_on_a_terminal(self, start: Start, *arguments: str, **environ: str) -> str:
        ours, theirs = pty.openpty()
        environ = {"TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8", "COLUMNS": "100", "LINES": "40"} | environ
        with start(*arguments, stdin=theirs, stdout=theirs, stderr=theirs, environ=environ):
            os.close(theirs)
            shown = b""
            try:
                while part := os.read(ours, 65536):
                    shown += part
            except OSError:
                pass  # Linux's way of saying that the other side is closed
        os.close(ours)
        return shown.decode()

    def test_a_live_tree_in_colour(self, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("NO_COLOR", raising=False)
        shown = self.run_on_a_terminal(start, "run", "failing.yaml")
        assert "└─ " in shown
        assert "\x1b[31mFAILED" in shown
        assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l"), "the cursor is back"

    def test_no_colour(self, start: Start) -> None:
        shown = self.run_on_a_terminal(start, "run", "failing.yaml", NO_COLOR="1")
        assert "└─ " in shown
        assert "\x1b[31m" not in shown
        assert "\x1b[9" not in shown
        assert "\x1b" not in self.run_on_a_terminal(start, "run", "nope.yaml", NO_COLOR="1")

    def test_a_dumb_terminal_gets_plain_lines(self, start: Start) -> None:
        assert "\x1b" not in self.run_on_a_terminal(start, "run", "hello.yaml", TERM="dumb")


class TestStart:
    @pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["completion", "bash"]])
    def test_nothing_heavy_is_imported(self, project: Path, arguments: list[str]) -> None:
        code = "import sys; from engine.cli.root import answer; answer(sys.argv[1:])"
        command = [sys.executable, "-X", "importtime", "-c", code, *arguments]
        told: Any = subprocess.run(command, capture_output=True, text=True, check=True)
        imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in told.stderr.splitlines()}
        assert "click" in imported
        assert not imported & HEAVY

    def test_version(self, penstock: Penstock) -> None:
        from engine import __version__

        assert penstock("--version").out == f"penstock {__version__}\n"

    @pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
    def test_completion(self, penstock: Penstock, shell: str) -> None:
        assert "_PENSTOCK_COMPLETE" in penstock("completion", shell).out

    @pytest.mark.parametrize(("arguments", "meant"), [(["rnu"], "run"), (["executions", "shw"], "show")])
    def test_did_you_mean(self, penstock: Penstock, arguments: list[str], meant: str) -> None:
        refused = penstock(*arguments)
        assert refused.code == 2
        assert f"did you mean {meant}?" in refused.err

    def test_a_bug_is_called_a_bug(self, penstock: Penstock, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(*_: object) -> None:
            raise RuntimeError("oh no")

        monkeypatch.setattr("engine.settings.find_project", broken)
        told = penstock("executions", "list")
        assert told.code == 1
        assert "this is a bug in penstock: RuntimeError: oh no" in told.err
        assert "Traceback" not in told.err
        monkeypatch.setenv("PENSTOCK_DEBUG", "1")
        with pytest.raises(RuntimeError):
            penstock("executions", "list")


def test_every_command_is_documented() -> None:
    page = (Path(__file__).parents[3] / "docs" / "command-line.md").read_text(encoding="utf-8")
    context = click.Context(root)
    for name in root.list_commands(context):
        assert f"penstock {name}" in page
        command = root.get_command(context, name)
        for below in getattr(command, "commands", {}):
            assert f"`{below}" in page or f"{name} {below}" in page
