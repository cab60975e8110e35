"""Who began an execution, when it is to begin, and what it is to end in; the executions that a task run waits for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    for column in (
        sa.Column("caller_id", KEY),
        sa.Column("caller_task_run_id", KEY),
        sa.Column("attempt_number", sa.Integer, nullable=False, server_default="1"),
        sa.Column("due", sa.BigInteger),
        sa.Column("held", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("ending", KEY),
        sa.Column("lingering", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("seq_floor", sa.Integer, nullable=False, server_default="0"),
    ):
        op.add_column("executions", column)
    op.add_column("task_runs", sa.Column("calls", sa.Text))
    op.create_index("executions_by_caller", "executions", ["caller_id", "caller_task_run_id"])
    op.create_index(
        "executions_lingering", "executions", ["lingering", "started_at"], sqlite_where=sa.text("lingering")
    )
