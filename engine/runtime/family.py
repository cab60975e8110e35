"""Executions that begin others, inside the loop: they are begun, awaited, restarted and stopped for a task run.

Always true: what a task run begins is committed together with the event that tells it so, or not at all.
Belongs to the loop's thread.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from functools import partial

from engine.model.commands import AwaitFlows, StopFlows
from engine.model.events import AttemptFinished, Event, ExecutionStarted, KillRequested, RestartRequested
from engine.model.execution import Caller, Execution, TaskRun
from engine.model.flow import Flow
from engine.model.state import State
from engine.runtime.awaiting import Awaiting
from engine.runtime.batch import Active, Batch
from engine.runtime.messages import Adopt, Called, Found, Happened, Message
from engine.runtime.tasks import Tasks
from engine.runtime.unattended import Unattended
from engine.runtime.world import World

_WAITS = frozenset({State.RUNNING, State.KILLING})


class Family:
    """`active` is what the loop moves, `decide` decides an event within a batch, `post` is for what comes next."""

    def __init__(
        self,
        world: World,
        active: MutableMapping[str, Active],
        tasks: Tasks,
        decide: Callable[[str, Event, Batch], None],
        post: Callable[[Message], None],
    ) -> None:
        self._world = world
        self._active = active
        self._tasks = tasks
        self._decide = decide
        self._post = post
        self._awaiting = Awaiting()
        self.unattended = Unattended()

    def load(self, flow: Flow | None, execution_id: str) -> Active | None:
        """An execution, perhaps from the store: read on this thread, where nobody can move it meanwhile."""
        active = self._active.get(execution_id)
        if active is None and flow is not None:
            stored = self._world.store.execution(execution_id)
            active = Active(flow, stored, stored=stored) if stored is not None else None
        return active

    def begin(self, flow: Flow, execution: Execution, beginner: str, batch: Batch) -> None:
        """Store a new execution together with the one that begins it, and start it."""
        self._active[execution.id] = active = Active(flow, execution, stored=None)
        batch.change(active)
        batch.bind(execution.id, beginner)
        self._post(Happened(execution.id, ExecutionStarted(at=self._world.clock.now())))

    def called(self, called: Called, batch: Batch) -> None:
        """Begin what a task run wants, unless it has been stopped meanwhile."""
        id_, event = called.execution_id, called.event
        run = self._run(id_, event.task_run_id)
        wanted = run is not None and run.state is State.RUNNING and run.epoch == event.epoch
        self._decide(id_, event, batch)
        if not wanted or id_ not in self._active:
            return
        for flow, execution in called.new:
            self.begin(flow, execution, id_, batch)
            if isinstance(event, AttemptFinished):
                self.unattended.add(execution)
        for flow, again in called.again:
            self._restart(flow, again, id_, event, batch)
        run = self._run(id_, event.task_run_id)
        if run is not None and run.calls is not None:
            self._awaiting.add(run)
            if not called.new:  # some may have ended long ago
                batch.after.append((id_, partial(self._tasks.look_for_flows, self._active[id_], run)))

    def _restart(self, flow: Flow, execution_id: str, beginner: str, event: Event, batch: Batch) -> None:
        active = self.load(flow, execution_id)
        if active is not None:
            self._active[execution_id] = active
            self._decide(execution_id, RestartRequested(at=event.at, by="the flow that called it"), batch)
            if execution_id in batch.changes:
                batch.bind(execution_id, beginner)
            elif active.execution.is_over:
                self._active.pop(execution_id, None)

    def wait(self, active: Active, command: AwaitFlows, batch: Batch) -> None:
        """A task run waits for executions of which nothing is known here, as after a crash."""
        run = active.execution.task_runs[command.task_run_id]
        if self._awaiting.add(run):
            batch.after.append((run.execution_id, partial(self._tasks.look_for_flows, active, run)))

    def found(self, found: Found) -> None:
        """What goes on goes on here, unless another engine moves it."""
        run = self._run(found.execution_id, found.task_run_id)
        if run is None or run.calls is None or run.state not in _WAITS:
            return
        going_on = {}
        for id_, (flow, newest) in found.going_on.items():
            child = self.load(flow, newest)
            if child is None or (child.stored is not None and child.stored.is_terminal):
                continue  # it has ended since
            if newest not in self._active:
                self._post(Adopt(flow, child.execution, found.survivors.get(newest, {})))
            if run.state is State.KILLING:
                self._kill(newest)
            going_on[id_] = newest
        self._go_on(self._awaiting.found(run, going_on))

    def ended(self, execution: Execution) -> None:
        """An execution has its final state, and that is stored."""
        self._go_on(self._awaiting.ended(execution))

    def _go_on(self, caller: Caller | None) -> None:
        """Nothing is left that a task run waits for."""
        run = self._run(caller.execution_id, caller.task_run_id) if caller is not None else None
        if run is None or run.calls is None:
            return
        if run.state is State.RUNNING:
            self._tasks.start_attempt(self._active[run.execution_id], run)
        elif run.state is State.KILLING:
            at = self._world.clock.now()
            killed = AttemptFinished(
                at=at, task_run_id=run.id, epoch=run.epoch, state=State.KILLED, outputs=run.outputs
            )
            self._post(Happened(run.execution_id, killed))

    def stop(self, command: StopFlows) -> None:
        """Stop what a task run waits for."""
        for execution_id in self._awaiting.left(command.task_run_id) or command.calls:
            self._kill(execution_id)

    def _kill(self, execution_id: str) -> None:
        event = KillRequested(at=self._world.clock.now(), reason="the flow that called it is being stopped")
        self._post(Happened(execution_id, event))

    def _run(self, execution_id: str, task_run_id: str) -> TaskRun | None:
        active = self._active.get(execution_id)
        return active.execution.task_runs.get(task_run_id) if active is not None else None
