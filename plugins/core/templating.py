"""Tasks that are written while the flow runs."""

from collections.abc import Mapping
from typing import Any

from engine import sdk


class TemplatedTask(
    sdk.Task,
    type="io.kestra.plugin.core.templating.TemplatedTask",
    aliases=("io.kestra.core.tasks.templating.TemplatedTask",),
):
    """Run a task whose definition is the result of an expression. Its outputs are those of this task.

    The text is rendered, read as YAML, and then the properties in it are rendered again, as in any task: let nobody
    whom you do not trust write a part of it.
    """

    EXAMPLES = (
        sdk.Example(
            "Have an input decide which task to run.",
            """
            id: templated_task
            namespace: company.team
            inputs:
              - {id: kind, type: STRING, defaults: debug.Return}
            tasks:
              - id: templated
                type: io.kestra.plugin.core.templating.TemplatedTask
                spec: |
                  type: io.kestra.plugin.core.{{ inputs.kind }}
                  format: "Hello from {{ flow.id }}"
              - {id: log, type: io.kestra.plugin.core.log.Log, message: "{{ outputs.templated.value }}"}
            """,
        ),
    )

    spec: str
    """The definition of a task, in YAML: its `type` and its properties. Containers and flows cannot be run so."""

    @classmethod
    def outputs_for(cls, properties: Mapping[str, Any]) -> Mapping[str, Any] | None:
        return {}  # anything

    def run(self, ctx: sdk.RunContext) -> Mapping[str, Any] | None:
        definition = sdk.read_yaml(self.spec)
        if not isinstance(definition, Mapping):
            raise sdk.TaskFailed("`spec` is not the definition of a task", hint="it is a map with a `type`")
        if definition.get("type") in (self.TYPE, *self.ALIASES):
            raise sdk.TaskFailed("a templated task cannot be another templated task")
        return ctx.run_task(definition)
