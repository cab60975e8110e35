"""Tasks about the executions of this instance, those of other flows too."""

from datetime import UTC, datetime
from typing import Annotated, Any

from engine import sdk


def aware(moment: datetime | None) -> datetime | None:
    """The moment; in UTC where it does not say otherwise."""
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


class FlowName(sdk.Definition):
    """One flow."""

    namespace: str
    """Its namespace."""
    flow_id: str
    """Its id."""


class Counted(sdk.Output):
    """How many executions there are of one flow, or in one namespace."""

    namespace: str | None = None
    """The namespace; null where all executions are counted."""
    flowId: str | None = None  # noqa: N815  the word in flows
    """The id of the flow; null where a whole namespace is counted."""
    count: int
    """How many there are."""


class Count(
    sdk.Task,
    type="io.kestra.plugin.core.execution.Count",
    aliases=("io.kestra.core.tasks.executions.Counts",),
    effect="idempotent",
):
    """Count executions by flow or by namespace, and keep those counts for which an expression holds."""

    EXAMPLES = (
        sdk.Example(
            "Find the flows that have not run since yesterday.",
            """
            id: count_executions
            namespace: company.team
            tasks:
              - id: silent
                type: io.kestra.plugin.core.execution.Count
                flows:
                  - {namespace: company.team, flowId: nightly}
                states: [SUCCESS, WARNING]
                startDate: "{{ now() | dateAdd(-1, 'DAYS') }}"
                expression: "{{ count == 0 }}"
              - {id: log, type: io.kestra.plugin.core.log.Log, message: "{{ outputs.silent.results }}"}
            """,
        ),
    )

    flows: list[FlowName] | None = None
    """The flows to count the executions of, each by itself."""
    namespaces: list[str] | None = None
    """The namespaces to count the executions of, each by itself and without those below it."""
    states: list[sdk.State] | None = None
    """Only executions in one of these states."""
    start_date: datetime
    """Only executions that were started then or later."""
    end_date: datetime | None = None
    """Only executions that were started before."""
    expression: Annotated[str, sdk.Static()]
    """Which counts to keep: an expression that sees each as `count`. Blank, `false`, `0` and `-0` mean no."""

    class Output(sdk.Output):
        results: list[Counted]
        """The counts that were kept."""
        total: int
        """Their sum."""

    def run(self, ctx: sdk.RunContext) -> Output:
        counts = [self._count(ctx, flow.namespace, flow.flow_id) for flow in self.flows or ()]
        counts += [self._count(ctx, namespace, None) for namespace in self.namespaces or ()]
        if self.flows is None and self.namespaces is None:
            counts = [self._count(ctx, None, None)]
        kept = [each for each in counts if sdk.truthy(ctx.render(self.expression, {"count": each.count}))]
        ctx.logger.info("kept %d of %d counts", len(kept), len(counts))
        return self.Output(results=kept, total=sum(each.count for each in kept))

    def _count(self, ctx: sdk.RunContext, namespace: str | None, flow_id: str | None) -> Counted:
        where = sdk.ExecutionFilter(
            namespace=namespace,
            below=False,
            flow_id=flow_id,
            states=self.states or (),
            started_after=aware(self.start_date),
            started_before=aware(self.end_date),
        )
        return Counted(namespace=namespace, flowId=flow_id, count=ctx.executions.count(where))


class Resume(
    sdk.Task,
    type="io.kestra.plugin.core.execution.Resume",
    aliases=("io.kestra.core.tasks.executions.Resume",),
):
    """Let a paused execution go on."""

    EXAMPLES = (
        sdk.Example(
            "Approve what another flow waits for.",
            """
            id: resume_execution
            namespace: company.team
            inputs:
              - {id: waiting, type: STRING}
            tasks:
              - id: approve
                type: io.kestra.plugin.core.execution.Resume
                executionId: "{{ inputs.waiting }}"
                inputs:
                  approved: true
            """,
        ),
    )

    execution_id: str
    """The id of the execution."""
    namespace: str | None = None
    """The namespace that it has to be of."""
    flow_id: str | None = None
    """The flow that it has to be of."""
    inputs: dict[str, Any] | None = None
    """The inputs that its pause asks for (`onResume`)."""

    def run(self, ctx: sdk.RunContext) -> None:
        check_flow(ctx.executions.find(self.execution_id), self.namespace, self.flow_id)
        ctx.executions.resume(self.execution_id, self.inputs)


def check_flow(execution: sdk.ExecutionSummary, namespace: str | None, flow_id: str | None) -> None:
    """Raises TaskFailed for an execution of another flow."""
    if namespace not in (None, execution.namespace) or flow_id not in (None, execution.flow_id):
        found = f"{execution.namespace}/{execution.flow_id}"
        wanted = f"{namespace or execution.namespace}/{flow_id or execution.flow_id}"
        raise sdk.TaskFailed(f"execution {execution.id} is one of {found}, not of {wanted}")


class PurgeExecutions(
    sdk.Task,
    type="io.kestra.plugin.core.execution.PurgeExecutions",
    aliases=("io.kestra.core.tasks.storages.Purge", "io.kestra.plugin.core.storage.Purge"),
    effect="idempotent",
):
    """Remove old executions with all that they left, or just a part of that.

    Executions that have not ended are never touched.
    """

    EXAMPLES = (
        sdk.Example(
            "Forget what is older than a month.",
            """
            id: purge_executions
            namespace: company.team
            tasks:
              - id: purge
                type: io.kestra.plugin.core.execution.PurgeExecutions
                namespace: company.team
                endDate: "{{ now() | dateAdd(-1, 'MONTHS') }}"
                states: [SUCCESS, WARNING]
            """,
        ),
    )

    namespace: str | None = None
    """Only executions of this namespace; without `flowId` those of the namespaces below it, too."""
    flow_id: str | None = None
    """Only executions of this flow."""
    start_date: datetime | None = None
    """Only executions that were started then or later."""
    end_date: datetime
    """Only executions that were started before."""
    states: list[sdk.State] | None = None
    """Only executions that ended in one of these states."""
    purge_execution: bool = True
    """Whether to remove the executions themselves. Their logs and metrics go with them."""
    purge_log: bool = True
    """Whether to remove their logs."""
    purge_metric: bool = True
    """Whether to remove their metrics."""
    purge_storage: bool = True
    """Whether to remove their files."""

    class Output(sdk.Output):
        executionsCount: int  # noqa: N815  the word in flows
        """How many executions were removed."""
        logsCount: int  # noqa: N815
        """How many log lines were removed."""
        metricsCount: int  # noqa: N815
        """How many metrics were removed."""
        storagesCount: int  # noqa: N815
        """How many files were removed."""

    def run(self, ctx: sdk.RunContext) -> Output:
        purged = ctx.executions.purge(
            sdk.ExecutionFilter(
                namespace=self.namespace,
                below=self.flow_id is None,
                flow_id=self.flow_id,
                states=self.states or (),
                started_after=aware(self.start_date),
                started_before=aware(self.end_date),
            ),
            executions=self.purge_execution,
            logs=self.purge_log,
            metrics=self.purge_metric,
            files=self.purge_storage,
        )
        return self.Output(
            executionsCount=purged.executions,
            logsCount=purged.logs,
            metricsCount=purged.metrics,
            storagesCount=purged.files,
        )
