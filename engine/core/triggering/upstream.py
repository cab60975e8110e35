"""The execution that a Flow trigger is judged by, as the trigger's expressions see it.

They see it as its own tasks do, and besides `trigger`. `vars` are those of the flow that asks: its author wrote both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from engine.core.conditions import Subject
from engine.core.context import Context
from engine.core.facts import Facts
from engine.core.labels import CORRELATION_ID, nested
from engine.core.triggering.memory import Satisfied
from engine.expressions import Functions
from engine.model.execution import Execution
from engine.model.flow import Flow
from engine.model.state import State
from engine.model.triggers import FlowTrigger


class Upstream:
    """One execution, in the state that it has come to, for one trigger."""

    def __init__(
        self, flow: Flow, trigger: FlowTrigger, of: Flow, execution: Execution, facts: Facts, functions: Functions
    ) -> None:
        self.flow = flow
        self.trigger = trigger
        self.of = of  #: the flow of the execution
        self.execution = execution
        self.functions = functions
        self._facts = facts

    def subject(self) -> Subject:
        """What conditions are asked about, while nothing else is known to have happened."""
        context = self.context(lambda: self.variables(()))
        return Subject(flow=self.flow, context=context, functions=self.functions, execution=self.execution)

    def context(self, variables: Callable[[], Mapping[str, Any]]) -> Context:
        """What expressions see, `variables` as `trigger.*`."""
        execution = self.execution
        seen = {
            "trigger": lambda: {"id": self.trigger.id, "type": self.trigger.type, **variables()},
            "vars": lambda: self.flow.variables,
            "namespace": lambda: execution.namespace,
            "flowId": lambda: execution.flow_id,
            "state": lambda: execution.state.value,
            "hasRetryAttempt": lambda: any(len(run.attempts) > 1 for run in execution.task_runs.values()),
        }
        return Context(self.of, execution, None, self._facts, _WhenAsked(seen))

    def variables(self, others: Iterable[Satisfied]) -> dict[str, Any]:
        """`trigger.*` of the execution that is started because of this one, and of `others` before it."""
        execution = self.execution
        runs = list(execution.in_order())
        fields = {
            "executionId": execution.id,
            "executionLabels": nested(
                {name: value for name, value in execution.labels.items() if name != CORRELATION_ID}
            ),
            "namespace": execution.namespace,
            "flowId": execution.flow_id,
            "flowRevision": execution.flow_revision,
            "state": execution.state.value,
            "startDate": _shown(execution.started_at),
            "endDate": _shown(execution.ended_at) if execution.ended_at is not None else None,
            "firstFailedTaskId": next((run.task_id for run in runs if run.state is State.FAILED), None),
            "lastTaskId": runs[-1].task_id if runs else None,
            "outputs": self._outputs(others) or None,
        }
        return {name: value for name, value in fields.items() if value is not None}

    def _outputs(self, others: Iterable[Satisfied]) -> dict[str, Any]:
        """Of all of them together, the last one before all; and where there are others, also below the flows' ids."""
        last = self.execution
        told = sorted(others, key=lambda one: (one.at, one.execution_id))
        flat: dict[str, Any] = {}
        by_flow: dict[str, Any] = {}
        for flow_id, outputs in (*((one.flow_id, one.outputs) for one in told), (last.flow_id, last.outputs or {})):
            flat |= outputs
            by_flow[flow_id] = outputs
        if not told:
            return flat
        return flat | by_flow if len(by_flow) > 1 else by_flow | flat


class _WhenAsked(Mapping[str, Any]):
    """Values that are made once, when somebody asks: most triggers are not about the execution that comes by."""

    def __init__(self, makers: Mapping[str, Callable[[], Any]]) -> None:
        self._makers = makers
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = self._makers[name]()
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


def _shown(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
