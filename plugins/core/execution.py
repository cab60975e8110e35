"""Tasks about the execution that they run in."""

import json
from typing import Annotated, Literal

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


class Exit(
    sdk.Task,
    type="io.kestra.plugin.core.execution.Exit",
    effect="pure",
):
    """End the execution here, in a state of your choice.

    Nothing starts any more. Tasks that run beside this one go on to their end; with `KILLED` they are stopped.
    """

    EXAMPLES = (
        sdk.Example(
            "Have nothing more to do when there is nothing new.",
            """
            id: exit_early
            namespace: company.team
            inputs:
              - {id: rows, type: INT, defaults: 0}
            tasks:
              - id: enough
                type: io.kestra.plugin.core.execution.Exit
                runIf: "{{ inputs.rows == 0 }}"
                state: WARNING
              - {id: work, type: io.kestra.plugin.core.log.Log, message: "{{ inputs.rows }} rows"}
            """,
        ),
    )

    state: Literal["SUCCESS", "WARNING", "FAILED", "KILLED", "CANCELED", "CANCELLED"] = "SUCCESS"
    """How the execution ends. `CANCELED` is another spelling of `CANCELLED`."""

    def run(self, ctx: sdk.RunContext) -> None:
        ctx.end_execution(sdk.State(self.state))


class Label(sdk.Definition):
    """One label."""

    key: str
    """Its name."""
    value: str
    """Its value."""


class Labels(
    sdk.Task,
    type="io.kestra.plugin.core.execution.Labels",
    aliases=("io.kestra.core.tasks.executions.Labels",),
    effect="pure",
):
    """Label the execution. Labels that it has already get the new value."""

    EXAMPLES = (
        sdk.Example(
            "Label the execution with what was found out.",
            """
            id: label_execution
            namespace: company.team
            inputs:
              - {id: customer, type: STRING, defaults: acme}
            tasks:
              - id: label
                type: io.kestra.plugin.core.execution.Labels
                labels:
                  customer: "{{ inputs.customer }}"
                  size: 12
            """,
        ),
    )

    labels: dict[str, str] | list[Label] | str
    """The labels: a map, a list of `key` and `value`, or either of them as JSON. Names beginning with `system.` are
    the engine's."""

    def run(self, ctx: sdk.RunContext) -> None:
        ctx.set_labels(_read_labels(self.labels) if isinstance(self.labels, str) else _by_name(self.labels))


def _by_name(labels: dict[str, str] | list[Label]) -> dict[str, str]:
    return labels if isinstance(labels, dict) else {label.key: label.value for label in labels}


def _read_labels(text: str) -> dict[str, str]:
    try:
        given = json.loads(text)
        if isinstance(given, list):
            given = {entry["key"]: entry["value"] for entry in given}
        if isinstance(given, dict) and not any(isinstance(value, dict | list) for value in given.values()):
            return {str(name): value if isinstance(value, str) else json.dumps(value) for name, value in given.items()}
    except (ValueError, KeyError, TypeError):
        pass
    hint = 'a map such as {"team": "x"}, or a list such as [{"key": "team", "value": "x"}]'
    raise sdk.TaskFailed("`labels` is text, but not labels in JSON", hint=hint)


class Assert(
    sdk.Task,
    type="io.kestra.plugin.core.execution.Assert",
    effect="pure",
):
    """Fail unless all conditions hold. Every one of them is looked at, and each that does not hold is logged."""

    EXAMPLES = (
        sdk.Example(
            "Make sure that the inputs make sense.",
            """
            id: assert_inputs
            namespace: company.team
            inputs:
              - {id: least, type: INT, defaults: 1}
              - {id: most, type: INT, defaults: 5}
            tasks:
              - id: sane
                type: io.kestra.plugin.core.execution.Assert
                conditions:
                  - "{{ inputs.least > 0 }}"
                  - "{{ inputs.least <= inputs.most }}"
                errorMessage: "{{ inputs.least }} to {{ inputs.most }} is no range"
            """,
        ),
    )

    conditions: Annotated[list[str | bool], sdk.Static()]
    """The conditions. An empty text, `false`, `0`, `-0` and what cannot be evaluated do not hold."""
    error_message: str | None = None
    """What to log as well when one does not hold."""

    def run(self, ctx: sdk.RunContext) -> None:
        failed = sum(not self._holds(ctx, condition) for condition in self.conditions)
        ctx.counter("failed", failed)
        ctx.counter("success", len(self.conditions) - failed)
        if failed:
            if self.error_message:
                ctx.logger.error("%s", self.error_message)
            raise sdk.TaskFailed(f"{failed} assertion{'s' if failed > 1 else ''} failed!")

    def _holds(self, ctx: sdk.RunContext, condition: str | bool) -> bool:
        try:
            holds = condition if isinstance(condition, bool) else sdk.truthy(ctx.render(condition))
            why = "it does not hold"
        except sdk.ExpressionError as error:
            holds, why = False, str(error)
        if not holds:
            ctx.logger.error("Assertion `%s` failed: %s", condition, why)
        return holds
