"""A project on a PostgreSQL database that several commands share, each of them an engine; for tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from engine.model.execution import Execution
from engine.ports import ExecutionFilter
from engine.store import open_store
from engine.store.sql import SqlStore

PENSTOCK = str(Path(sys.executable).parent / "penstock")
#: A developer's own settings are not for the projects of these tests.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")}
PATIENCE = 60.0  #: seconds within which anything that is waited for has to happen
LEASE = 3  #: seconds

PLUGIN = '''\
import os
from pathlib import Path
from engine.sdk import RunContext, Task


class Await(Task, type="test.Await", effect="effect"):
    """Says that it has begun, and ends when there is a file."""

    file: str

    def run(self, ctx: RunContext) -> None:
        with open("begun.txt", "a") as begun:
            begun.write(f"{ctx.execution_id} {os.getpid()}\\n")
        while not Path(self.file).exists():
            ctx.sleep(0.02)
        with open("ended.txt", "a") as ended:
            ended.write(f"{ctx.execution_id} {os.getpid()}\\n")
'''

T = TypeVar("T")


def until(found: Callable[[], T], seconds: float = PATIENCE) -> T:
    """What is found, as soon as it is."""
    end = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)
    return value


class Project:
    """A folder with its settings. Every process that it begins is ended by `close`."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        (folder / "plugins").mkdir()
        (folder / "plugins" / "awaiting.py").write_text(PLUGIN, encoding="utf-8")
        settings = {"plugins": "plugins", "database": {"url": url, "lease": f"PT{LEASE}S"}}
        (folder / "penstock.yaml").write_text(json.dumps(settings), encoding="utf-8")
        opened = open_store(url)
        assert isinstance(opened, SqlStore)
        self.store = opened
        self._processes: list[subprocess.Popen[str]] = []

    def flow(self, name: str, text: str) -> str:
        (self.folder / f"{name}.yaml").write_text(f"id: {name}\nnamespace: test\n{text}", encoding="utf-8")
        return f"{name}.yaml"

    def begin(self, *command: str) -> subprocess.Popen[str]:
        """Start a `penstock` command and leave it alone."""
        process = subprocess.Popen(
            [PENSTOCK, *command],
            cwd=self.folder,
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._processes.append(process)
        return process

    def serve(self) -> subprocess.Popen[str]:
        """A server, ready."""
        process = self.begin("server", "--port", "0", "--no-scheduler")
        assert process.stdout is not None
        said = ""
        while "serves at" not in said:
            line = process.stdout.readline()
            assert line, f"it ended: {said}"
            said += line
        return process

    def __call__(self, *command: str, code: int = 0) -> str:
        """The output of a command that ends as it should."""
        process = self.begin(*command)
        printed, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == code, printed
        return printed

    # -- looking

    def begun(self) -> list[list[str]]:
        """Each beginning of an `Await`: its execution and its process."""
        return self._lines("begun.txt")

    def ended(self) -> list[list[str]]:
        return self._lines("ended.txt")

    def _lines(self, name: str) -> list[list[str]]:
        file = self.folder / name
        return [line.split() for line in file.read_text().splitlines()] if file.exists() else []

    def executions(self) -> list[Execution]:
        """All of them, the oldest first."""
        page, _ = self.store.executions(ExecutionFilter(limit=1000, oldest_first=True))
        found = [self.store.execution(summary.id) for summary in page]
        return [execution for execution in found if execution is not None]

    def only(self) -> Execution:
        (execution,) = self.executions()
        return execution

    def sql(self, text: str, *values: Any) -> list[Any]:
        """Rows, from under the engines' feet."""
        with self.store.database.writing() as connection:
            result = connection.exec_driver_sql(text, values)
            return list(result) if result.returns_rows else []

    def close(self) -> None:
        for process in self._processes:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
        self.store.close()
