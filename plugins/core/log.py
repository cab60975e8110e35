"""Tasks about the log of an execution."""

from engine import sdk


class Log(
    sdk.Task,
    type="io.kestra.plugin.core.log.Log",
    aliases=("io.kestra.core.tasks.log.Log",),
    effect="pure",
):
    """Write one or more messages to the log of the execution."""

    EXAMPLES = (
        sdk.Example(
            "Log one message.",
            """
            id: log_message
            namespace: company.team
            tasks:
              - id: greet
                type: io.kestra.plugin.core.log.Log
                message: "{{ task.id }} says hello"
            """,
        ),
        sdk.Example(
            "Log several messages as warnings.",
            """
            id: log_warnings
            namespace: company.team
            tasks:
              - id: warn
                type: io.kestra.plugin.core.log.Log
                level: WARN
                message:
                  - "the flow is {{ flow.id }}"
                  - "the execution is {{ execution.id }}"
            """,
        ),
    )

    message: str | list[str]
    """The message, or a list of messages, each on a line of its own."""
    level: sdk.LogLevel = "INFO"
    """The level to log at."""

    def run(self, ctx: sdk.RunContext) -> None:
        messages = [self.message] if isinstance(self.message, str) else self.message
        for message in messages:
            ctx.logger.log(sdk.LOG_LEVELS[self.level], "%s", message)
