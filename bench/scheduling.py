"""Measure the scheduler of a real server: `python bench/scheduling.py [delay idle restart] [--seconds N]`.

`delay` is from the instant at which a date is due to the start of its first task, with 100 schedules a minute; `idle`
the share of one core that a server takes with 1,000 triggers of which none is due; `restart` how long a server takes
to be ready when it finds 10,000 executions that wait in a queue.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from urllib.error import URLError

CORE = "io.kestra.plugin.core"
PENSTOCK = str(Path(sys.executable).with_name("penstock"))
_TICKS = os.sysconf("SC_CLK_TCK")


class Server:
    """A server process in a project folder, from its start until it is ready."""

    def __init__(self, project: Path) -> None:
        begun = time.monotonic()
        self._log = (project / "server.log").open("w+")
        self.process = subprocess.Popen(
            [PENSTOCK, "server", "--port", "0"], cwd=project, stdout=self._log, stderr=subprocess.STDOUT
        )
        self.url = self._wait_for_url(project / "server.log")
        while not self._is_ready():
            time.sleep(0.01)
        self.seconds_to_ready = time.monotonic() - begun

    def _wait_for_url(self, log: Path) -> str:
        while not (found := re.search(r"serves at (\S+)", log.read_text())):
            if self.process.poll() is not None:
                raise SystemExit(f"the server ended:\n{log.read_text()}")
            time.sleep(0.01)
        return found[1]

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except URLError:
            return False

    def cpu_seconds(self) -> float:
        """User and system time of the process so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)
        self._log.close()


@contextmanager
def served(project: Path) -> Iterator[Server]:
    server = Server(project)
    try:
        yield server
    finally:
        server.stop()


def write_flows(project: Path, crons: list[str]) -> None:
    folder = project / "flows"
    folder.mkdir()
    for number, cron in enumerate(crons):
        (folder / f"f{number}.yaml").write_text(
            f"id: f{number}\nnamespace: bench\n"
            f"tasks:\n  - {{id: say, type: {CORE}.debug.Return, format: '{{{{ trigger.date }}}}'}}\n"
            "triggers:\n"
            f"  - {{id: t, type: {CORE}.trigger.Schedule, cron: '{cron}', withSeconds: true}}\n"
        )


def delay(project: Path, seconds: float) -> dict[str, float]:
    """In milliseconds."""
    write_flows(project, [f"{number * 3 % 60} * * * * *" for number in range(100)])
    with served(project):
        time.sleep(seconds)
    from engine import Engine
    from engine.ports import ExecutionFilter

    delays = []
    with Engine(project / ".penstock") as engine:
        found, _ = engine.store.executions(ExecutionFilter(limit=100_000))
        for summary in found:
            execution = engine.execution(summary.id)
            (run,) = execution.task_runs.values()
            assert execution.trigger is not None
            due = datetime.fromisoformat(execution.trigger["variables"]["date"])
            delays.append((run.attempts[0].started_at - due).total_seconds() * 1000)
    delays.sort()
    return {
        "fires": len(delays),
        "p50_ms": round(delays[len(delays) // 2], 2),
        "p99_ms": round(delays[len(delays) * 99 // 100], 2),
        "worst_ms": round(delays[-1], 2),
    }


def idle(project: Path, seconds: float) -> dict[str, float]:
    """The share of a core, in percent."""
    write_flows(project, ["0 0 0 1 1 *"] * 1000)
    with served(project) as server:
        time.sleep(5)  # what comes right after the start is not idling
        before = server.cpu_seconds()
        time.sleep(seconds)
        share = 100 * (server.cpu_seconds() - before) / seconds
        return {"seconds_to_ready": round(server.seconds_to_ready, 2), "percent_of_a_core": round(share, 3)}


def restart(project: Path, _seconds: float) -> dict[str, float]:
    (project / "flows").mkdir()
    flow = (
        "id: queue\nnamespace: bench\nconcurrency: {limit: 1, behavior: QUEUE}\n"
        f"tasks:\n  - {{id: hold, type: {CORE}.flow.Pause}}\n"
    )
    from engine import Engine

    with Engine(project / ".penstock") as engine:
        parsed = engine.parse(flow, file="queue.yaml")
        first = engine.submit(parsed)
        made = [engine._create(parsed, None, None) for _ in range(10_000)]
        for stored in [engine.loop.submit(parsed, new.execution) for new in made]:
            stored.result()
        assert engine.execution(made[-1].execution.id).state == "QUEUED", first.state
    with served(project) as server:
        return {"queued": 10_000, "seconds_to_ready": round(server.seconds_to_ready, 2)}


MEASURES = {"delay": delay, "idle": idle, "restart": restart}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(MEASURES)}; default: all")
    parser.add_argument("--seconds", type=float, default=60, help="how long to look at a server (60)")
    options = parser.parse_args()
    for name in options.names or MEASURES:
        with tempfile.TemporaryDirectory(prefix="penstock-bench-") as folder:
            print(json.dumps({"measure": name, **MEASURES[name](Path(folder), options.seconds)}), flush=True)


if __name__ == "__main__":
    main()
