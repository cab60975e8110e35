"""Tasks about the execution that they run in."""

from engine import sdk


class Fail(
    sdk.Task,
    type="io.kestra.plugin.core.execution.Fail",
    aliases=("io.kestra.core.tasks.executions.Fail",),
    effect="pure",
):
    """Fail the execution on purpose, always or on a condition."""

    EXAMPLES = (
        sdk.Example(
            "Fail when an input has an unexpected value.",
            """
            id: fail_on_condition
            namespace: company.team
            inputs:
              - id: param
                type: STRING
                defaults: unexpected
            tasks:
              - id: check
                type: io.kestra.plugin.core.execution.Fail
                condition: "{{ inputs.param == 'unexpected' }}"
                errorMessage: "param must not be {{ inputs.param }}"
            """,
        ),
    )

    condition: str | None = None
    """When to fail. An empty text, `false`, `0` and `-0` mean: go on. Without a condition the task always fails."""
    error_message: str = "Task failure"
    """What to say, in the log and as the reason of the failure."""

    def run(self, ctx: sdk.RunContext) -> None:
        if self.condition is None or sdk.truthy(self.condition):
            raise sdk.TaskFailed(self.error_message)
