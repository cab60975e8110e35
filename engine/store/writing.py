"""The group commit: many executions' changes as few statements, each sent once for all rows.

This is the hot path. The statements are compiled once, from the tables; rows are plain tuples. Always true: every
value is encoded before anything is sent, so a value that cannot be stored harms nothing else; and every update is
guarded, so an engine that lost an execution cannot write to it (`Fenced`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field
from sqlalchemy import Column, Integer, Table, and_, bindparam, delete, insert, literal_column, or_, update

from engine.errors import Fenced
from engine.model.execution import Execution
from engine.model.scheduling import TriggerKey
from engine.model.state import TERMINAL
from engine.ports import PROGRESS, ExecutionChange
from engine.store import rows, scheduling_rows, tables
from engine.store.codec import to_micros, to_text

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Dialect
    from sqlalchemy.sql.expression import ClauseElement, ColumnElement

Rows = list[tuple[Any, ...]]

#: The columns of a trigger that a fire moves.
MOVED = (*PROGRESS, "updated_at")


class Batch(Struct):
    """Rows ready to be sent, by statement."""

    new_executions: Rows = field(default_factory=list)
    moved_executions: Rows = field(default_factory=list)
    stale_labels: Rows = field(default_factory=list)
    labels: Rows = field(default_factory=list)
    removed_task_runs: Rows = field(default_factory=list)
    new_task_runs: Rows = field(default_factory=list)
    moved_task_runs: Rows = field(default_factory=list)
    logs: Rows = field(default_factory=list)
    metrics: Rows = field(default_factory=list)
    fires: Rows = field(default_factory=list)
    moved_triggers: Rows = field(default_factory=list)
    announcements: Rows = field(default_factory=list)


def encode(changes: Sequence[ExecutionChange]) -> Batch:
    """All rows of the changes. Raises StoreError, naming the execution and the task run, for an unstorable value."""
    batch = Batch()
    for change in changes:
        _encode_execution(batch, change.before, change.after)
        for id_, run in change.task_runs.items():
            row = rows.task_run_row(run)
            if id_ in change.new_task_runs:
                batch.new_task_runs.append(row)
            else:
                batch.moved_task_runs.append(
                    (*row[rows.TASK_RUN_FIXED :], row[0], run.epoch, int(rows.reopens(run)), run.epoch)
                )
        batch.removed_task_runs.extend((to_text(id_),) for id_ in change.removed_task_runs)
        batch.logs.extend(map(rows.log_row, change.logs))
        batch.metrics.extend(map(rows.metric_row, change.metrics))
        if change.fire is not None:
            batch.fires.append(scheduling_rows.fire_row(change.fire))
        if change.trigger is not None:
            moved = scheduling_rows.trigger_row(change.trigger)
            batch.moved_triggers.append(tuple(moved[name] for name in (*MOVED, *TriggerKey._fields)))
        for state, at in change.announced:
            batch.announcements.append((to_text(change.after.id), state.value, to_micros(at)))
    return batch


def _encode_execution(batch: Batch, before: Execution | None, after: Execution) -> None:
    if before is not None and rows.own_fields(before) == rows.own_fields(after):
        return
    row = rows.execution_row(after)
    if before is None:
        batch.new_executions.append(row)
    else:
        # Whoever read it as ended and writes to it knows what it does; others lost it to somebody else.
        batch.moved_executions.append((*row[rows.EXECUTION_FIXED :], row[0], int(before.is_terminal)))
        if before.labels == after.labels:
            return
        batch.stale_labels.append(row[:1])
    batch.labels.extend((row[0], to_text(key), to_text(value)) for key, value in after.labels.items())


class CommitStatements:
    """The statements of a group commit, in the database's own dialect, with their parameters by position."""

    def __init__(self, dialect: Dialect) -> None:
        runs, executions = tables.task_runs, tables.executions
        claim = bindparam("claim", type_=runs.c.epoch.type)
        self.insert_execution = _sql(dialect, insert(executions).values(_named(tables.EXECUTION)))
        self.insert_label = _sql(dialect, insert(tables.execution_labels))
        self.insert_task_run = _sql(dialect, insert(runs))
        self.insert_log = _sql(dialect, insert(tables.logs).inline().values(_parameters(tables.logs, 1)))
        self.insert_metric = _sql(dialect, insert(tables.metrics).inline().values(_parameters(tables.metrics, 1)))
        owner = tables.execution_labels.c.execution_id
        self.delete_labels = _sql(dialect, delete(tables.execution_labels).where(owner == bindparam("subject")))
        self.delete_task_run = _sql(dialect, delete(runs).where(runs.c.id == bindparam("subject")))
        self.update_execution = _sql(
            dialect,
            update(executions)
            .values(_named(tables.EXECUTION[rows.EXECUTION_FIXED :]))
            .where(executions.c.id == bindparam("subject"), or_(_open(executions), _reopening())),
        )
        self.update_task_run = _sql(
            dialect,
            update(runs)
            .values(_parameters(runs, rows.TASK_RUN_FIXED))
            .where(
                runs.c.id == bindparam("subject"),
                runs.c.epoch <= claim,
                or_(_open(runs), and_(_reopening(), runs.c.epoch < claim)),
            ),
        )

        self.insert_fire = _sql(dialect, insert(tables.fires))
        waiting, triggers = tables.announcements, tables.triggers
        self.insert_announcement = _sql(dialect, insert(waiting).inline().values(_parameters(waiting, 1)))
        self.update_trigger = _sql(
            dialect,
            update(triggers)
            .values(_named([triggers.c[name] for name in MOVED]))
            .where(
                *(triggers.c[name] == bindparam(f"of_{name}") for name in TriggerKey._fields),
                triggers.c.disabled.is_(False),
            ),
        )

    def send(self, connection: Connection, batch: Batch) -> None:
        """Write the batch inside the connection's transaction. Raises Fenced when an update's guard says no."""
        if batch.new_executions:
            connection.exec_driver_sql(self.insert_execution, batch.new_executions)
        if batch.moved_executions:
            done = connection.exec_driver_sql(self.update_execution, batch.moved_executions).rowcount
            _check_fence("execution", batch.moved_executions, -2, done)
        if batch.stale_labels:
            connection.exec_driver_sql(self.delete_labels, batch.stale_labels)
        if batch.labels:
            connection.exec_driver_sql(self.insert_label, batch.labels)
        if batch.removed_task_runs:
            connection.exec_driver_sql(self.delete_task_run, batch.removed_task_runs)
        if batch.new_task_runs:
            connection.exec_driver_sql(self.insert_task_run, batch.new_task_runs)
        if batch.moved_task_runs:
            done = connection.exec_driver_sql(self.update_task_run, batch.moved_task_runs).rowcount
            _check_fence("task run", batch.moved_task_runs, -4, done)
        if batch.logs:
            connection.exec_driver_sql(self.insert_log, batch.logs)
        if batch.metrics:
            connection.exec_driver_sql(self.insert_metric, batch.metrics)
        self._send_scheduling(connection, batch)

    def _send_scheduling(self, connection: Connection, batch: Batch) -> None:
        if batch.fires:
            connection.exec_driver_sql(self.insert_fire, batch.fires)
        if batch.moved_triggers:
            done = connection.exec_driver_sql(self.update_trigger, batch.moved_triggers).rowcount
            if done != len(batch.moved_triggers):
                raise Fenced("a trigger is disabled or gone, so nothing of this commit was written")
        if batch.announcements:
            connection.exec_driver_sql(self.insert_announcement, batch.announcements)


def _check_fence(what: str, sent: Rows, id_place: int, done: int) -> None:
    if done == len(sent):
        return
    who = f"{what} {sent[0][id_place]}" if len(sent) == 1 else f"{len(sent) - done} of {len(sent)} {what}s"
    raise Fenced(
        f"{who}: the store holds a newer claim or a final state, so nothing of this commit was written",
        hint="Another engine, or a person, went on with it. Read it again before going on.",
    )


def _parameters(table: Table, first: int) -> dict[str, Any]:
    return _named(list(table.c)[first:])


def _named(columns: Sequence[Column[Any]]) -> dict[str, Any]:
    return {column.name: bindparam(column.name) for column in columns}


def _open(table: Table) -> ColumnElement[bool]:
    return table.c.state.not_in([literal_column(f"'{state}'") for state in sorted(TERMINAL)])


def _reopening() -> ColumnElement[bool]:
    return bindparam("reopens", type_=Integer) == literal_column("1")


def _sql(dialect: Dialect, statement: ClauseElement) -> str:
    return str(statement.compile(dialect=dialect))
