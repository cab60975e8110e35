"""The loop: one thread that owns every change of state.

A turn is: take what waits, decide each, commit everything in one transaction, and only then perform the commands.
So whatever the outside sees has been committed, and a crash between two turns loses nothing that anybody was told.
Tasks that are pure run inside the turn, so their start and end are one commit; nobody else's code runs here.
A turn is bounded, so that a long flow's history can be watched while it runs.
"""

from __future__ import annotations

import gc
import logging
import queue
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future

from engine.core import decide
from engine.core.claims import claimed, may_start
from engine.core.refusal import refusal, was_done
from engine.errors import Fenced, IllegalState, NotFound, StoreError, StoreFull
from engine.model.events import (
    AttemptStarted,
    EngineStarted,
    Event,
    ExecutionStarted,
)
from engine.model.execution import Execution
from engine.model.flow import Flow
from engine.model.scheduling import Fire, TriggerState
from engine.ports import ExecutionChange
from engine.runtime.batch import Active, Batch
from engine.runtime.commanding import Commanding
from engine.runtime.family import Family
from engine.runtime.followers import Followers
from engine.runtime.messages import Adopt, Called, Found, Happened, Lent, Message, Request, Stop, Submit, Told, Wake
from engine.runtime.places import BEGUN, Places
from engine.runtime.promises import Promises
from engine.runtime.room import Room
from engine.runtime.survivors import survivors
from engine.runtime.tasks import Tasks
from engine.runtime.timers import Timers
from engine.runtime.workers import Workers
from engine.runtime.world import World

#: A commit holds about so many task runs, or what was decided in this time.
BATCH_TASK_RUNS = 64
BATCH_SECONDS = 0.020
#: How long a task may take to stop once it was told to.
STOP_GRACE = 10.0
#: Seconds after which the loop looks at what is due, even if that is far away.
LONGEST_WAIT = 3600.0

log = logging.getLogger(__name__)


