"""The first schema: flows, executions and what happened in them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    flows_and_meta()
    executions()
    task_runs()
    logs_and_metrics()


def execution_id(*, primary_key: bool = False) -> sa.Column[str]:
    key = sa.ForeignKey("executions.id", ondelete="CASCADE")
    return sa.Column("execution_id", KEY, key, primary_key=primary_key, nullable=False)


def flows_and_meta() -> None:
    op.create_table(
        "flows",
        sa.Column("namespace", KEY, primary_key=True),
        sa.Column("id", KEY, primary_key=True),
        sa.Column("revision", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("disabled", sa.Boolean, nullable=False),
    )
    op.create_table(
        "meta",
        sa.Column("key", KEY, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )


def executions() -> None:
    op.create_table(
        "executions",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("namespace", KEY, nullable=False),
        sa.Column("flow_id", KEY, nullable=False),
        sa.Column("flow_revision", sa.Integer, nullable=False),
        sa.Column("parent_id", KEY),
        sa.Column("original_id", KEY),
        sa.Column("state", KEY, nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("error", sa.Text),
        sa.Column("history", sa.Text, nullable=False),
        sa.Column("labels", sa.Text, nullable=False),
        sa.Column("inputs", sa.Text, nullable=False),
        sa.Column("variables", sa.Text, nullable=False),
        sa.Column("outputs", sa.Text),
        sa.Column("trigger", sa.Text),
    )
    op.create_index("executions_by_start", "executions", ["started_at", "id"])
    op.create_index("executions_by_flow", "executions", ["namespace", "flow_id", "started_at"])
    op.create_index("executions_by_state", "executions", ["state", "started_at"])
    op.create_table(
        "execution_labels",
        execution_id(primary_key=True),
        sa.Column("key", KEY, primary_key=True),
        sa.Column("value", KEY, nullable=False),
    )
    op.create_index("execution_labels_by_value", "execution_labels", ["key", "value"])


def task_runs() -> None:
    op.create_table(
        "task_runs",
        sa.Column("id", KEY, primary_key=True),
        execution_id(),
        sa.Column("task_id", KEY, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("parent_id", KEY),
        sa.Column("value", sa.Text),
        sa.Column("iteration", sa.Integer),
        sa.Column("state", KEY, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("due", sa.BigInteger),
        sa.Column("error", sa.Text),
        sa.Column("history", sa.Text, nullable=False),
        sa.Column("attempts", sa.Text, nullable=False),
        sa.Column("outputs", sa.Text),
        sa.Column("items", sa.Text),
    )
    op.create_index("task_runs_by_execution", "task_runs", ["execution_id", "seq"])


def logs_and_metrics() -> None:
    op.create_table(
        "logs",
        sa.Column("id", NUMBER, primary_key=True),
        execution_id(),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("level", KEY, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("task_run_id", KEY),
        sa.Column("task_id", KEY),
        sa.Column("attempt", sa.Integer),
    )
    op.create_index("logs_by_execution", "logs", ["execution_id", "id"])
    op.create_table(
        "metrics",
        sa.Column("id", NUMBER, primary_key=True),
        execution_id(),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("task_run_id", KEY, nullable=False),
        sa.Column("task_id", KEY, nullable=False),
        sa.Column("name", KEY, nullable=False),
        sa.Column("kind", KEY, nullable=False),
        sa.Column("value", sa.Double, nullable=False),
        sa.Column("tags", sa.Text, nullable=False),
    )
    op.create_index("metrics_by_execution", "metrics", ["execution_id", "id"])
