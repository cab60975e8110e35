"""Which flows have their triggers on and how far those have come; the engines that share a database."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
INSTANT = sa.BigInteger
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("executions", sa.Column("engine", KEY))
    triggers()
    engines()


def triggers() -> None:
    op.create_table(
        "deployments",
        sa.Column("namespace", KEY, primary_key=True),
        sa.Column("flow_id", KEY, primary_key=True),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("origin", KEY, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
    )
    op.create_table(
        "triggers",
        sa.Column("namespace", KEY, primary_key=True),
        sa.Column("flow_id", KEY, primary_key=True),
        sa.Column("trigger_id", KEY, primary_key=True),
        sa.Column("disabled", sa.Boolean, nullable=False),
        sa.Column("definition", sa.Text),
        sa.Column("next_at", INSTANT),
        sa.Column("last_at", INSTANT),
        sa.Column("execution_id", KEY),
        sa.Column("backfill", sa.Text),
        sa.Column("backfill_at", INSTANT),
        sa.Column("memory", sa.Text),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("retry_at", INSTANT),
        sa.Column("problem", sa.Text),
        sa.Column("updated_at", INSTANT, nullable=False),
    )
    op.create_table(
        "fires",
        sa.Column("scope", KEY, primary_key=True),
        sa.Column("key", KEY, primary_key=True),
        sa.Column("execution_id", KEY, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("digest", KEY),
    )
    op.create_index("fires_by_time", "fires", ["at"])
    op.create_table(
        "announcements",
        sa.Column("id", NUMBER, primary_key=True),
        sa.Column("execution_id", KEY, sa.ForeignKey("executions.id", ondelete="CASCADE"), nullable=False),
        sa.Column("state", KEY, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
    )
    op.create_index("announcements_by_execution", "announcements", ["execution_id"])


def engines() -> None:
    op.create_table(
        "engines",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("host", KEY, nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("process_start", KEY, nullable=False),
        sa.Column("boot_id", KEY, nullable=False),
        sa.Column("command", sa.Text, nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("seen_at", INSTANT, nullable=False),
        sa.Column("takes_over", sa.Boolean, nullable=False),
    )
    op.create_table(
        "requests",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("execution_id", KEY, sa.ForeignKey("executions.id", ondelete="CASCADE"), nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("answer", sa.Text),
    )
    op.create_index("requests_by_execution", "requests", ["execution_id"])