class Loop:
    """Runs executions until told to stop. `submit`, `adopt`, `post` and `stop` may be called from any thread."""

    def __init__(self, world: World, workers: int = 16) -> None:
        self._world = world
        self._inbox: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._active: dict[str, Active] = {}
        self._backlog: deque[Message] = deque()
        self._inline: deque[tuple[str, str]] = deque()  #: (execution, task run) waiting to run inside the loop
        self._ready: deque[tuple[str, str]] = deque()  #: ... waiting for a free worker
        self._timers = Timers()
        self._places = self._new_places()
        self._workers = Workers(workers, lambda count: self._inbox.put(Lent(count)))
        self._tasks = Tasks(world, self._workers, self._inbox.put, self.ask, self.is_moved)
        self._family = self._new_family()
        self._commanding = Commanding(
            world.clock, self._inline, self._ready, self._timers, self._workers, self._tasks, self._family
        )
        self._stopping_at: float | None = None
        self._promises = Promises()
        self._room = Room(self._inbox, self._backlog.append)
        self.followers = Followers()
        self._thread = threading.Thread(target=self._run, name="penstock-loop", daemon=True)

    def _new_places(self) -> Places:
        return Places(self._world.store)

    def _new_family(self) -> Family:
        return Family(self._world, self._active, self._tasks, self._decide, self._backlog.append)

    # -- from outside

    def start(self) -> None:
        self._thread.start()

    def submit(
        self, flow: Flow, execution: Execution, fire: Fire | None = None, trigger: TriggerState | None = None
    ) -> Future[Execution]:
        """Store and begin an execution. The answer comes after the commit; Fenced if `fire` has been before."""
        stored = self._promises.make()
        self._inbox.put(Submit(flow, execution, stored, fire, trigger))
        return stored

    def ask(self, flow: Flow | None, execution_id: str, event: Event) -> Future[Execution]:
        """Ask something of an execution that runs, waits or has ended. The answer comes after the commit.

        It raises IllegalState when the event does not fit. `flow` is used when this loop does not run it yet; without
        one it raises NotFound then.
        """
        done = self._promises.make()
        self._inbox.put(Request(flow, execution_id, event, done))
        return done

    def adopt(self, flow: Flow, execution: Execution) -> None:
        """Go on with an execution whose engine is gone, once its processes are. One that runs here just goes on."""
        if not self.runs(execution.id):
            self._inbox.put(Adopt(flow, execution, survivors(execution, self.is_moved)))

    def runs(self, execution_id: str) -> bool:
        """Whether it is this loop that moves the execution, as of now."""
        return execution_id in self._active

    def is_moved(self, execution_id: str) -> bool:
        """Whether any engine moves the execution, as of now."""
        return self.runs(execution_id)

    def post(self, execution_id: str, event: Event) -> None:
        """Something happened."""
        self._inbox.put(Happened(execution_id, event))

    def finish(self, on_wait: Callable[[str], None]) -> None:
        """Wait for the end of what flows began and nobody waits for. `on_wait` hears of it, and of what is left."""
        self._family.unattended.finish(on_wait)

    def stop(self, grace: float = STOP_GRACE) -> None:
        """End the loop; returns when it has ended."""
        self._inbox.put(Stop(grace))
        self._thread.join(grace + 5.0)

    # -- the turn

    def _run(self) -> None:
        # What has been loaded by now lives as long as the process: the collector need not look at it again and again.
        gc.freeze()
        self._tasks.folders.sweep()
        try:
            while not self._is_over():
                self._turn()
        except BaseException as error:  # whoever waits must learn that nobody will answer any more
            log.exception("the loop ended by an error")
            self._promises.break_all(error)
            self.followers.fail_all(error)
            self._family.unattended.forget()
        finally:
            self._workers.close()

    def _is_over(self) -> bool:
        if self._stopping_at is None:
            return False
        idle = not self._workers.busy and self._inbox.empty() and not self._backlog
        return idle or self._world.clock.monotonic() >= self._stopping_at

    def _turn(self) -> None:
        self._receive()
        batch = Batch()
        until = self._world.clock.monotonic() + BATCH_SECONDS
        while batch.size < BATCH_TASK_RUNS and self._world.clock.monotonic() < until:
            if self._backlog:
                self._apply(self._backlog.popleft(), batch)
            elif self._inline:
                self._run_inline(*self._inline.popleft(), batch)
            else:
                break
        self._claim(batch)
        if batch:
            self._commit(batch)

    def _receive(self) -> None:
        """Take what waits; when there is nothing to do, wait for it."""
        self._backlog.extend(self._timers.fired(self._world.clock.now()))
        for active, event in self._tasks.overdue(self._world.clock.monotonic(), STOP_GRACE):
            self._backlog.append(Happened(active.execution.id, event))
        idle = not self._backlog and not self._inline and not (self._ready and self._workers.free)
        try:
            if idle:
                self._backlog.append(self._inbox.get(timeout=self._patience()))
            while True:
                self._backlog.append(self._inbox.get_nowait())
        except queue.Empty:
            pass

    def _patience(self) -> float | None:
        """Seconds until something is due by itself; None when nothing is."""
        waits: list[float] = []
        if (due := self._timers.next_due) is not None:
            waits.append((due - self._world.clock.now()).total_seconds())
        deadlines = [self._workers.next_deadline(STOP_GRACE), self._stopping_at]
        waits += [deadline - self._world.clock.monotonic() for deadline in deadlines if deadline is not None]
        # A clock of the system cannot wait for ever, and a date may be a thousand years away.
        return min(max(min(waits), 0.0), LONGEST_WAIT) if waits else None

    # -- deciding

    def _apply(self, message: Message, batch: Batch) -> None:
        match message:
            case Happened():
                if message.key is not None and self._tasks.finished(message.key) is None:
                    return  # it had been given up; somebody else has answered for it
                self._decide(message.execution_id, message.event, batch)
            case Called():
                if self._tasks.finished(message.key) is not None:
                    self._family.called(message, batch)
            case Found():
                if self._tasks.finished(message.key) is not None:
                    self._family.found(message)
            case Told():
                active = self._active.get(message.execution_id)
                if active is not None:
                    batch.write(active, message.entry)
            case Submit():
                self._begin(message, batch)
            case Request():
                self._ask(message, batch)
            case Adopt() if message.execution.id not in self._active:
                active = Active(message.flow, message.execution, stored=message.execution)
                self._active[message.execution.id] = active
                taken_over = EngineStarted(at=self._world.clock.now(), survivors=message.survivors)
                self._decide(message.execution.id, taken_over, batch)
                self._family.adopted(message.execution)
            case Lent():
                self._workers.lend(message.count)
            case Stop():
                self._stopping_at = self._world.clock.monotonic() + message.grace
            case Adopt() | Wake():
                pass

    def _begin(self, message: Submit, batch: Batch) -> None:
        execution = message.execution
        self._active[execution.id] = active = Active(message.flow, execution, stored=None)
        change = batch.change(active)
        change.fire, change.trigger = message.fire, message.trigger
        self._decide(execution.id, ExecutionStarted(at=self._world.clock.now()), batch)
        batch.answer(execution.id, message.stored)

    def _ask(self, request: Request, batch: Batch) -> None:
        """Decide what a person asks, unless it does not fit, or is done and only asked again."""
        id_ = request.execution_id
        active = self._family.load(request.flow, id_)
        if active is None:
            request.done.set_exception(NotFound(f"there is no execution {id_}"))
            return
        done = was_done(active.execution, request.event)
        why_not = None if done else refusal(active.flow, active.execution, request.event, self._world.facts)
        if why_not is not None:
            request.done.set_exception(IllegalState(f"execution {id_} {why_not}"))
            return
        self._active[id_] = active
        if not done:
            self._decide(id_, request.event, batch)
        if id_ in batch.changes:
            batch.answer(id_, request.done)
        else:
            request.done.set_result(active.execution)
            if active.execution.is_over:
                self._active.pop(id_, None)

    def _decide(self, execution_id: str, event: Event, batch: Batch) -> None:
        active = self._active.get(execution_id)
        if active is None:
            return
        if isinstance(event, ExecutionStarted):
            event = self._places.admit(active.flow, active.execution, event)
        try:
            decision = decide(active.flow, active.execution, event, self._world.facts)
        except Exception as error:  # a bug of ours must not take the other executions down
            log.exception("the engine cannot decide %s", event)
            self._give_up(execution_id, error, batch)
            return
        if decision.execution is active.execution and not decision.commands:
            return
        active.execution = decision.execution
        self._places.note(active.flow, decision.execution)
        batch.add(active, decision, event.at)
        for begun in decision.begun:
            self._family.begin(active.flow, begun, execution_id, batch)
            self._family.unattended.add(begun)
        for command in decision.commands:
            self._commanding.note(active, command, batch)

    def _run_inline(self, execution_id: str, run_id: str, batch: Batch) -> None:
        """Claim, run and finish a pure task in this very turn."""
        active = self._active.get(execution_id)
        waiting = active.execution.task_runs.get(run_id) if active is not None else None
        if active is None or waiting is None or not may_start(active.flow, active.execution, waiting):
            return  # it was stopped, held, or taken away since it was queued
        run = claimed(waiting, waiting.epoch + 1, self._world.clock.now())
        finished = self._tasks.run_here(active, run, lambda entry: batch.write(active, entry))
        self._decide(execution_id, finished, batch)

    def _claim(self, batch: Batch) -> None:
        """Give waiting task runs to free workers. The claims are committed before any of them starts."""
        taken = 0
        while self._ready and self._stopping_at is None and taken < self._workers.free:
            execution_id, run_id = self._ready.popleft()
            active = self._active.get(execution_id)
            waiting = active.execution.task_runs.get(run_id) if active is not None else None
            if active is not None and waiting is not None:
                event = AttemptStarted(at=self._world.clock.now(), task_run_id=run_id, epoch=waiting.epoch + 1)
                before = active.execution
                self._decide(execution_id, event, batch)
                taken += active.execution is not before

    # -- committing

    def _commit(self, batch: Batch) -> None:
        self._world.heralds.announce(batch.changes.values())
        committed = self._store(list(batch.changes.values()), batch)
        for change in committed:
            active = self._active.get(change.after.id)
            if active is not None:
                active.stored = change.after
            for waiting in batch.waiting.pop(change.after.id, ()):
                waiting.set_result(change.after)
        self._tasks.folders.committed(committed)
        self._world.heralds.told(committed)
        for execution_id, perform in batch.after:
            if execution_id in self._active:
                perform()
        for change in committed:
            if change.after.is_terminal:
                self._family.ended(change.after)
                self._free(change.after)
            self._family.unattended.heard(change.after)
            self.followers.tell(change)
            if change.after.is_over:
                self._active.pop(change.after.id, None)

    def _store(self, changes: list[ExecutionChange], batch: Batch) -> list[ExecutionChange]:
        """Commit the changes and return those that are in the database now."""
        while changes:
            try:
                self._world.store.commit(changes)
                self._room.found()
                return changes
            except StoreFull as error:
                changes = self._when_there_is_room(changes, batch, error)
            except StoreError as error:
                bound = batch.bound(changes)
                if len(bound) > 1:
                    # One of them is poison: let each stand for itself. Nobody was told anything yet: nothing is lost.
                    return [change for together in bound for change in self._store(together, batch)]
                for change in changes:
                    # What began before for the same reason is no fault: who asked is told, and answers with that one.
                    level = logging.DEBUG if change.fire is not None and isinstance(error, Fenced) else logging.ERROR
                    log.log(level, "execution %s cannot be stored and is given up for now: %s", change.after.id, error)
                    self._give_up(change.after.id, error, batch)
                return []
        return []

    def _when_there_is_room(
        self, changes: list[ExecutionChange], batch: Batch, error: StoreFull
    ) -> list[ExecutionChange]:
        """What is to be tried again: what is new is refused, the rest has waited, if this engine is there to stay."""
        waits = self._world.is_patient and self._room.wait(error)
        kept: list[ExecutionChange] = []
        for together in batch.bound(changes):
            if waits and any(change.before is not None for change in together):
                kept += together
            else:
                for change in together:
                    self._give_up(change.after.id, error, batch)
        return kept

    def _free(self, execution: Execution) -> None:
        """Let those ask again who wait for the place of this one."""
        active = self._active.get(execution.id)
        for waiting in self._places.freed(active.flow, execution) if active is not None else ():
            self._backlog.append(Happened(waiting, ExecutionStarted(at=self._world.clock.now())))

    def _give_up(self, execution_id: str, error: Exception, batch: Batch) -> None:
        """Leave an execution as it was last committed; recovery can take it from there."""
        given_up = self._active.get(execution_id)
        if given_up is not None and (given_up.stored is None or given_up.stored.state not in BEGUN):
            self._free(given_up.execution)
        self._active.pop(execution_id, None)
        self._family.unattended.forget(execution_id)
        for waiting in batch.waiting.pop(execution_id, ()):
            waiting.set_exception(error)
        self.followers.fail(execution_id, error)
