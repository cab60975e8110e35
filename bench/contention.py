"""Many processes at one database: what they are told, and how long they wait.

    python -m bench.contention [--seconds 120] [--processes 16] [--home FOLDER]

Beside a busy server, so many commands at a time run flows, set keys and read lists, through the command line and
through the API, while one reader keeps a transaction open. Counted are errors by what they say, the times of reads and
writes, and how large the write-ahead log gets.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from tests.acceptance.serving import Server

PENSTOCK = str(Path(sys.executable).parent / "penstock")
ROOT = Path(__file__).resolve().parents[1]
QUICK = "id: quick\nnamespace: busy\ntasks:\n  - {id: say, type: io.kestra.plugin.core.log.Log, message: hello}\n"
BUSY = """\
id: busy
namespace: busy
tasks:
  - id: each
    type: io.kestra.plugin.core.flow.ForEach
    values: "{{ range(1, 200) }}"
    concurrencyLimit: 4
    tasks:
      - {id: nap, type: io.kestra.plugin.core.flow.Sleep, duration: PT0.01S}
      - {id: say, type: io.kestra.plugin.core.log.Log, message: "{{ taskrun.value }}"}
triggers:
  - {id: often, type: io.kestra.plugin.core.trigger.Schedule, cron: "* * * * * *", withSeconds: true}
"""
#: What is typed.
COMMANDS = (
    ("run", "--quiet", "quick.yaml"),
    ("kv", "set", "busy", "key", "value"),
    ("executions", "list", "--json"),
    ("executions", "show", "latest"),
)


@dataclass
class Figures:
    seconds: float = 0
    times: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))  #: seconds, by what was asked
    errors: Counter[str] = field(default_factory=Counter)
    largest_wal: int = 0
    wal_at_end: int = 0

    @property
    def locked(self) -> int:
        return sum(number for words, number in self.errors.items() if "locked" in words)

    def p99(self, asked: str) -> float:
        """Seconds, of one kind of request."""
        return _share(self.times[asked], 99)

    def __str__(self) -> str:
        asked = "; ".join(
            f"{name}: {len(times)}, p50 {_share(times, 50):.2f} s, p99 {_share(times, 99):.2f} s"
            for name, times in sorted(self.times.items())
        )
        return (
            f"{self.seconds:.0f} s, {sum(self.errors.values())} errors, {self.locked} of them `locked`; {asked}; "
            f"largest log {self.largest_wal / 2**20:.1f} MB, {self.wal_at_end / 2**20:.1f} MB in the end"
        )


def _share(values: list[float], percent: int) -> float:
    return sorted(values)[min(len(values) - 1, len(values) * percent // 100)] if values else 0.0


def contend(folder: Path, seconds: float, processes: int) -> Figures:
    """Have the processes at it in a project folder, which may be new."""
    (folder / "flows").mkdir(parents=True, exist_ok=True)
    (folder / "penstock.yaml").touch()
    for name, text in (("quick.yaml", QUICK), ("flows/quick.yaml", QUICK), ("flows/busy.yaml", BUSY)):
        (folder / name).write_text(text, encoding="utf-8")
    figures, stop = Figures(), threading.Event()
    server = Server(folder, "--flows", "flows").ready()
    drain = threading.Thread(target=server.process.stderr.read, daemon=True)  # type: ignore[union-attr]
    drain.start()
    work = [threading.Thread(target=_type, args=(folder, figures, stop, number)) for number in range(processes - 3)]
    work += [threading.Thread(target=_ask, args=(server, figures, stop)) for _ in range(2)]
    work += [threading.Thread(target=_read_long, args=(folder, figures, stop))]
    try:
        for thread in work:
            thread.start()
        stop.wait(seconds)
        stop.set()
        for thread in work:
            thread.join()
        time.sleep(1.5)  # a checkpoint comes with the next commits
        figures.wal_at_end = _wal(folder)
    finally:
        stop.set()
        server.process.terminate()
        server.process.wait(60)
    figures.seconds = seconds
    return figures


def _type(folder: Path, figures: Figures, stop: threading.Event, number: int) -> None:
    """One process after the other."""
    chance = random.Random(number)
    while not stop.is_set():
        command = chance.choice(COMMANDS)
        begun = time.monotonic()
        done = subprocess.run(
            [PENSTOCK, *command], cwd=folder, capture_output=True, text=True, check=False, timeout=300
        )
        figures.times[" ".join(command[:2])].append(time.monotonic() - begun)
        if done.returncode != 0:
            figures.errors[f"{command[0]}: {(done.stderr.strip() or done.stdout.strip())[:200]}"] += 1
        figures.largest_wal = max(figures.largest_wal, _wal(folder))


def _ask(server: Server, figures: Figures, stop: threading.Event) -> None:
    """One request after the other."""
    while not stop.is_set():
        for name, call in (
            ("API create", lambda: server.begin("busy/quick")),
            ("API search", lambda: server.ask("GET", "/api/v1/main/executions/search?size=25")),
        ):
            begun = time.monotonic()
            try:
                call()
            except (OSError, AssertionError) as error:
                figures.errors[f"API: {error}"[:200]] += 1
            figures.times[name].append(time.monotonic() - begun)


def _read_long(folder: Path, figures: Figures, stop: threading.Event) -> None:
    """A reader that holds one moment of the database for seconds, as a long export does."""
    database = folder / ".penstock" / "penstock.db"
    while not stop.is_set():
        connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, isolation_level=None)
        try:
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM executions").fetchone()
            stop.wait(5)
            connection.execute("SELECT count(*) FROM task_runs").fetchone()
        except sqlite3.Error as error:
            figures.errors[f"reader: {error}"] += 1
        finally:
            connection.close()


def _wal(folder: Path) -> int:
    try:
        return (folder / ".penstock" / "penstock.db-wal").stat().st_size
    except FileNotFoundError:
        return 0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.contention", description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--processes", type=int, default=16)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="penstock-contention-", dir="/tmp") as folder:
        figures = contend(Path(folder), options.seconds, options.processes)
    print(figures)
    for words, number in figures.errors.most_common():
        print(f"  {number} x {words}")
    sys.exit(1 if figures.errors else 0)


if __name__ == "__main__":
    main()
