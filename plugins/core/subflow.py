"""The task that runs another flow."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from engine import sdk

#: An execution that ended so needs no mention.
GOOD = frozenset({sdk.State.SUCCESS, sdk.State.SKIPPED})


def _as_labels(labels: object) -> object:
    """Labels are a map, or a list of {key, value}."""
    if isinstance(labels, list) and all(isinstance(each, Mapping) and set(each) == {"key", "value"} for each in labels):
        return {each["key"]: each["value"] for each in labels}
    return labels


class FlowToRun(sdk.Definition):
    """Which flow to run, and how."""

    namespace: str
    """The namespace of the flow."""
    flow_id: str
    """The id of the flow."""
    revision: int | None = Field(default=None, ge=1)
    """Which revision of it; by default the newest."""
    wait: bool = True
    """Whether to wait for its end. Without, the task has succeeded once the flow is begun."""
    transmit_failed: bool = True
    """Whether the task ends as the flow does: FAILED, WARNING, KILLED or CANCELLED."""
    labels: Annotated[dict[str, str], BeforeValidator(_as_labels)] = Field(default_factory=dict)
    """Labels for its execution: a map, or a list of `key` and `value`."""
    inherit_labels: bool = False
    """Whether its execution has the labels of this one, too."""
    schedule_date: datetime | None = None
    """When it is to begin; by default at once."""
    restart_behavior: Literal["RETRY_FAILED", "NEW_EXECUTION"] = "RETRY_FAILED"
    """What a restart of this execution means for an execution of the flow that failed: restart it, or run a new one."""

    def call(self, inputs: Mapping[str, Any]) -> sdk.FlowCall:
        return sdk.FlowCall(
            namespace=self.namespace,
            flow_id=self.flow_id,
            revision=self.revision,
            inputs=inputs,
            labels=self.labels,
            inherit_labels=self.inherit_labels,
            schedule_date=self.schedule_date,
        )


def told(flow: sdk.EndedFlow) -> str:
    """How an execution ended, in one line."""
    why = f": {flow.error}" if flow.error else ""
    return f"execution {flow.execution_id} of {flow.namespace}/{flow.flow_id} ended {flow.state.value}{why}"


class Subflow(
    FlowToRun,
    sdk.Task,
    type="io.kestra.plugin.core.flow.Subflow",
    aliases=("io.kestra.core.tasks.flows.Subflow", "io.kestra.core.tasks.flows.Flow"),
    effect="idempotent",
):
    """Run another flow, and go on with what it gives."""

    EXAMPLES = (
        sdk.Example(
            "Run a flow and read one of its outputs.",
            """
            id: parent_flow
            namespace: company.team
            tasks:
              - id: run
                type: io.kestra.plugin.core.flow.Subflow
                namespace: company.team
                flowId: child_flow
                inputs:
                  name: Ada
              - id: answer
                type: io.kestra.plugin.core.debug.Return
                format: "{{ outputs.run.outputs.greeting }}"
            """,
        ),
    )

    inputs: dict[str, Any] = Field(default_factory=dict)
    """The inputs of the flow."""
    outputs: Annotated[dict[str, Any] | None, sdk.Static()] = None
    """Deprecated: outputs to read from a flow that declares none itself. Expressions see what the flow sees."""

    class Output(sdk.Output):
        executionId: str  # noqa: N815  the word in flows
        """The id of the execution."""
        state: str | None = None
        """How it ended; without `wait` there is none."""
        outputs: dict[str, Any] | None = None
        """The outputs of the flow; without `wait` there are none."""

    def run(self, ctx: sdk.RunContext) -> sdk.StartFlows:
        def begun(ids: Sequence[str]) -> Mapping[str, Any]:
            return {"executionId": ids[0]}

        return sdk.StartFlows(
            calls=[self.call(self.inputs)],
            outputs=begun,
            wait=self.wait,
            restart_failed=self.restart_behavior == "RETRY_FAILED",
        )

    def flows_ended(self, ctx: sdk.RunContext, ended: Iterable[sdk.EndedFlow]) -> sdk.Ending:
        flow = next(iter(ended))
        if flow.state not in GOOD:
            ctx.logger.warning(told(flow))
        values = flow.outputs
        if values is None and self.outputs is not None:
            values = flow.evaluate(self.outputs)
        given = self.Output(executionId=flow.execution_id, state=flow.state.value, outputs=values or {})
        if flow.state in GOOD or not self.transmit_failed:
            return sdk.Ending(state=sdk.State.SUCCESS, outputs=given)
        return sdk.Ending(state=flow.state, outputs=given, error=told(flow) if flow.state is sdk.State.FAILED else None)
