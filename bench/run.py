"""Measure the engine: `make bench`, or `python bench/run.py [--rounds N] [--json FILE] [NAME ...]`.

Every figure stands beside a floor that was measured in the same run, because the disk and the neighbours of one
machine differ by more than any change to the code; compare ratios. `each` is per task run, or per command.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import cold_start
from figure import Figure, table
from workloads import WORKLOADS, Workload

HERE = Path(__file__).parent


def child(script: str, *arguments: str) -> dict[str, Any]:
    """What a script of this folder printed, in a process of its own."""
    done = subprocess.run(
        [sys.executable, str(HERE / script), *arguments],
        env={**os.environ, "PENSTOCK_PLUGINS": str(HERE / "plugins")},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def measure(workload: Workload, scratch: Path, rounds: int) -> Figure:
    """The best of the rounds, for both: a busy disk can only add, and may add a hundredfold."""
    mine, floor = [], []
    for number in range(1 if workload.slow else rounds):
        home = scratch / f"{workload.name}_{number}"
        home.mkdir()
        mine.append(child("child.py", workload.name, str(home)))
        floor.append(child("floor.py", workload.name, str(home / "penstock.db"), str(home / "floor.db")))
    return Figure(
        name=workload.name,
        title=workload.title,
        seconds=min(answer["seconds"] for answer in mine),
        floor_seconds=min(answer["seconds"] for answer in floor),
        task_runs=mine[0]["task_runs"],
        peak_mb=max(answer["peak_mb"] for answer in mine),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"cold_start, {', '.join(WORKLOADS)}; default: all")
    parser.add_argument(
        "--rounds", type=int, default=3, help="how often each workload is run (cold starts: five times)"
    )
    parser.add_argument("--json", type=Path, default=HERE.parent / "build" / "bench.json", metavar="FILE")
    options = parser.parse_args()
    wanted = options.names or ["cold_start", *WORKLOADS]
    if unknown := set(wanted) - {"cold_start", *WORKLOADS}:
        parser.error(f"no such figure: {', '.join(sorted(unknown))}")

    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as folder:
        scratch = Path(folder)
        figures = cold_start.figures(scratch, options.rounds * 5) if "cold_start" in wanted else []
        figures += [measure(WORKLOADS[name], scratch, options.rounds) for name in wanted if name in WORKLOADS]

    print(table(figures))
    machine = {"python": platform.python_version(), "sqlite": sqlite3.sqlite_version, "processors": os.cpu_count()}
    options.json.parent.mkdir(parents=True, exist_ok=True)
    report = {"machine": machine, "figures": [figure.as_json() for figure in figures]}
    options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(f"\nratio: what it costs where the floor costs 1. Written to {os.path.relpath(options.json)}")


if __name__ == "__main__":
    main()
