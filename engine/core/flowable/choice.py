"""If and Switch: one of several lists, chosen once when the container begins, then one task after the other.

The choice is kept in the container's outputs, so nothing is evaluated twice.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from engine.core.flowable.opening import Closing, Opening
from engine.core.flowable.scope import Next, Scope, nexts_in_order
from engine.core.ledger import main_state
from engine.expressions import truthy
from engine.model.flow import If, Switch, Task
from engine.model.state import State


class _Choice:
    """What If and Switch share: run the chosen list."""

    def chosen(self, scope: Scope) -> tuple[Task, ...]:
        raise NotImplementedError

    def nexts(self, scope: Scope) -> list[Next]:
        return nexts_in_order(scope, self.chosen(scope))

    def outcome(self, scope: Scope) -> State | None:
        return main_state(scope.main, len(self.chosen(scope)))

    def question(self, task: Any, state: State) -> tuple[str, Any] | None:
        return None

    def close(self, task: Any, run: Any, state: State, value: Any, at: datetime) -> Closing | str:
        return Closing(state)


class _If(_Choice):
    def expression(self, task: If) -> tuple[str, Any]:
        return "condition", task.condition

    def begin(self, task: If, value: Any, at: datetime) -> Opening | str:
        return Opening(outputs={"evaluationResult": truthy(value)})

    def chosen(self, scope: Scope) -> tuple[Task, ...]:
        assert scope.run is not None
        assert scope.run.outputs is not None
        return scope.tasks("then" if scope.run.outputs["evaluationResult"] else "else")


class _Switch(_Choice):
    def expression(self, task: Switch) -> tuple[str, Any]:
        return "value", task.value

    def begin(self, task: Switch, value: Any, at: datetime) -> Opening | str:
        if value in task.cases:
            return Opening(outputs={"value": value, "defaults": False})
        if task.defaults:
            return Opening(outputs={"value": value, "defaults": True})
        cases = ", ".join(f"`{case}`" for case in task.cases) or "none"
        return f"no case matches the value `{value}`, and there is no `defaults` (cases: {cases})"

    def chosen(self, scope: Scope) -> tuple[Task, ...]:
        assert scope.run is not None
        assert scope.run.outputs is not None
        outputs = scope.run.outputs
        return scope.tasks("defaults" if outputs["defaults"] else f"cases.{outputs['value']}")


IF = _If()
SWITCH = _Switch()
