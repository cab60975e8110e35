"""How Alembic reaches the database: on the connection that `engine.store.schema.upgrade` hands over.

Each migration is one transaction, on SQLite too: it is either done, with the version moved on, or not done at all.
"""

from __future__ import annotations

from alembic import context

from engine.store.tables import metadata, schema_version

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=schema_version.name,
    render_as_batch=True,  # SQLite changes a column by copying the table
    transactional_ddl=True,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
