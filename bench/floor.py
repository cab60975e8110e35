"""The floor for a workload: the same rows, written again by nothing but sqlite3. Started by run.py.

    python bench/floor.py WORKLOAD DATABASE TARGET

Takes the tables and rows that a run left in DATABASE and writes them to TARGET, in transactions of as many task runs
as the workload says, under the same settings (WAL, synchronous=FULL). An engine that acknowledges only what is
committed cannot do with less.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from workloads import WORKLOADS, Workload

Row = tuple[Any, ...]


@dataclass
class Batch:
    """The rows of one transaction. `executions` are new, `ended` get their final values."""

    executions: list[Row] = field(default_factory=list)
    task_runs: list[Row] = field(default_factory=list)
    logs: list[Row] = field(default_factory=list)
    ended: list[Row] = field(default_factory=list)


class Table:
    """The statements that write one table, and its rows by execution."""

    def __init__(self, source: sqlite3.Connection, name: str, key: str) -> None:
        cursor = source.execute(f"SELECT * FROM {name} ORDER BY rowid")
        columns = [column[0] for column in cursor.description]
        self.insert = f"INSERT INTO {name} VALUES ({', '.join('?' * len(columns))})"
        self.update = f"UPDATE {name} SET {', '.join(f'{column} = ?' for column in columns)} WHERE id = ?"
        self.ids = columns.index("id")
        self.rows: dict[str, list[Row]] = defaultdict(list)
        for row in cursor:
            self.rows[row[columns.index(key)]].append(row)

    def updates(self, rows: list[Row]) -> list[Row]:
        return [(*row, row[self.ids]) for row in rows]


def batches(workload: Workload, executions: Table, task_runs: Table, logs: Table) -> Iterator[Batch]:
    every = list(executions.rows)
    groups = [every] if workload.together else [[execution_id] for execution_id in every]
    for group in groups:
        new = [executions.rows[execution_id][0] for execution_id in group]
        yield Batch(executions=new)
        runs = [run for execution_id in group for run in task_runs.rows[execution_id]]
        lines = [line for execution_id in group for line in logs.rows[execution_id]]
        pieces = [runs[at : at + workload.batch] for at in range(0, len(runs), workload.batch)]
        for number, piece in enumerate(pieces):
            last = number == len(pieces) - 1
            yield Batch(task_runs=piece, logs=lines if last else [], ended=new if last else new[:1])


def main(name: str, database: str, target: str) -> None:
    workload = WORKLOADS[name]
    source = sqlite3.connect(database)
    executions, task_runs = Table(source, "executions", "id"), Table(source, "task_runs", "execution_id")
    logs = Table(source, "logs", "execution_id")
    out = sqlite3.connect(target, isolation_level=None)
    out.execute("PRAGMA journal_mode = WAL")
    out.execute("PRAGMA synchronous = FULL")
    for (statement,) in source.execute(
        "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
    ):
        out.execute(statement)
    plan = list(batches(workload, executions, task_runs, logs))

    start = time.perf_counter()
    for batch in plan:
        out.execute("BEGIN IMMEDIATE")
        out.executemany(executions.insert, batch.executions)
        out.executemany(task_runs.insert, batch.task_runs)
        for _ in range(workload.writes - 1):
            out.execute("COMMIT")
            out.execute("BEGIN IMMEDIATE")
            out.executemany(task_runs.update, task_runs.updates(batch.task_runs))
        out.executemany(logs.insert, batch.logs)
        out.executemany(executions.update, executions.updates(batch.ended))
        out.execute("COMMIT")
    print(json.dumps({"seconds": time.perf_counter() - start}))


if __name__ == "__main__":
    main(*sys.argv[1:])
