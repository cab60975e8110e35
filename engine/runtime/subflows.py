"""`subflow()`: runs another flow to its end, and gives its outputs, as choices for an input or wherever else."""

from __future__ import annotations

from collections.abc import Mapping
from threading import BoundedSemaphore
from typing import Any, Protocol

from engine.errors import ExpressionError, FlowInvalid
from engine.model.execution import Execution
from engine.model.state import State
from engine.runtime.workers import stood_in_for

#: How many may wait at once. A flow that calls itself comes to its end here, however it does so.
MAX_WAITING = 32
#: How long an expression waits for a flow, in seconds.
PATIENCE = 300.0


class Runner(Protocol):
    """The engine, as far as it is needed here."""

    def submit(self, flow: str, inputs: Mapping[str, Any]) -> Execution: ...

    def follow(self, execution_id: str, *, timeout: float) -> Execution: ...


class Subflows:
    """Fulfils the function for all askers."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._places = BoundedSemaphore(MAX_WAITING)

    def call(self, namespace: Any, flow_id: Any, *, inputs: Any = None) -> Mapping[str, Any]:
        """The outputs of the flow. Raises ExpressionError when it fails, and whatever submitting it raises."""
        if inputs is not None and not isinstance(inputs, Mapping):
            raise ExpressionError("The inputs of `subflow` are a map,", hint="Write `subflow('ns', 'id', {'a': 1})`.")
        name = f"{namespace}/{flow_id}"
        if not self._places.acquire(blocking=False):
            raise ExpressionError(
                f"More than {MAX_WAITING} calls of `subflow` wait at once, now for {name},",
                code="expression-limit",
                hint="Does the flow call itself?",
            )
        try:
            return _outputs(name, self._run(name, inputs or {}))
        except TimeoutError:
            hint = "Let a task of the type Subflow run it."
            raise ExpressionError(f"The flow {name} took longer than {PATIENCE:g} s,", hint=hint) from None
        except FlowInvalid as error:
            raise ExpressionError(f"The flow {name} is not valid ({error.message}),", hint=error.hint) from None
        finally:
            self._places.release()

    def _run(self, name: str, inputs: Mapping[str, Any]) -> Execution:
        """Run the flow, also on a thread that the flow itself may need: that of a worker."""
        with stood_in_for():
            execution = self._runner.submit(name, inputs)
            return self._runner.follow(execution.id, timeout=PATIENCE)


def _outputs(name: str, execution: Execution) -> Mapping[str, Any]:
    if execution.state not in (State.SUCCESS, State.WARNING):
        why = f": {execution.error}" if execution.error else ""
        raise ExpressionError(
            f"The flow {name} ended {execution.state.value}{why},",
            code="subflow-failed",
            hint=f"See `penstock executions show {execution.id}`.",
        )
    return execution.outputs or {}
