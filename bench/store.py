"""What a task run costs in the store, beside the same rows written by bare sqlite3.

    python bench/store.py [task runs]

CPU time of this process in microseconds per task run, in commits of 64; the disk's time is not in it.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from engine.model.execution import Attempt, Execution, StateChange, TaskRun
from engine.model.state import AttemptState, State
from engine.ports import ExecutionChange, LogLine
from engine.store import MemoryStore, open_store
from engine.store.writing import CommitStatements, encode

BATCH = 64
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def task_run(number: int) -> TaskRun:
    """A task that ran: three states, one attempt, an output of usual size."""
    instants = [NOW + timedelta(milliseconds=number + step) for step in range(3)]
    states = (State.CREATED, State.RUNNING, State.SUCCESS)
    return TaskRun(
        id=f"{number:032x}",
        execution_id="e1",
        task_id="say",
        seq=number,
        state=State.SUCCESS,
        history=tuple(StateChange(state, at) for state, at in zip(states, instants, strict=True)),
        epoch=1,
        attempts=(Attempt(epoch=1, state=AttemptState.SUCCEEDED, started_at=instants[1], ended_at=instants[2]),),
        outputs={"value": f"Hello number {number}", "length": 24},
        value=str(number),
        iteration=number,
    )


def changes(count: int, execution: Execution, *, new: bool, logs: bool) -> list[ExecutionChange]:
    """Commits of BATCH task runs each."""
    runs = [task_run(number) for number in range(count)]
    if not new:
        runs = [replace(run, history=(*run.history, StateChange(State.RESTARTED, NOW)), epoch=2) for run in runs]
    found = []
    for start in range(0, count, BATCH):
        batch = {run.id: run for run in runs[start : start + BATCH]}
        lines = [LogLine(execution_id="e1", at=NOW, level="INFO", message="Hello", task_run_id=id_) for id_ in batch]
        found.append(
            ExecutionChange(
                before=execution,
                after=execution,
                task_runs=batch,
                new_task_runs=set(batch) if new else set(),
                logs=lines if logs else [],
            )
        )
    return found


def cpu(work: Callable[[], object], count: int) -> float:
    """Microseconds of CPU for each of `count`."""
    start = time.process_time()
    work()
    return (time.process_time() - start) / count * 1e6


def main(count: int) -> None:
    history = (StateChange(State.CREATED, NOW), StateChange(State.RUNNING, NOW))
    execution = Execution(
        id="e1", namespace="acme", flow_id="many", flow_revision=1, state=State.RUNNING, history=history
    )
    first = ExecutionChange(before=None, after=execution)
    inserts = changes(count, execution, new=True, logs=False)
    updates = changes(count, execution, new=False, logs=False)
    logged = changes(count, execution, new=True, logs=True)

    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"sqlite:///{folder}/a.db", owner=True)
        store.commit([first])
        print(f"encode only          {cpu(lambda: [encode([each]) for each in inserts], count):7.1f} us")
        print(f"insert               {cpu(lambda: [store.commit([each]) for each in inserts], count):7.1f} us")
        print(f"guarded update       {cpu(lambda: [store.commit([each]) for each in updates], count):7.1f} us")
        print(f"read back            {cpu(lambda: store.execution('e1'), count):7.1f} us")
        statements = CommitStatements(store.database.dialect)
        store.close()

        store = open_store(f"sqlite:///{folder}/b.db", owner=True)
        store.commit([first])
        print(f"insert and a log line{cpu(lambda: [store.commit([each]) for each in logged], count):7.1f} us")
        store.close()

        store = open_store(f"sqlite:///{folder}/c.db", owner=True)
        store.commit([first])
        store.close()
        bare = sqlite3.connect(Path(folder) / "c.db", isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            bare.execute(f"PRAGMA {pragma}")
        batches = [encode([each]).new_task_runs for each in inserts]

        def write_bare() -> None:
            for rows in batches:
                bare.execute("BEGIN IMMEDIATE")
                bare.executemany(statements.insert_task_run, rows)
                bare.execute("COMMIT")

        print(f"bare sqlite3 insert  {cpu(write_bare, count):7.1f} us")
        bare.close()

        memory = MemoryStore()
        memory.commit([first])
        print(f"insert in memory     {cpu(lambda: [memory.commit([each]) for each in inserts], count):7.1f} us")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
