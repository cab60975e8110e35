"""The `penstock` command itself: which subcommands there are, and the one place where errors become exit codes.

Always true: a subcommand's module is imported only when that subcommand is typed, so `--help` costs click alone;
no error leaves `main` as a traceback, unless PENSTOCK_DEBUG=1 asks for it.
"""

from __future__ import annotations

import errno
import os
import sys
from importlib import import_module
from typing import Any

import click

from engine import __version__
from engine.cli.commands import Group, home_option
from engine.cli.terminal import abandon_stdout, mend_streams, printable, say_error, tell, wants_colour
from engine.errors import FlowInvalid, PenstockError

#: name -> (where the command is, one line for the help).
SUBCOMMANDS = {
    "run": ("engine.cli.run:run", "Run a flow and follow it to its end."),
    "server": ("engine.cli.server:server", "Run flows by their triggers, and serve the API."),
    "validate": ("engine.cli.validate:validate", "Check flows without running them."),
    "migrate": ("engine.cli.migrate:migrate", "Rewrite flows for another version of Kestra."),
    "executions": ("engine.cli.executions_acting:executions", "Look at what has run, and do something about it."),
    "flows": ("engine.cli.flows:flows", "Look at the stored flows."),
    "triggers": ("engine.cli.triggers_acting:triggers", "Look at what starts flows by itself, and switch it."),
    "plugins": ("engine.cli.plugins:plugins", "Look at the task types there are."),
    "kv": ("engine.cli.kv:kv", "Look at and change what flows remember."),
    "secrets": ("engine.cli.secrets:secrets", "Keep values that nobody may see."),
    "eval": ("engine.cli.evaluate:evaluate", "Evaluate an expression as an execution sees it."),
    "db": ("engine.cli.db:db", "Look after the database."),
    "doctor": ("engine.cli.doctor:doctor", "Look whether all is as it should be."),
    "completion": ("engine.cli.completion:completion", "Print a script that completes commands in a shell."),
}


class Root(Group):
    """Loads a subcommand when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in SUBCOMMANDS:
            return None
        module, _, name = SUBCOMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in SUBCOMMANDS.items()])


@click.group(cls=Root, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version", message="penstock %(version)s")
def penstock() -> None:
    """Run Kestra-dialect flows in one Python process.

    State lives in the project's .penstock folder, or where --home or PENSTOCK_HOME points.
    """


penstock.params.append(home_option())


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave the process with its exit code."""
    # This process is ours, and its models have no use for pydantic plugins: to look for some, every installed
    # distribution would be read.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")
    sys.exit(answer(arguments))


def answer(arguments: list[str] | None = None) -> int:
    """The error boundary: the exit code of a command line, with every error told on stderr."""
    mend_streams()
    try:
        result: Any = penstock.main(
            args=arguments, prog_name="penstock", standalone_mode=False, color=None if wants_colour() else False
        )
        if sys.stdout is not None:
            sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except click.ClickException as refused:
        refused.show()
        return refused.exit_code
    except (click.Abort, KeyboardInterrupt):
        say_error("interrupted")
        return 130
    except FlowInvalid as invalid:
        say_findings(invalid)
        return invalid.exit_code
    except PenstockError as error:
        say_error(error.message, error.hint)
        return error.exit_code
    except OSError as error:
        return _stream_error(error)
    except Exception as bug:  # noqa: BLE001 - the boundary: whatever gets here is told, never thrown at a person
        return _bug(bug)


def say_findings(invalid: FlowInvalid) -> None:
    """What is wrong with a flow, as `penstock validate` tells it."""
    from engine.cli.validate import painted

    errors = [finding for finding in invalid.diagnostics if finding.severity == "error"]
    tell("\n\n".join(map(painted, errors)) or printable(invalid.message))


def _stream_error(error: OSError) -> int:
    if error.errno == errno.EPIPE:
        abandon_stdout()
        return 1
    if error.errno in (errno.ENOSPC, errno.EIO) and error.filename is None:
        say_error(f"cannot write the output: {error.strerror}")
        return 1
    return _bug(error)


def _bug(error: Exception) -> int:
    if os.environ.get("PENSTOCK_DEBUG") == "1":
        raise error
    say_error(
        f"this is a bug in penstock: {type(error).__name__}: {error}",
        "please report it, with what PENSTOCK_DEBUG=1 adds to the same command",
    )
    return 1
