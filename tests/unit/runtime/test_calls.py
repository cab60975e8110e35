"""What a task run is told of the executions that it waited for."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from engine.catalog import Catalog
from engine.dialect import load
from engine.model.events import RestartRequested
from engine.model.execution import Execution, TaskRun
from engine.model.state import State
from engine.runtime.calls import Calls
from tests.simulation.play import Play

FLOW = "{id: f, namespace: n, tasks: [{id: t, type: io.kestra.plugin.core.debug.Return}]}"


class Store:
    """Holds one execution."""

    def __init__(self, execution: Execution) -> None:
        self._execution = execution

    def execution(self, execution_id: str) -> Execution:
        return self._execution


def fail(run: TaskRun) -> dict[str, Any]:
    return {"state": State.FAILED}


def test_one_that_was_restarted_since_ended_as_it_did_before() -> None:
    play = Play(load(FLOW, types=Catalog()), fail)
    play.run()
    play.step(RestartRequested(at=play.tick()))
    assert play.execution.state is State.RUNNING
    store: Any = Store(replace(play.execution, tallies=None))
    calls = Calls(flows=Any, creator=Any, store=store)  # type: ignore[arg-type]
    context: Any = None
    assert [each.state for each in calls.ended(["run"], context)] == [State.FAILED]
