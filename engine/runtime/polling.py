"""Make the request of an http.Trigger, and judge the answer.

The request is a task of its own, of the type that flows ask the web with: it is read, rendered, limited and masked as
there. Always true: it never raises, and takes no longer than its patience and what stopping it takes.
"""

from __future__ import annotations

import threading
from typing import Any

from engine.core.triggering import Response, Verdict, responds
from engine.errors import PenstockError
from engine.expressions import Functions
from engine.model.events import AttemptFinished
from engine.model.execution import Execution, StateChange, TaskRun
from engine.model.flow import Flow, RunnableTask
from engine.model.state import State
from engine.model.triggers import HTTP_REQUEST, HttpTrigger
from engine.ports import LogLine, Metric
from engine.runtime.attempt import run_attempt
from engine.runtime.context import Assignment, AttemptContext
from engine.runtime.executions import Executions
from engine.runtime.ids import new_id
from engine.runtime.keyvalues import KeyValues
from engine.runtime.world import World

#: How long an answer may take in all, in seconds, however slowly it comes.
PATIENCE = 60.0


class Polling:
    """May be called from any thread."""

    def __init__(self, world: World, patience: float = PATIENCE) -> None:
        self._world = world
        self._patience = patience
        store = world.store
        self._kv = KeyValues(lambda: store, lambda write: write.perform(store), world.clock.now)
        self._executions = Executions(world)

    def __call__(self, flow: Flow, trigger: HttpTrigger, functions: Functions) -> Verdict:
        """What comes of asking once. An answer of any code counts, and no answer is a problem."""
        try:
            finished = self._asked(flow, trigger)
        except PenstockError as error:
            return Verdict(problem=error.message)
        if finished.state is not State.SUCCESS:
            late = f"there is no whole answer after {self._patience:g} s"
            return Verdict(problem=late if finished.state is State.KILLED else finished.error)
        return responds(flow, trigger, _response(finished.outputs or {}), functions, self._world.facts)

    def _asked(self, flow: Flow, trigger: HttpTrigger) -> AttemptFinished:
        context = AttemptContext(self._assignment(flow, trigger), _unheard)
        context.make_stoppable()
        limit = threading.Timer(self._patience, context.cancel)
        limit.daemon = True
        limit.start()
        try:
            finished = run_attempt(context, self._world.types.task_class(HTTP_REQUEST))
        finally:
            limit.cancel()
            context.close()
        assert isinstance(finished, AttemptFinished)  # a request starts no flows
        return finished

    def _assignment(self, flow: Flow, trigger: HttpTrigger) -> Assignment:
        """The request as the only task of an execution that is nowhere stored."""
        world, execution_id = self._world, new_id()
        history = (StateChange(State.RUNNING, world.clock.now()),)
        return Assignment(
            flow=flow,
            execution=Execution(
                id=execution_id,
                namespace=flow.namespace,
                flow_id=flow.id,
                flow_revision=flow.revision,
                state=State.RUNNING,
                history=history,
                labels=flow.labels,
                trigger={"id": trigger.id, "type": trigger.type},
            ),
            run=TaskRun(
                id=new_id(),
                execution_id=execution_id,
                task_id=trigger.id,
                seq=0,
                state=State.RUNNING,
                history=history,
            ),
            task=RunnableTask(id=trigger.id, type=HTTP_REQUEST, properties={**trigger.properties, "allowFailed": True}),
            facts=world.facts,
            cipher=world.cipher,
            outside=world.outside,
            kv=self._kv,
            executions=self._executions,
            task_class=world.types.task_class,
            clock=world.clock,
            process_policy=world.process_policy,
        )


def _response(outputs: Any) -> Response:
    return Response(uri=outputs["uri"], code=outputs["code"], headers=outputs["headers"], body=outputs["body"])


def _unheard(line: LogLine | Metric) -> None:
    """There is no execution whose log it could be in."""
