"""Python commands and scripts, by the interpreter that the environment has."""

import shlex
import shutil
import sys
from pathlib import Path

from engine import sdk
from plugins.scripts.task import ScriptTask, script_file, with_local_files


class Commands(ScriptTask, type="io.kestra.plugin.scripts.python.Commands"):
    """Run shell commands for a project in Python, such as `python main.py`."""

    EXAMPLES = (
        sdk.Example(
            "Run a program that is a file of the namespace.",
            """
            id: run_main
            namespace: company.team
            tasks:
              - id: main
                type: io.kestra.plugin.scripts.python.Commands
                taskRunner:
                  type: io.kestra.plugin.core.runner.Process
                namespaceFiles:
                  enabled: true
                beforeCommands:
                  - python -m venv .venv
                  - . .venv/bin/activate
                commands:
                  - python main.py
            """,
        ),
    )

    commands: list[str]
    """The commands, in order."""

    def _commands(self, ctx: sdk.RunContext, private: Path) -> list[str]:
        return self.commands


class Script(ScriptTask, type="io.kestra.plugin.scripts.python.Script"):
    """Run a Python script.

    The interpreter is the `python` of the PATH, or else its `python3`, or else the one that runs the engine.
    """

    EXAMPLES = (
        sdk.Example(
            "Hand a number on.",
            """
            id: add_up
            namespace: company.team
            tasks:
              - id: add
                type: io.kestra.plugin.scripts.python.Script
                taskRunner:
                  type: io.kestra.plugin.core.runner.Process
                script: |
                  import json
                  print("::" + json.dumps({"outputs": {"sum": sum(range(10))}}) + "::")
              - id: say
                type: io.kestra.plugin.core.log.Log
                message: "{{ outputs.add.vars.sum }}"
            """,
        ),
    )

    script: str
    """The text of the script."""

    def _commands(self, ctx: sdk.RunContext, private: Path) -> list[str]:
        path = self.environment(ctx).get("PATH")
        found = next((name for name in ("python", "python3") if shutil.which(name, path=path)), sys.executable)
        script = script_file(ctx)
        script.write_text(with_local_files(self.script, ctx, private), encoding="utf-8")
        return [shlex.join([found, script.name])]
