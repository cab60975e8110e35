"""What a row works on: a project in a folder of its own, on a new database, and the commands that are typed there."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct

from bench.trust.matrix import Broken, require
from bench.trust.postgres import Postgres
from engine.errors import StoreBusy
from engine.model.execution import Execution
from engine.ports import ExecutionFilter
from engine.store import db_check, open_store

ROOT = Path(__file__).resolve().parents[2]
PENSTOCK = (str(Path(sys.executable).parent / "penstock"),)
MORTAL = (sys.executable, "-P", "-m", "bench.trust.mortal")
PATIENCE = 60.0  #: seconds after which what should have happened has not
DIED = -signal.SIGKILL

PLUGIN = '''\
"""Tasks that leave a trace outside the database: a line in the ledger for each time they have an effect."""

import os
from pathlib import Path

from engine.sdk import RunContext, Task

LEDGER = Path({ledger!r})


class Step(Task, type="trust.Step", effect="effect"):
    """Has its effect, and then waits at the gate, if there is one."""

    gate: str | None = None
    fails: int = 0

    def run(self, ctx: RunContext) -> None:
        with LEDGER.open("a") as ledger:
            ledger.write(f"{{ctx.execution_id}} {{ctx.task_run_id}} {{ctx.task_id}}\\n")
        if ctx.attempt <= self.fails:
            raise RuntimeError("not yet")
        while self.gate is not None and not os.path.exists(self.gate):
            ctx.sleep(0.01)
'''


class Line(Struct, frozen=True):
    """An effect that a task had."""

    execution_id: str
    task_run_id: str
    task_id: str


class Typed(Struct, frozen=True):
    """What came of a command."""

    code: int
    out: str
    err: str

    def well(self) -> Typed:
        """Itself, if it ended well."""
        require(self.code == 0, f"a command ended with {self.code}: {(self.err or self.out)[-500:]}")
        return self


class World:
    """One project. `chance` is the only chance that a row may use: it follows from the seed."""

    def __init__(self, folder: Path, url: str | None, seed: int, server: Postgres | None = None) -> None:
        self.folder = folder
        self.url = url or f"sqlite:///{folder}/.penstock/penstock.db"
        self.server = server
        self.seed = seed
        self.chance = random.Random(seed)
        self.ledger_file = folder / "ledger"
        self.note_file = folder / "note"
        self._started: list[subprocess.Popen[str]] = []
        (folder / "plugins").mkdir(parents=True)
        self.write("plugins/steps.py", PLUGIN.format(ledger=str(self.ledger_file)))
        self.settings()

    @property
    def on_postgres(self) -> bool:
        return self.url.startswith("postgresql")

    @property
    def database(self) -> Path:
        """The file, on SQLite."""
        return Path(self.url.removeprefix("sqlite:///"))

    # -- files

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def settings(self, **others: Any) -> None:
        self.write("penstock.yaml", json.dumps({"database": {"url": self.url}, "plugins": "plugins", **others}))

    def flow(self, id_: str, tasks: str, rest: str = "", *, push: bool = False) -> str:
        """Write a flow of the namespace `trust`, and store it if wanted; the name of its file. `tasks` is YAML."""
        self.write(f"{id_}.yaml", f"id: {id_}\nnamespace: trust\ntasks:\n{tasks.rstrip()}\n{rest}\n")
        if push:
            self.type("flows", "push", f"{id_}.yaml").well()
        return f"{id_}.yaml"

    def ledger(self) -> list[Line]:
        """All effects so far."""
        if not self.ledger_file.exists():
            return []
        return [Line(*line.split()) for line in self.ledger_file.read_text().splitlines() if line.count(" ") == 2]

    # -- commands

    def _environment(self, die: str) -> dict[str, str]:
        """`die` is when, as `bench.trust.mortal` has it."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")}
        return kept | {"PYTHONPATH": str(ROOT), "TRUST_DIE": die, "TRUST_NOTE": str(self.note_file)}

    def start(self, *arguments: str, die: str = "", program: tuple[str, ...] = (), **popen: Any) -> Any:
        """Type a command, and go on. With `die` it is one that dies."""
        program = program or (MORTAL if die else PENSTOCK)
        process: subprocess.Popen[str] = subprocess.Popen(
            [*program, *arguments],
            cwd=self.folder,
            env=self._environment(die),
            stdin=subprocess.DEVNULL,
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **popen},
        )
        self._started.append(process)
        return process

    def end(self, process: subprocess.Popen[str], patience: float = PATIENCE) -> Typed:
        """What a command came to."""
        try:
            out, err = process.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise Broken(f"a command did not end in {patience:.0f} s: {process.args}; {err[-300:]}") from None
        return Typed(process.returncode, out or "", err or "")

    def type(self, *arguments: str, die: str = "", patience: float = PATIENCE, **popen: Any) -> Typed:
        """Type a command and wait for its end."""
        return self.end(self.start(*arguments, die=die, **popen), patience)

    def dies(self, die: str, *arguments: str) -> None:
        """Type a command that must die there."""
        typed = self.type(*arguments, die=die)
        require(typed.code == DIED, f"no {die} came: exit code {typed.code}, {typed.err[-300:]}")

    def has(self, command: str) -> bool:
        """Whether there is such a subcommand yet."""
        return self.type(command, "--help").code == 0

    def close(self) -> None:
        """End what is still running of what was started."""
        for process in self._started:
            process.kill()
            process.wait()
            for stream in filter(None, (process.stdout, process.stderr)):
                stream.close()

    # -- what is stored

    def executions(
        self, *, known: Collection[str] = (), image: bool = False, flow_id: str | None = None
    ) -> dict[str, Execution]:
        """Every execution by its id, the oldest first, but for those known; none where there is no database yet.

        With `image` a copy is read, so that what a crash left is there for the next engine as it was.
        """
        url = self.url
        if not self.on_postgres:
            if not (self.database.exists() and self.database.stat().st_size):
                return {}
            url = f"sqlite:///{self._image()}" if image else url
        try:
            store = open_store(url)
        except StoreBusy:  # its tables are just being made
            return {}
        try:
            rows, _ = store.executions(ExecutionFilter(flow_id=flow_id, limit=100_000, oldest_first=True))
            found = [store.execution(row.id) for row in rows if row.id not in known]
            return {execution.id: execution for execution in found if execution is not None}
        finally:
            store.close()

    def _image(self) -> Path:
        scratch = self.folder / "image"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        for suffix in ("", "-wal"):
            file = self.database.with_name(self.database.name + suffix)
            if file.exists():
                shutil.copy(file, scratch / file.name)
        return scratch / self.database.name

    def only(self, flow: str) -> Execution:
        """The one execution of a flow. Another number of them is a broken promise."""
        found = list(self.executions(flow_id=flow).values())
        require(len(found) == 1, f"there are {len(found)} executions of {flow}, not one")
        return found[0]

    def sound(self) -> None:
        report = db_check(self.url)
        require(report.is_sound, f"the database is damaged: {report.problems}")

    def recover(self, patience: float = PATIENCE) -> Typed:
        return self.type("executions", "recover", patience=patience)

    def until(self, condition: Callable[[], Any], words: str, patience: float = PATIENCE) -> Any:
        """What the condition gives as soon as that is something."""
        end = time.monotonic() + patience
        while not (found := condition()):
            require(time.monotonic() < end, f"{patience:.0f} s went by, and not: {words}")
            time.sleep(0.01)
        return found

    # -- what tests prove already

    def tests(self, *ids: str, select: str | None = None, patience: float = 900, **environment: str) -> str:
        """Run tests by their ids, and say which; one that fails is a broken promise, and so is one that is gone."""
        settings = {"PENSTOCK_TEST_POSTGRES": self.server.uri} if self.server is not None else {}
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *ids]
        done = subprocess.run(
            [*command, "-k", select] if select else command,
            cwd=ROOT,
            env={**os.environ, **settings, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=patience,
        )
        last = done.stdout.strip().splitlines()[-1:] or [done.stderr[-300:]]
        failed = re.findall(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
        require(done.returncode == 0, f"{', '.join(failed[:5]) or 'tests'}: {last[0]}")
        number = re.search(r"(\d+) passed", last[0])
        return f"{number[1] if number else 0} tests passed: {', '.join(_short(id_) for id_ in ids)}"


def _short(id_: str) -> str:
    return id_.removeprefix("tests/")


@contextmanager
def new_world(kind: str, seed: int, server: Postgres | None) -> Iterator[World]:
    """A world on a new database of the kind, gone in the end."""
    with ExitStack() as opened:
        folder = opened.enter_context(tempfile.TemporaryDirectory(prefix="penstock-trust-", dir="/tmp"))
        schema = opened.enter_context(server.schema()) if kind == "postgresql" and server is not None else None
        world = World(Path(folder) / "project", schema, seed, server)
        opened.callback(world.close)
        yield world
