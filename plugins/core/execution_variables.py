"""Tasks that change the variables of their execution. Every task after them sees the change in `vars`."""

from collections.abc import Mapping
from typing import Any

from engine import sdk


class SetVariables(
    sdk.Task,
    type="io.kestra.plugin.core.execution.SetVariables",
    effect="pure",
):
    """Set variables of the execution. The flow itself stays as it is."""

    EXAMPLES = (
        sdk.Example(
            "Count the rounds of a flow.",
            """
            id: set_variables
            namespace: company.team
            variables:
              stage: draft
            tasks:
              - id: publish
                type: io.kestra.plugin.core.execution.SetVariables
                variables:
                  stage: "was {{ vars.stage }}"
                  reviewers: [Ada, Grace]
              - {id: log, type: io.kestra.plugin.core.log.Log, message: "{{ vars.stage }}"}
            """,
        ),
    )

    variables: dict[str, Any]
    """Names and values. Maps within maps are merged with those that are there, everything else is replaced."""
    overwrite: bool = True
    """Whether variables that are there already may be set; if not, the task fails."""

    def run(self, ctx: sdk.RunContext) -> None:
        if not self.overwrite and (known := sorted(self.variables.keys() & ctx.vars.keys())):
            raise sdk.TaskFailed(
                f"the variable `{known[0]}` is set already", hint="overwrite: true would replace its value"
            )
        ctx.set_variables(self.variables)


class UnsetVariables(
    sdk.Task,
    type="io.kestra.plugin.core.execution.UnsetVariables",
    effect="pure",
):
    """Remove variables of the execution."""

    EXAMPLES = (
        sdk.Example(
            "Forget a part of a variable.",
            """
            id: unset_variables
            namespace: company.team
            variables:
              database: {host: localhost, password: draft}
            tasks:
              - id: forget
                type: io.kestra.plugin.core.execution.UnsetVariables
                variables: [database.password]
              - {id: log, type: io.kestra.plugin.core.log.Log, message: "{{ vars.database }}"}
            """,
        ),
    )

    variables: list[str]
    """Their names; a dot leads into a map: `database.password`."""
    ignore_missing: bool = False
    """Whether a variable that is not there is no failure."""

    def run(self, ctx: sdk.RunContext) -> None:
        missing = [path for path in self.variables if not _is_there(ctx.vars, path.split("."))]
        if missing and not self.ignore_missing:
            raise sdk.TaskFailed(
                f"there is no variable `{missing[0]}`", hint="ignoreMissing: true would leave it at that"
            )
        ctx.unset_variables(path for path in self.variables if path not in missing)


def _is_there(values: Any, path: list[str]) -> bool:
    head, *rest = path
    return isinstance(values, Mapping) and head in values and (not rest or _is_there(values[head], rest))
