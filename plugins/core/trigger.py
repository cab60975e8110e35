"""Tasks about triggers."""

from engine import sdk


class Toggle(
    sdk.Task,
    type="io.kestra.plugin.core.trigger.Toggle",
    aliases=("io.kestra.core.tasks.trigger.Toggle",),
    effect="idempotent",
):
    """Switch a trigger on or off.

    The wish is kept, whether or not there is such a trigger yet. What comes due while it is off is not made up for.
    """

    EXAMPLES = (
        sdk.Example(
            "Switch the schedule of another flow off.",
            """
            id: toggle_trigger
            namespace: company.team
            tasks:
              - id: stop
                type: io.kestra.plugin.core.trigger.Toggle
                flowId: nightly
                trigger: every_night
                enabled: false
            """,
        ),
    )

    trigger: str
    """The id of the trigger."""
    namespace: str | None = None
    """The namespace of its flow: by default that of this flow."""
    flow_id: str | None = None
    """The id of its flow: by default this flow."""
    enabled: bool = False
    """Whether it is on from now on."""

    def run(self, ctx: sdk.RunContext) -> None:
        namespace, flow_id = self.namespace or ctx.namespace, self.flow_id or ctx.flow_id
        ctx.executions.switch_trigger(namespace, flow_id, self.trigger, enabled=self.enabled)
        ctx.logger.info("switched the trigger %s of %s/%s %s", self.trigger, namespace, flow_id, self._word())

    def _word(self) -> str:
        return "on" if self.enabled else "off"
