"""What a sweep does to those who write meanwhile, and to the size of the file.

    python bench/retention.py [executions]

Fills a SQLite database with executions of three task runs and ten log lines each, half of them too old, and sweeps
while another thread commits as the loop does. Then it goes on in rounds, as many new ones as old ones that go, to see
whether the file keeps its size.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles

from engine.files.local import LocalFiles
from engine.model.execution import Attempt, Execution, StateChange, TaskRun
from engine.model.state import AttemptState, State
from engine.ports import ExecutionChange, LogLine
from engine.runtime.clock import SystemClock
from engine.runtime.retention import Limits, Retention
from engine.runtime.writes import Write
from engine.store import open_store
from engine.store.sql import SqlStore

OLD, YOUNG = timedelta(days=100), timedelta(days=1)
BATCH = 64


def an_execution(number: int, age: timedelta) -> ExecutionChange:
    """One that ended `age` ago."""
    began = datetime.now(UTC) - age
    history = tuple(StateChange(state, began) for state in (State.CREATED, State.RUNNING, State.SUCCESS))
    id_ = f"{number:026x}"
    given = {"namespace": "bench", "flow_id": f"flow{number % 10}", "flow_revision": 1, "labels": {"team": "a"}}
    execution = Execution(id=id_, state=State.SUCCESS, history=history, inputs={"name": "Ada"}, **given)
    attempt = Attempt(epoch=1, state=AttemptState.SUCCEEDED, started_at=began, ended_at=began)
    runs = {
        f"{id_}-{seq}": TaskRun(
            id=f"{id_}-{seq}", execution_id=id_, task_id=f"task{seq}", seq=seq, state=State.SUCCESS, history=history,
            epoch=1, attempts=(attempt,), outputs={"value": f"the output of task {seq}" * 4},
        )
        for seq in range(3)
    }  # fmt: skip
    logs = [LogLine(execution_id=id_, at=began, level="INFO", message=f"line {line} of a log") for line in range(10)]
    return ExecutionChange(before=None, after=execution, task_runs=runs, new_task_runs=set(runs), logs=logs)


def fill(store: SqlStore, first: int, count: int, age: timedelta) -> None:
    for start in range(first, first + count, BATCH):
        store.commit([an_execution(number, age) for number in range(start, min(start + BATCH, first + count))])


class Timed:
    """Makes the writes of a retention, and keeps how long each took."""

    def __init__(self, store: SqlStore) -> None:
        self.store = store
        self.seconds: list[float] = []
        self.cpu: list[float] = []  #: without the disk, and without what else this machine was doing

    def __call__(self, write: Write) -> int:
        began, cpu = time.perf_counter(), time.thread_time()
        done = write.perform(self.store)
        self.seconds.append(time.perf_counter() - began)
        self.cpu.append(time.thread_time() - cpu)
        return done


def commit_meanwhile(store: SqlStore, done: threading.Event, seconds: list[float]) -> None:
    number = 1 << 40
    while not done.wait(0.005):
        change = an_execution(number, timedelta())
        began = time.perf_counter()
        store.commit([change])
        seconds.append(time.perf_counter() - began)
        number += 1


def told(name: str, seconds: list[float]) -> str:
    cuts = quantiles(seconds, n=100)
    shown = f"p50 {cuts[49] * 1e3:.1f} ms, p99 {cuts[98] * 1e3:.1f} ms"
    return f"{name}: {len(seconds):,}, {shown}, longest {max(seconds) * 1e3:.1f} ms"


def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "penstock.db"
        store = open_store(f"sqlite:///{file}", owner=True)
        began = time.perf_counter()
        fill(store, 0, count // 2, OLD)
        fill(store, count // 2, count - count // 2, YOUNG)
        print(f"{count:,} executions in {time.perf_counter() - began:.0f} s, {file.stat().st_size / 1e6:.0f} MB")
        timed, clock = Timed(store), SystemClock()
        files = LocalFiles(Path(folder) / "storage")
        kept = Retention(lambda: store, timed, lambda: files, clock, Limits(age=timedelta(days=90)))
        commits: list[float] = []
        done = threading.Event()
        writer = threading.Thread(target=commit_meanwhile, args=(store, done, commits))
        writer.start()
        began = time.perf_counter()
        swept = kept.sweep()
        took = time.perf_counter() - began
        done.set()
        writer.join()
        print(f"swept {swept.executions:,} executions in {took:.0f} s while others wrote")
        print(told("  transactions of the sweep", timed.seconds))
        print(told("  their own CPU time", timed.cpu))
        print(told("  commits of others meanwhile", commits))
        print(f"  the file: {file.stat().st_size / 1e6:.0f} MB")
        for turn in range(1, 6):
            fill(store, count * (turn + 1), count // 10, OLD)
            kept.sweep()
            log = file.with_name(file.name + "-wal").stat().st_size
            print(f"  round {turn}: {file.stat().st_size / 1e6:.0f} MB, and {log / 1e6:.0f} MB of log")
        store.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
