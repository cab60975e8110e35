"""An engine that dies while a command of a flow begins, works or has ended. For processes of their own, like dying.py.

The command writes a line to a ledger whenever it runs: the key it was given, and whether another one ran beside it.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.model.execution import StartedProcess, TaskRun
from engine.model.state import TERMINAL, State
from engine.runtime.context import AttemptContext
from engine.runtime.tasks import Tasks
from tests.acceptance.dying import PATIENCE, die, enter, until

#: Who holds the lock lives. It does not want to stop, and its grandchild, in a session of its own, even less.
WORK = """\
import fcntl, os, signal, subprocess, sys, time
from pathlib import Path

signal.signal(signal.SIGTERM, signal.SIG_IGN)
folder = Path(sys.argv[1])
lock = (folder / "lock").open("w")
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    beside = "alone"
except BlockingIOError:
    beside = "beside another"
with (folder / "ledger").open("a") as ledger:
    ledger.write(f"{os.environ['PENSTOCK_IDEMPOTENCY_KEY']} {beside}\\n")
if not (folder / "go").exists():
    hang = [sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"]
    subprocess.Popen(hang, start_new_session=True, pass_fds=[lock.fileno()])
    time.sleep(600)
"""


def text_of(folder: Path, on_lost: str) -> str:
    command = f"{sys.executable} {folder}/work.py {folder}"
    return f"""\
id: lost
namespace: n
tasks:
  - {{id: work, type: io.kestra.plugin.scripts.shell.Commands, onLost: {on_lost}, commands: ["{command}"]}}
"""


def kill_myself(*_: object) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def run_and_die(folder: Path, on_lost: str, moment: str) -> None:
    """Run the flow, and die when its command is about to be recorded (`within`, `after` the commit), or has `ended`.

    With `never` somebody else sees to that.
    """
    record: Callable[[Tasks, TaskRun, StartedProcess], None] = Tasks._record

    def recording(tasks: Tasks, run: TaskRun, process: StartedProcess) -> None:
        (folder / "marker").write_text(process.marker)
        if moment in ("within", "after"):
            die(moment)
        record(tasks, run, process)

    Tasks._record = recording  # type: ignore[method-assign]
    if moment == "ended":
        (folder / "go").touch()
        AttemptContext.close = kill_myself  # type: ignore[method-assign]
    engine = enter(folder)
    execution = engine.submit(engine.parse(text_of(folder, on_lost), file="lost.yaml"))
    (folder / "ready").write_text(execution.id)
    engine.follow(execution.id, timeout=PATIENCE)


def recover(folder: Path, *end: State) -> None:
    """Take it over, and see it to one of these ends."""
    with enter(folder) as engine:
        id_ = (folder / "ready").read_text() if (folder / "ready").exists() else engine.left_behind[0]
        (folder / "ready").write_text(id_)
        (folder / "go").touch()
        engine.recover()
        until(engine, id_, State.PAUSED, *TERMINAL)
        assert engine.execution(id_).state in end
