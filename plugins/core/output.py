"""Tasks that gather outputs."""

from collections.abc import Mapping
from typing import Any

from engine import sdk


class OutputValues(
    sdk.Task,
    type="io.kestra.plugin.core.output.OutputValues",
    effect="pure",
):
    """Give values of your choice to the tasks that follow."""

    EXAMPLES = (
        sdk.Example(
            "Name what several tasks found out.",
            """
            id: output_values
            namespace: company.team
            tasks:
              - id: summary
                type: io.kestra.plugin.core.output.OutputValues
                values:
                  title: "Report of {{ flow.id }}"
                  pages: "{{ 3 + 4 }}"
              - id: log
                type: io.kestra.plugin.core.log.Log
                message: "{{ outputs.summary.values.title }}: {{ outputs.summary.values.pages }} pages"
            """,
        ),
    )

    values: dict[str, Any]
    """The values by name. One that is a single expression keeps its type."""

    class Output(sdk.Output):
        values: dict[str, Any]
        """The values."""

    @classmethod
    def outputs_for(cls, properties: Mapping[str, Any]) -> Mapping[str, Any] | None:
        values = properties.get("values")
        if not isinstance(values, Mapping) or any("{" in str(name) for name in values):
            return None
        known = {"type": "object", "properties": {str(name): {} for name in values}, "additionalProperties": False}
        return {"type": "object", "properties": {"values": known}, "required": ["values"]}

    def run(self, ctx: sdk.RunContext) -> Output:
        return self.Output(values=self.values)
