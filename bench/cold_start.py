"""How long a command takes from nothing, beside the least that a Python program with the same libraries takes.

Commands and floors are run in turn, so a machine that slows down slows both; the figures are medians.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from figure import Figure

HERE = Path(__file__).parent
PENSTOCK = str(Path(sys.executable).parent / "penstock")
BARE_HELP = "import click; click.command(lambda: None).main(['--help'])"
FLOW = """\
id: two_tasks
namespace: bench
tasks:
  - id: first
    type: io.kestra.plugin.core.debug.Return
    format: one
  - id: second
    type: io.kestra.plugin.core.log.Log
    message: "{{ outputs.first.value }} and two"
"""

Command = Callable[[int], list[str]]


def seconds(command: list[str]) -> float:
    # An installed package has its bytecode; a checkout must be allowed to keep it.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**environment, "NO_COLOR": "1"})
    return time.perf_counter() - start


def pair(name: str, title: str, command: Command, floor: Command, rounds: int) -> Figure:
    """`command` and `floor` get the round's number, from 0; round 0 warms the disk cache and is not counted."""
    times = [(seconds(command(number)), seconds(floor(number))) for number in range(rounds + 1)][1:]
    mine, bare = (statistics.median(column) for column in zip(*times, strict=True))
    return Figure(name=name, title=title, seconds=mine, floor_seconds=bare)


def figures(scratch: Path, rounds: int) -> list[Figure]:
    flow = scratch / "two_tasks.yaml"
    flow.write_text(FLOW, encoding="utf-8")

    def run(home: Path) -> list[str]:
        return [PENSTOCK, "--home", str(home), "run", str(flow)]

    def bare(database: Path) -> list[str]:
        return [sys.executable, str(HERE / "bare_start.py"), str(database)]

    return [
        pair(
            "help",
            "penstock --help",
            lambda _: [PENSTOCK, "--help"],
            lambda _: [sys.executable, "-c", BARE_HELP],
            rounds,
        ),
        pair(
            "run",
            "penstock run, database there",
            lambda _: run(scratch / "home"),
            lambda _: bare(scratch / "bare.db"),
            rounds,
        ),
        pair(
            "first_run",
            "penstock run, in a new folder",
            lambda number: run(scratch / f"home_{number}"),
            lambda number: bare(scratch / f"bare_{number}.db"),
            rounds,
        ),
    ]
