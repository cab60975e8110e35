"""Flows that are deleted: a last revision that says so."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("flows", sa.Column("deleted", sa.Boolean, nullable=False, server_default=sa.false()))
