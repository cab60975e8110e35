"""Flows that flows run: the executions that a task begins, and the task's answer once they have ended.

Always true: an execution's id follows from the claim of the task run that begins it, so that doing it again begins
nothing twice; all executions of one claim are committed together with the task run that waits for them, or none is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from msgspec import Struct

from engine.core.calling import call_id, is_restarted, successor_id
from engine.core.context import Context
from engine.core.labels import SYSTEM
from engine.core.refusal import refusal
from engine.core.rendering import deep
from engine.errors import PenstockError, TaskFailed
from engine.expressions import language
from engine.model.duration import parse_duration
from engine.model.events import AttemptFinished, FlowsStarted, RestartRequested
from engine.model.execution import Caller, Execution, TaskRun
from engine.model.flow import Flow
from engine.model.state import TERMINAL, State
from engine.ports import Store
from engine.runtime.context import AttemptContext
from engine.runtime.creation import Creator, Origin
from engine.runtime.sealing import revealing
from engine.runtime.world import FlowSource
from engine.sdk.flows import EndedFlow, FlowCall, StartFlows
from engine.sdk.outputs import plain


class Begun(Struct, frozen=True):
    """What a task run begins: new executions, or others again, and the event that tells it of them."""

    event: FlowsStarted | AttemptFinished
    new: tuple[tuple[Flow, Execution], ...] = ()
    again: tuple[tuple[Flow, str], ...] = ()


class Calls(Struct, frozen=True, kw_only=True):
    """Begins executions for task runs, and finds those that were begun. Every method may take long."""

    flows: FlowSource
    creator: Creator
    store: Store

    def begin(self, context: AttemptContext, start: StartFlows) -> Begun:
        """What a task wants, ready for the loop. Raises PenstockError when one of its flows cannot be begun."""
        run = context.assignment.run
        ids = self._failed_before(run) if start.restart_failed and start.wait and is_restarted(run) else None
        if ids is not None and len(ids) == len(start.calls):
            return self._go_on(context, start, ids)
        new = []
        known: dict[tuple[str, str, int | None], Flow] = {}
        for index, call in enumerate(start.calls):
            context.check_cancelled()
            name = (call.namespace, call.flow_id, call.revision)
            if name not in known:
                known[name] = self._flow(*name)
            new.append((known[name], self._execution(context, known[name], call, index)))
        ids = tuple(execution.id for _, execution in new)
        return Begun(self._told(context, start, ids), tuple(new))

    def _flow(self, namespace: str, flow_id: str, revision: int | None) -> Flow:
        flow = self.flows.find(namespace, flow_id, revision)
        if flow.disabled:
            message = f"Cannot execute a flow which is disabled: {namespace}/{flow_id}"
            raise TaskFailed(message, hint="remove `disabled: true` from it, or skip this task with `runIf`")
        return flow

    def _execution(self, context: AttemptContext, flow: Flow, call: FlowCall, index: int) -> Execution:
        run, parent = context.assignment.run, context.assignment.execution
        own = {name: value for name, value in parent.labels.items() if not name.startswith(SYSTEM)}
        origin = Origin(
            trigger={
                "id": context.task_id,
                "type": context.assignment.task.type,
                "variables": {
                    "executionId": parent.id,
                    "namespace": parent.namespace,
                    "flowId": parent.flow_id,
                    "flowRevision": parent.flow_revision,
                },
            },
            caller=Caller(parent.id, run.id),
            labels=parent.labels,
            due=call.schedule_date,
        )
        labels = {**(own if call.inherit_labels else {}), **call.labels}
        try:
            created = self.creator.create(flow, call.inputs, labels, call_id(run, run.epoch, index), origin)
        except PenstockError as error:
            message = f"{flow.namespace}/{flow.id} cannot be executed: {error.message}"
            raise TaskFailed(message, hint=error.hint) from error
        created.uploads.put()
        return created.execution

    def _told(self, context: AttemptContext, start: StartFlows, ids: tuple[str, ...]) -> FlowsStarted | AttemptFinished:
        run, task, at = context.assignment.run, context.assignment.task, context.now()
        outputs = context.masker.value(plain(start.outputs(ids)))
        if not start.wait:
            return AttemptFinished(at=at, task_run_id=run.id, epoch=run.epoch, state=State.SUCCESS, outputs=outputs)
        due = None
        if task.timeout is not None:
            due = run.attempts[-1].started_at + parse_duration(context.render(task.timeout))
        return FlowsStarted(at=at, task_run_id=run.id, epoch=run.epoch, calls=ids, outputs=outputs, due=due)

    # -- going on after a restart

    def _failed_before(self, run: TaskRun) -> tuple[str, ...] | None:
        """The calls of the last claim that made any."""
        begun = {each.id for each in self.store.called_by(Caller(run.execution_id, run.id))}
        for epoch in range(run.epoch - 1, 0, -1):
            ids: list[str] = []
            while (id_ := call_id(run, epoch, len(ids))) in begun:
                ids.append(id_)
            if ids:
                return tuple(ids)
        return None

    def _go_on(self, context: AttemptContext, start: StartFlows, ids: tuple[str, ...]) -> Begun:
        """Wait for what was begun before, and restart what did not end well."""
        again, event = [], RestartRequested(at=context.now(), by=f"task {context.task_id}")
        for id_ in ids:
            execution = self._newest(id_)
            if execution is None or not execution.is_terminal or execution.state in (State.SUCCESS, State.WARNING):
                continue
            flow = self.flows.flow_of(execution)
            why_not = refusal(flow, execution, event, self.creator.facts)
            if why_not is not None:
                raise TaskFailed(
                    f"execution {execution.id} {why_not}", hint="`restartBehavior: NEW_EXECUTION` begins a new one"
                )
            again.append((flow, execution.id))
        return Begun(self._told(context, start, ids), again=tuple(again))

    # -- looking

    def _newest(self, id_: str) -> Execution | None:
        """An execution, or the last of those that retried it."""
        execution = self.store.execution(id_)
        while execution is not None and execution.state is State.RETRIED:
            execution = self.store.execution(successor_id(execution.id))
        return execution

    def going_on(self, calls: Sequence[str]) -> dict[str, tuple[Flow, str]]:
        """The calls that have not ended: as which execution each goes on. One that is gone has ended."""
        found = {}
        for id_ in calls:
            execution = self._newest(id_)
            if execution is not None and not execution.is_terminal:
                found[id_] = (self.flows.flow_of(execution), execution.id)
        return found

    def ended(self, calls: Sequence[str], context: AttemptContext) -> Iterator[EndedFlow]:
        """The executions as they ended, in the order of the calls, even if a person has restarted one since."""
        for id_ in calls:
            execution = self._newest(id_)
            if execution is None:
                raise TaskFailed(f"the execution {id_} is gone, so nobody knows how it ended")
            yield EndedFlow(
                execution_id=execution.id,
                namespace=execution.namespace,
                flow_id=execution.flow_id,
                state=next(state for state, _ in reversed(execution.history) if state in TERMINAL),
                outputs=execution.outputs,
                error=execution.error,
                evaluate=self._evaluator(execution, context),
            )

    def _evaluator(self, execution: Execution, caller: AttemptContext) -> Callable[[Any], Any]:
        def evaluate(template: Any) -> Any:
            flow, given = self.flows.flow_of(execution), caller.assignment
            facts = revealing(given.facts, given.cipher, caller.masker.add)
            context = Context(flow, execution, None, facts)
            return deep(template, context, caller.functions, language(flow.expressions))

        return evaluate
