"""Shell commands and scripts."""

from pathlib import Path

from engine import sdk
from plugins.scripts.task import ScriptTask


class Commands(ScriptTask, type="io.kestra.plugin.scripts.shell.Commands"):
    """Run shell commands, one after the other, in one shell."""

    EXAMPLES = (
        sdk.Example(
            "Count the lines of a file, and hand the number on.",
            """
            id: count_lines
            namespace: company.team
            tasks:
              - id: count
                type: io.kestra.plugin.scripts.shell.Commands
                taskRunner:
                  type: io.kestra.plugin.core.runner.Process
                inputFiles:
                  words.txt: |
                    one
                    two
                commands:
                  - lines=$(wc -l < words.txt)
                  - 'echo "::{\\"outputs\\": {\\"lines\\": $lines}}::"'
              - id: say
                type: io.kestra.plugin.core.log.Log
                message: "{{ outputs.count.vars.lines }} lines"
            """,
        ),
    )

    commands: list[str]
    """The commands, in order."""

    def _commands(self, ctx: sdk.RunContext, private: Path) -> list[str]:
        return self.commands


class Script(ScriptTask, type="io.kestra.plugin.scripts.shell.Script"):
    """Run a shell script."""

    EXAMPLES = (
        sdk.Example(
            "Make a file and store it.",
            """
            id: make_file
            namespace: company.team
            tasks:
              - id: make
                type: io.kestra.plugin.scripts.shell.Script
                taskRunner:
                  type: io.kestra.plugin.core.runner.Process
                outputFiles: ["*.txt"]
                script: |
                  for number in 1 2 3; do
                    echo $number >> numbers.txt
                  done
            """,
        ),
    )

    script: str
    """The text of the script."""

    def _commands(self, ctx: sdk.RunContext, private: Path) -> list[str]:
        return [self.script]
