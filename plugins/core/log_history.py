"""Tasks about log lines that were written before."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from engine import sdk
from plugins.core.execution_history import aware, check_flow


class Fetch(
    sdk.Task,
    type="io.kestra.plugin.core.log.Fetch",
    aliases=("io.kestra.core.tasks.log.Fetch",),
    effect="idempotent",
):
    """Write the log of an execution to a file, one row for each line."""

    EXAMPLES = (
        sdk.Example(
            "Count the warnings of this execution.",
            """
            id: fetch_logs
            namespace: company.team
            tasks:
              - {id: warn, type: io.kestra.plugin.core.log.Log, level: WARN, message: "take care"}
              - {id: warnings, type: io.kestra.plugin.core.log.Fetch, level: WARN, tasksId: [warn]}
              - {id: log, type: io.kestra.plugin.core.log.Log, message: "{{ outputs.warnings.size }} warnings"}
            """,
        ),
    )

    namespace: str | None = None
    """The namespace that the execution has to be of."""
    flow_id: str | None = None
    """The flow that the execution has to be of."""
    execution_id: str | None = None
    """Whose log: by default that of this execution."""
    tasks_id: list[str] | None = None
    """Only lines of these tasks."""
    level: sdk.LogLevel = "INFO"
    """Only lines of this level or a more severe one."""

    class Output(sdk.Output):
        size: int
        """How many lines there are."""
        uri: str
        """The URI of the file, in ION."""

    def run(self, ctx: sdk.RunContext) -> Output:
        execution = ctx.executions.find(self.execution_id or ctx.execution_id)
        check_flow(execution, self.namespace, self.flow_id)
        path = ctx.working_dir / "logs.ion"
        with path.open("wb") as target:
            size = sdk.write_rows(self._rows(ctx, execution), target)
        return self.Output(size=size, uri=ctx.put_file(path))

    def _rows(self, ctx: sdk.RunContext, execution: sdk.ExecutionSummary) -> Iterator[dict[str, Any]]:
        for line in ctx.executions.logs(execution.id, min_level=self.level):
            ctx.check_cancelled()
            if self.tasks_id is None or line.task_id in self.tasks_id:
                yield {
                    "namespace": execution.namespace,
                    "flowId": execution.flow_id,
                    "executionId": execution.id,
                    "taskId": line.task_id,
                    "taskRunId": line.task_run_id,
                    "attemptNumber": line.attempt,
                    "timestamp": line.at,
                    "level": line.level,
                    "message": line.message,
                }


class PurgeLogs(
    sdk.Task,
    type="io.kestra.plugin.core.log.PurgeLogs",
    effect="idempotent",
):
    """Remove old log lines; the executions stay."""

    EXAMPLES = (
        sdk.Example(
            "Keep the details for a week.",
            """
            id: purge_logs
            namespace: company.team
            tasks:
              - id: purge
                type: io.kestra.plugin.core.log.PurgeLogs
                endDate: "{{ now() | dateAdd(-7, 'DAYS') }}"
                logLevels: [TRACE, DEBUG]
            """,
        ),
    )

    namespace: str | None = None
    """Only lines of this namespace; without `flowId` those of the namespaces below it, too."""
    flow_id: str | None = None
    """Only lines of executions of this flow."""
    log_levels: list[sdk.LogLevel] | None = None
    """Only lines of these levels."""
    start_date: datetime | None = None
    """Only lines that were written then or later."""
    end_date: datetime
    """Only lines that were written before."""

    class Output(sdk.Output):
        count: int
        """How many lines were removed."""

    def run(self, ctx: sdk.RunContext) -> Output:
        where = sdk.LogFilter(
            namespace=self.namespace,
            below=self.flow_id is None,
            flow_id=self.flow_id,
            levels=self.log_levels or (),
            after=aware(self.start_date),
            before=aware(self.end_date),
        )
        return self.Output(count=ctx.executions.purge_logs(where))
