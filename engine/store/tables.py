"""What is on disk: the tables, as SQLAlchemy Core sees them. The latest migration makes exactly these.

What people query is a real column with an index. Inputs, outputs, histories, attempts and items are JSON text: they
are only ever read whole, by `engine.store.codec`, which also says how instants and odd text are kept.
Always true: the order of columns here is the order of the codec's rows; every row of an execution goes with it.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    false,
    text,
)

metadata = MetaData()

#: Text that is compared, sorted and looked up: by code point, on every database.
_KEY = Text().with_variant(Text(collation="C"), "postgresql")
_INSTANT = BigInteger()
#: SQLite gives rising numbers by itself only to a column of exactly this type.
_NUMBER = BigInteger().with_variant(Integer(), "sqlite")


def _execution_key(*, primary_key: bool = False) -> Column[str]:
    key = ForeignKey("executions.id", ondelete="CASCADE")
    return Column("execution_id", _KEY, key, primary_key=primary_key, nullable=False)


flows = Table(
    "flows",
    metadata,
    Column("namespace", _KEY, primary_key=True),
    Column("id", _KEY, primary_key=True),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("source", Text, nullable=False),
    Column("created_at", _INSTANT, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("deleted", Boolean, nullable=False, server_default=false()),
)

executions = Table(
    "executions",
    metadata,
    Column("id", _KEY, primary_key=True),
    Column("namespace", _KEY, nullable=False),
    Column("flow_id", _KEY, nullable=False),
    Column("flow_revision", Integer, nullable=False),
    Column("parent_id", _KEY),
    Column("original_id", _KEY),
    Column("state", _KEY, nullable=False),
    Column("started_at", _INSTANT, nullable=False),
    Column("ended_at", _INSTANT),
    Column("error", Text),
    Column("history", Text, nullable=False),
    Column("labels", Text, nullable=False),
    Column("inputs", Text, nullable=False),
    Column("variables", Text, nullable=False),
    Column("outputs", Text),
    Column("trigger", Text),
    Column("caller_id", _KEY),
    Column("caller_task_run_id", _KEY),
    Column("attempt_number", Integer, nullable=False, server_default="1"),
    Column("due", _INSTANT),
    Column("held", Boolean, nullable=False, server_default=false()),
    Column("ending", _KEY),
    Column("lingering", Boolean, nullable=False, server_default=false()),
    Column("seq_floor", Integer, nullable=False, server_default="0"),
    #: Which engine moves it, where several share a database; no part of the codec's row.
    Column("engine", _KEY),
    Index("executions_by_start", "started_at", "id"),
    Index("executions_by_flow", "namespace", "flow_id", "started_at"),
    Index("executions_by_state", "state", "started_at"),
    Index("executions_by_caller", "caller_id", "caller_task_run_id"),
    #: Only those that linger are in it where the database can do that; the others are told by their state.
    Index("executions_lingering", "lingering", "started_at", sqlite_where=text("lingering")),
)

#: An index of `executions.labels`, which is the truth: one row for each label, so that a filter finds them.
execution_labels = Table(
    "execution_labels",
    metadata,
    _execution_key(primary_key=True),
    Column("key", _KEY, primary_key=True),
    Column("value", _KEY, nullable=False),
    Index("execution_labels_by_value", "key", "value"),
)

task_runs = Table(
    "task_runs",
    metadata,
    Column("id", _KEY, primary_key=True),
    _execution_key(),
    Column("task_id", _KEY, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("parent_id", _KEY),
    Column("value", Text),
    Column("iteration", Integer),
    Column("state", _KEY, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("due", _INSTANT),
    Column("error", Text),
    Column("history", Text, nullable=False),
    Column("attempts", Text, nullable=False),
    Column("outputs", Text),
    Column("items", Text),
    Column("calls", Text),
    Index("task_runs_by_execution", "execution_id", "seq"),
)

logs = Table(
    "logs",
    metadata,
    Column("id", _NUMBER, primary_key=True),
    _execution_key(),
    Column("at", _INSTANT, nullable=False),
    Column("level", _KEY, nullable=False),
    Column("message", Text, nullable=False),
    Column("task_run_id", _KEY),
    Column("task_id", _KEY),
    Column("attempt", Integer),
    Index("logs_by_execution", "execution_id", "id"),
)

metrics = Table(
    "metrics",
    metadata,
    Column("id", _NUMBER, primary_key=True),
    _execution_key(),
    Column("at", _INSTANT, nullable=False),
    Column("task_run_id", _KEY, nullable=False),
    Column("task_id", _KEY, nullable=False),
    Column("name", _KEY, nullable=False),
    Column("kind", _KEY, nullable=False),
    Column("value", Double, nullable=False),
    Column("tags", Text, nullable=False),
    Index("metrics_by_execution", "execution_id", "id"),
)

meta = Table(
    "meta",
    metadata,
    Column("key", _KEY, primary_key=True),
    Column("value", Text, nullable=False),
)

kv = Table(
    "kv",
    metadata,
    Column("namespace", _KEY, primary_key=True),
    Column("key", _KEY, primary_key=True),
    Column("type", _KEY, nullable=False),
    Column("value", Text, nullable=False),
    Column("description", Text),
    Column("created_at", _INSTANT, nullable=False),
    Column("updated_at", _INSTANT, nullable=False),
    Column("expires_at", _INSTANT),
)

#: The values are sealed before they come here.
secrets = Table(
    "secrets",
    metadata,
    Column("key", _KEY, primary_key=True),
    Column("value", Text, nullable=False),
    Column("updated_at", _INSTANT, nullable=False),
)

#: The flows whose triggers are on.
deployments = Table(
    "deployments",
    metadata,
    Column("namespace", _KEY, primary_key=True),
    Column("flow_id", _KEY, primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("origin", _KEY, nullable=False),
    Column("at", _INSTANT, nullable=False),
)

triggers = Table(
    "triggers",
    metadata,
    Column("namespace", _KEY, primary_key=True),
    Column("flow_id", _KEY, primary_key=True),
    Column("trigger_id", _KEY, primary_key=True),
    Column("disabled", Boolean, nullable=False),
    Column("definition", Text),
    Column("next_at", _INSTANT),
    Column("last_at", _INSTANT),
    Column("execution_id", _KEY),
    Column("backfill", Text),
    Column("backfill_at", _INSTANT),
    Column("memory", Text),
    Column("failures", Integer, nullable=False),
    Column("retry_at", _INSTANT),
    Column("problem", Text),
    Column("updated_at", _INSTANT, nullable=False),
)

#: What has begun an execution and must not begin another: the primary key sees to that. They outlive the execution.
fires = Table(
    "fires",
    metadata,
    Column("scope", _KEY, primary_key=True),
    Column("key", _KEY, primary_key=True),
    Column("execution_id", _KEY, nullable=False),
    Column("at", _INSTANT, nullable=False),
    Column("digest", _KEY),
    Index("fires_by_time", "at"),
)

#: Changes of state that nobody who listens has looked at yet.
announcements = Table(
    "announcements",
    metadata,
    Column("id", _NUMBER, primary_key=True),
    _execution_key(),
    Column("state", _KEY, nullable=False),
    Column("at", _INSTANT, nullable=False),
    Index("announcements_by_execution", "execution_id"),
)

#: The engines that share a database, where several may.
engines = Table(
    "engines",
    metadata,
    Column("id", _KEY, primary_key=True),
    Column("host", _KEY, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("process_start", _KEY, nullable=False),
    Column("boot_id", _KEY, nullable=False),
    Column("command", Text, nullable=False),
    Column("started_at", _INSTANT, nullable=False),
    Column("seen_at", _INSTANT, nullable=False),
    Column("takes_over", Boolean, nullable=False),
)

#: What is asked of executions that another engine moves, and its answers.
requests = Table(
    "requests",
    metadata,
    Column("id", _KEY, primary_key=True),
    _execution_key(),
    Column("event", Text, nullable=False),
    Column("at", _INSTANT, nullable=False),
    Column("answer", Text),
    Index("requests_by_execution", "execution_id"),
)

#: Alembic's own table under a plain name; one row, the revision that this database is at.
schema_version = Table(
    "schema_version",
    metadata,
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="schema_version_pkc"),
)

#: What of an execution the codec's rows hold: all but who moves it.
EXECUTION = tuple(column for column in executions.c if column.name != "engine")

#: What a list of executions shows, in the order that `codec.read_summary` takes it.
SUMMARY = tuple(
    executions.c[name]
    for name in (
        "id", "namespace", "flow_id", "flow_revision", "state", "started_at", "ended_at", "labels", "error",
        "parent_id", "original_id",
    )
)  # fmt: skip
