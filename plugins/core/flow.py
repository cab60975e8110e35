"""Tasks that steer how a flow goes on, apart from the containers, which belong to the engine."""

from datetime import timedelta
from typing import Annotated

from engine import sdk


class Sleep(sdk.Task, type="io.kestra.plugin.core.flow.Sleep", effect="idempotent"):
    """Wait for some time before the flow goes on."""

    EXAMPLES = (
        sdk.Example(
            "Wait for five seconds.",
            """
            id: sleep
            namespace: company.team
            tasks:
              - id: wait
                type: io.kestra.plugin.core.flow.Sleep
                duration: PT5S
            """,
        ),
    )

    duration: Annotated[timedelta, sdk.Static()]
    """How long to wait, as an ISO-8601 duration: `PT5S`, `PT1H30M`, `P1D`."""

    def run(self, ctx: sdk.RunContext) -> None:
        ctx.logger.info("Waiting for %s", self.model_dump(mode="json")["duration"])
        ctx.sleep(self.duration.total_seconds())
