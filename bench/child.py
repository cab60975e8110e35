"""Run one workload in a process of its own, and print what it took as JSON. Started by run.py.

    python bench/child.py WORKLOAD HOME

The clock runs from handing the flow in to the last execution's end; parsing the flow and opening the database stand
outside. Memory is the most that the process ever held, imports included.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from workloads import WORKLOADS, Workload

from engine import Engine
from engine.model.execution import Execution

CLIENTS = 64  #: how many wait for an execution at the same time, where a workload runs its executions together


def run(engine: Engine, workload: Workload, path: Path) -> tuple[float, list[Execution]]:
    flow = engine.load(path)
    engine.unfinished()  # opens the database
    start = time.perf_counter()
    if workload.together:
        with ThreadPoolExecutor(CLIENTS) as clients:
            done = list(clients.map(lambda _: engine.run(flow), range(workload.executions)))
    else:
        done = [engine.run(flow) for _ in range(workload.executions)]
    return time.perf_counter() - start, done


def main(name: str, home: Path) -> None:
    workload = WORKLOADS[name]
    path = home / f"{name}.yaml"
    path.write_text(workload.source, encoding="utf-8")
    with Engine(home=home) as engine:
        seconds, done = run(engine, workload, path)
    failed = [execution for execution in done if execution.state != "SUCCESS"]
    assert not failed, failed[0].error
    unit = 1 if sys.platform == "darwin" else 1024
    print(
        json.dumps(
            {
                "seconds": seconds,
                "task_runs": sum(len(execution.task_runs) for execution in done),
                "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6,
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
