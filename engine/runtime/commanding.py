"""What becomes of the commands of a decision: some at once, within the loop, the rest after the commit.

Always true: nothing that the world outside sees is done before what it follows from is stored. Belongs to the loop's
thread.
"""

from __future__ import annotations

from collections import deque
from functools import partial

from engine.model.commands import (
    AwaitFlows,
    Command,
    Evaluate,
    QueueTask,
    RunTask,
    SetDeadline,
    SetTimer,
    StartLater,
    StopFlows,
    StopTask,
)
from engine.model.events import DeadlinePassed, ExecutionStarted, TimerFired
from engine.ports import Clock
from engine.runtime.batch import Active, Batch
from engine.runtime.family import Family
from engine.runtime.tasks import Tasks
from engine.runtime.timers import Timers
from engine.runtime.workers import Workers

#: Task runs that wait, each by its execution and its own id.
Waiting = deque[tuple[str, str]]


class Commanding:
    """`inline` waits to run inside the loop, `ready` for a free worker."""

    def __init__(
        self,
        clock: Clock,
        inline: Waiting,
        ready: Waiting,
        timers: Timers,
        workers: Workers,
        tasks: Tasks,
        family: Family,
    ) -> None:
        self._clock = clock
        self._inline = inline
        self._ready = ready
        self._timers = timers
        self._workers = workers
        self._tasks = tasks
        self._family = family

    def note(self, active: Active, command: Command, batch: Batch) -> None:
        """See to it that a command is carried out when its time has come."""
        id_ = active.execution.id
        match command:
            case QueueTask():
                run = active.execution.task_runs[command.task_run_id]
                inline = self._tasks.is_inline(active, run)
                (self._inline if inline else self._ready).append((id_, run.id))
            case SetTimer():
                fired = TimerFired(at=command.due, task_run_id=command.task_run_id, due=command.due)
                self._timers.set(command.due, id_, fired)
            case StartLater():
                self._timers.set(command.due, id_, ExecutionStarted(at=command.due))
            case SetDeadline():
                passed = DeadlinePassed(at=command.due, sla_id=command.sla_id)
                self._timers.set(command.due, id_, passed)
            case RunTask():
                run = active.execution.task_runs[command.task_run_id]
                batch.after.append((id_, partial(self._tasks.start_attempt, active, run)))
            case StopTask():
                batch.after.append((id_, self._stop(command)))
            case AwaitFlows():
                self._family.wait(active, command, batch)
            case StopFlows():
                batch.after += [(id_, self._stop(command)), (id_, partial(self._family.stop, command))]
            case Evaluate():
                evaluate = partial(self._tasks.start_evaluation, active, active.execution, command)
                batch.after.append((id_, evaluate))

    def _stop(self, command: StopTask | StopFlows) -> partial[None]:
        return partial(self._workers.stop, (command.task_run_id, command.epoch), self._clock.monotonic())
