"""Tasks about metrics."""

from datetime import timedelta
from typing import Literal

from engine import sdk


class Metric(sdk.Definition):
    """One metric to publish."""

    type: Literal["counter", "timer"]
    """A `counter` is a number, a `timer` a duration."""
    name: str
    """Its name."""
    value: float | timedelta
    """A number; for a timer an ISO-8601 duration such as `PT1.5S`, or seconds."""
    tags: dict[str, str] | None = None
    """What to tell its values apart by."""


class Publish(
    sdk.Task,
    type="io.kestra.plugin.core.metric.Publish",
    effect="pure",
):
    """Report numbers of your own as metrics of the execution."""

    EXAMPLES = (
        sdk.Example(
            "Report how many rows there were, and how long they took.",
            """
            id: publish_metrics
            namespace: company.team
            inputs:
              - {id: rows, type: INT, defaults: 12}
            tasks:
              - id: publish
                type: io.kestra.plugin.core.metric.Publish
                metrics:
                  - {type: counter, name: rows, value: "{{ inputs.rows }}", tags: {table: orders}}
                  - {type: timer, name: reading, value: PT1.5S}
            """,
        ),
    )

    metrics: list[Metric]
    """The metrics."""

    def run(self, ctx: sdk.RunContext) -> None:
        for metric in self.metrics:
            value = metric.value.total_seconds() if isinstance(metric.value, timedelta) else metric.value
            publish = ctx.counter if metric.type == "counter" else ctx.timer
            publish(metric.name, value, **(metric.tags or {}))
