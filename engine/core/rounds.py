"""The rounds of a Loop: the value of each, what a Loop asks before its first and after its last, and after each.

A round is known by its task run, whose parent is the Loop's; `TaskRun.iteration` is its number, from 0, and the
Loop's task run has the values. While a round runs nothing of the Loop's own task run is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from engine.core.context import Context, item_of
from engine.core.rendering import Asked, declared, deep, needs_outside
from engine.errors import ExpressionError
from engine.expressions import Functions, Language, truthy
from engine.expressions.faults import Unavailable
from engine.model.execution import Execution, TaskRun
from engine.model.flow import FlowOutput, Loop, Round
from engine.model.state import State

#: How the URI of a file begins, whatever keeps it.
_SCHEMES = ("kestra:///", "nsfile://", "file:///")


class Values(Asked, frozen=True):
    """What a Loop goes over: `{values, from}`, where `from` is `{uri}` if they are the rows of a file."""

    loop: Loop

    def calls_out(self, written_in: Language) -> bool:
        return needs_outside(self.loop.values, written_in)

    def answer(self, context: Context, functions: Functions, written_in: Language) -> dict[str, Any]:
        values = deep(self.loop.values, context, functions, written_in)
        if not (isinstance(values, str) and values.strip().startswith(_SCHEMES)):
            return {"values": values, "from": {}}
        uri = values.strip()
        return {"values": _for_workers(functions.read_rows)(uri), "from": {"uri": uri}}


class RoundEnd(Asked, frozen=True):
    """What a round gives, and whether it is the last: `{outputs, isLast}`."""

    round: Round
    state: State
    outputs: tuple[FlowOutput, ...]

    def calls_out(self, written_in: Language) -> bool:
        return needs_outside((*self.outputs, self.round.break_when), written_in)

    def answer(self, context: Context, functions: Functions, written_in: Language) -> dict[str, Any]:
        outputs = declared(self.outputs, context, functions, written_in)
        is_last, condition = False, self.round.break_when
        if condition is not None:
            iteration = {"executionId": context.execution.id, "state": self.state.value, "outputs": outputs}
            seen = Context(context.flow, context.execution, context.run, context.facts, {"iteration": iteration})
            try:
                is_last = truthy(written_in.condition(str(condition), seen, functions))
            except ExpressionError as error:
                if self.outputs and not isinstance(error, Unavailable):
                    error.message = f"`breakWhen`: {error.message}"
                raise
        return {"outputs": outputs, "isLast": is_last}


class Results(Asked, frozen=True):
    """The outputs of a Loop. What its rounds gave is a list, or a file (`uri`) where that is asked for."""

    loop: Loop

    def calls_out(self, written_in: Language) -> bool:
        return self.loop.fetch_type == "STORE"

    def answer(self, context: Context, functions: Functions, written_in: Language) -> dict[str, Any]:
        run = context.run
        assert run is not None
        stores = self.loop.fetch_type == "STORE" or (self.loop.fetch_type == "AUTO" and "uri" in (run.outputs or {}))
        store = _for_workers(functions.write_rows) if stores else None
        rounds = list(_rounds(self.loop, context, run))
        terminated: dict[str, int] = {}
        for each in rounds:
            terminated[each.state.value] = terminated.get(each.state.value, 0) + 1
        results = [{"item": _shown(context.execution, each), "outputs": dict(each.outputs or {})} for each in rounds]
        counts = {"iterationCount": len(rounds), "runningIterations": 0, "terminatedIterations": terminated}
        return {**counts, "uri": store(results)} if store is not None else {**counts, "outputs": results}


def _for_workers(function: Any) -> Any:
    """What only a worker can do."""
    if function is None:
        raise Unavailable("A file cannot be touched here,", code="function-unavailable")
    return function


def _rounds(loop: Loop, context: Context, run: TaskRun) -> Iterator[TaskRun]:
    """The rounds that have begun, in their order."""
    runs, way = context.execution.task_runs, context.values_of(run)
    for number in range(len(run.items or ())):
        run_id = context.ledger.index.get((loop.round.id, *way, str(number)))
        if run_id is not None:
            yield runs[run_id]


def _shown(execution: Execution, run: TaskRun) -> dict[str, Any]:
    item = item_of(execution, run)
    return {("iteration" if name == "index" else name): value for name, value in item.items()}
