"""A real `penstock server` in a project of its own, for tests that meet it as its users do."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

PATIENCE = 60  #: seconds after which what should have happened has failed the test
PROGRAM = "from engine.cli import main; main()"

GATED = """\
id: gated
namespace: test
inputs:
  - {id: gate, type: STRING}
tasks:
  - {id: wait, type: test.Gate, name: "{{ inputs.gate }}"}
  - {id: after, type: io.kestra.plugin.core.log.Log, message: "passed {{ inputs.gate }}"}
"""
PLUGIN = """\
import os
from engine.sdk import RunContext, Task


class Gate(Task, type="test.Gate"):
    '''Waits until there is a file of this name, and fails if it says so.'''

    name: str

    def run(self, ctx: RunContext) -> None:
        open(self.name + ".reached", "w").close()
        while not os.path.exists(self.name):
            ctx.sleep(0.01)
        if open(self.name).read() == "fail":
            raise ValueError("as the gate says")
"""


def make_project(folder: Path) -> None:
    """Flows and plugins in a folder."""
    for name, text in {"plugins/gates.py": PLUGIN, "flows/gated.yaml": GATED}.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


class Server:
    """The process. `url` is where it serves, once `ready` has returned."""

    def __init__(self, folder: Path, *options: str, **environ: str) -> None:
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")}
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, "server", "--port", "0", *options],
            cwd=folder,
            env={**kept, "PYTHONPATH": str(Path(__file__).parents[2]), "NO_COLOR": "1", **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.url = ""
        self.banner = ""

    def ready(self) -> Server:
        """Read the banner."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.banner += line
            if found := re.search(r"serves at (http://\S+)", line):
                self.url = found[1]
            if line.startswith("  Next"):
                return self
        raise AssertionError(f"it never served: {self.banner}{self.end()}")

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, Any]:
        """The status and the JSON of an answer; headers are written with _ for -."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(self.url + path, data=body, method=method, headers=named)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, _json(answer.read())
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, _json(refused.read())

    def begin(self, flow: str, **inputs: str) -> Any:
        """Create an execution."""
        parts = [
            f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in inputs.items()
        ]
        body = ("".join(parts) + "--x--\r\n").encode()
        status, execution = self.ask(
            "POST", f"/api/v1/main/executions/{flow}", body, content_type="multipart/form-data; boundary=x"
        )
        assert status == 200, execution
        return execution

    def follow(self, execution_id: str) -> list[tuple[str, Any]]:
        """All events of an execution, up to its end."""
        with urllib.request.urlopen(
            f"{self.url}/api/v1/main/executions/{execution_id}/follow", timeout=PATIENCE
        ) as stream:
            text = stream.read().decode()
        found = re.findall(r"id: (\w+)\ndata: (.*)\n\n", text)
        return [(marker, json.loads(data)) for marker, data in found]

    def reached(self, gate: Path) -> None:
        """Wait until a task stands at the gate."""
        while not Path(f"{gate}.reached").exists():
            assert self.process.poll() is None, self.end()

    def says(self, word: str) -> None:
        """Read what it tells on stderr, up to the line with the word."""
        assert self.process.stderr is not None
        assert any(word in line for line in self.process.stderr), f"{word!r} never came"

    def signal(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def end(self) -> tuple[int, str, str]:
        """Wait for the end: exit code, and what it said."""
        out, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, self.banner + out, err


def _json(text: bytes) -> Any:
    return json.loads(text) if text else None
