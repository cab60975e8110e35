"""Executions that begin others, inside the loop: they are begun, awaited, restarted and stopped for a task run.

Always true: what a task run begins is committed together with the event that tells it so, or not at all.
Belongs to the loop's thread.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from functools import partial

from engine.core.calling import is_abandoned, successor_id
from engine.model.commands import AwaitFlows, StopFlows
from engine.model.events import AttemptFinished, Event, ExecutionStarted, KillRequested, RestartRequested
from engine.model.execution import Execution, TaskRun
from engine.model.flow import Flow
from engine.model.state import State
from engine.runtime.awaiting import Awaiting, Wait
from engine.runtime.batch import Active, Batch
from engine.runtime.messages import Adopt, Called, Found, Happened, Message
from engine.runtime.tasks import Tasks
from engine.runtime.unattended import Unattended
from engine.runtime.world import World

#: Why an execution is killed together with the one that waits for it.
STOPPED = "the flow that called it is being stopped"
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

    def _stored(self, execution_id: str) -> Execution | None:
        active = self._active.get(execution_id)
        return active.stored if active is not None else self._world.store.execution(execution_id)

    def adopted(self, execution: Execution) -> None:
        """An execution is taken over. That its caller told it to stop may have been lost."""
        caller = self._stored(execution.caller.execution_id) if execution.caller is not None else None
        if caller is None or execution.caller is None:
            return
        run = caller.task_runs.get(execution.caller.task_run_id)
        if run is not None and is_abandoned(run, execution):
            self._kill(execution.id)

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
        self._awaiting.add(run)
        batch.after.append((run.execution_id, partial(self._tasks.look_for_flows, active, run)))

    def found(self, found: Found) -> None:
        """What goes on goes on here, unless another engine moves it."""
        wait = self._awaiting.of(found.task_run_id, found.key[1])
        if wait is None or not (wait.is_stopped or self._waiting(wait)):
            return
        going_on = {}
        for id_, (flow, newest) in found.going_on.items():
            if self.is_elsewhere(newest, wait):
                going_on[id_] = newest
                continue
            child = self._newest(flow, newest)
            if child is None or (child.stored is not None and child.stored.is_terminal):
                continue  # it has ended since
            going_on[id_] = child.execution.id
            if child.execution.id not in self._active:
                self._post(Adopt(flow, child.execution, found.survivors.get(newest, {})))
            if wait.is_stopped:
                self._kill(child.execution.id)
        self._go_on(self._awaiting.found(wait, going_on))

    def is_elsewhere(self, execution_id: str, wait: Wait) -> bool:
        """Whether another engine moves what is waited for, and will go on to do so."""
        return False

    def _newest(self, flow: Flow, execution_id: str) -> Active | None:
        """An execution, or the last of those that have retried it by now."""
        found = self.load(flow, execution_id)
        while found is not None and found.stored is not None and found.stored.state is State.RETRIED:
            found = self.load(flow, successor_id(found.execution.id))
        return found

    def ended(self, execution: Execution) -> None:
        """An execution has its final state, and that is stored."""
        if execution.state is not State.RETRIED:
            self._go_on(self._awaiting.ended(execution.id))
            return
        again = successor_id(execution.id)
        wait = self._awaiting.followed(execution.id, again)
        if wait is None:
            return
        stored = self._stored(again)
        if stored is not None and stored.is_terminal:  # it was the faster one
            self.ended(stored)
        elif wait.is_stopped:
            self._kill(again)

    def _go_on(self, wait: Wait | None) -> None:
        """Nothing is left that a task run waits for."""
        run = self._waiting(wait) if wait is not None else None
        if run is None:
            return
        if run.state is State.RUNNING:
            self._tasks.start_attempt(self._active[run.execution_id], run)
        else:
            at = self._world.clock.now()
            killed = AttemptFinished(
                at=at, task_run_id=run.id, epoch=run.epoch, state=State.KILLED, outputs=run.outputs
            )
            self._post(Happened(run.execution_id, killed))

    def _waiting(self, wait: Wait) -> TaskRun | None:
        """The task run that waits, unless it does so no longer."""
        run = self._run(wait.execution_id, wait.task_run_id)
        is_waiting = run is not None and run.epoch == wait.epoch and run.calls is not None and run.state in _WAITS
        return run if is_waiting else None

    def stop(self, command: StopFlows) -> None:
        """Stop what a task run waits for, and what retries it."""
        wait = self._awaiting.of(command.task_run_id, command.epoch)
        if wait is not None:
            wait.is_stopped = True
        for execution_id in wait.left if wait is not None else command.calls:
            self._kill(execution_id)

    def _kill(self, execution_id: str) -> None:
        event = KillRequested(at=self._world.clock.now(), reason=STOPPED)
        self._post(Happened(execution_id, event))

    def _run(self, execution_id: str, task_run_id: str) -> TaskRun | None:
        active = self._active.get(execution_id)
        return active.execution.task_runs.get(task_run_id) if active is not None else None
