"""Tasks that show what an expression gives."""

from engine import sdk


class Return(
    sdk.Task,
    type="io.kestra.plugin.core.debug.Return",
    aliases=("io.kestra.core.tasks.debugs.Return",),
    effect="pure",
):
    """Return a value for debugging purposes.

    The rendered text becomes the output `value`, for the tasks that follow.
    """

    EXAMPLES = (
        sdk.Example(
            "Return a text with the id of the task and the time its execution started.",
            """
            id: debug_value
            namespace: company.team
            tasks:
              - id: return
                type: io.kestra.plugin.core.debug.Return
                format: "{{ task.id }} > {{ execution.startDate }}"
            """,
        ),
    )

    format: str | None = None
    """The text to render."""

    class Output(sdk.Output):
        value: str | None = None
        """The rendered text."""

    def run(self, ctx: sdk.RunContext) -> Output:
        return self.Output(value=self.format)


class Echo(
    sdk.Task,
    type="io.kestra.plugin.core.debug.Echo",
    aliases=("io.kestra.core.tasks.debugs.Echo",),
    effect="pure",
):
    """Write a text to the log."""

    DEPRECATED = "io.kestra.plugin.core.log.Log"
    EXAMPLES = (
        sdk.Example(
            "Log the id of the flow.",
            """
            id: echo_flow_id
            namespace: company.team
            tasks:
              - id: echo
                type: io.kestra.plugin.core.debug.Echo
                level: WARN
                format: "{{ task.id }} > {{ flow.id }}"
            """,
        ),
    )

    format: str
    """The text to log."""
    level: sdk.LogLevel = "INFO"
    """The level to log it at."""

    def run(self, ctx: sdk.RunContext) -> None:
        ctx.logger.log(sdk.LOG_LEVELS[self.level], "%s", self.format)
