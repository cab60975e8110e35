"""From a claimed task run to work under way: inside the loop for pure tasks, on a worker's thread for all others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from engine.core.context import Context, ancestors
from engine.core.flowable.working_directory import FolderWork
from engine.core.recovery import Survivors, still_run
from engine.core.rendering import APPLYING, OUTPUTS, needs_outside
from engine.core.sla import ASSERTION, promise
from engine.core.starting import template_of
from engine.errors import IllegalState, NotFound, PenstockError, PluginBroken, TaskCancelled, TaskFailed
from engine.expressions import language
from engine.model.commands import Evaluate
from engine.model.events import AttemptFinished, Event, ProcessStarted
from engine.model.execution import Execution, StartedProcess, TaskRun
from engine.model.flow import Flow, RunnableTask, WorkingDirectory
from engine.model.state import State
from engine.ports import LogLine, Metric
from engine.runtime.attempt import Question, failed_attempt, run_attempt, run_evaluation, set_deadline
from engine.runtime.batch import Active
from engine.runtime.calls import Begun, Calls
from engine.runtime.context import Assignment, AttemptContext, folder_of
from engine.runtime.executions import Executions
from engine.runtime.folders import Folders
from engine.runtime.keyvalues import KeyValues
from engine.runtime.masking import Masker
from engine.runtime.messages import Called, Found, Happened, Message, Told, Wake
from engine.runtime.outside import Asker
from engine.runtime.sealing import revealing
from engine.runtime.survivors import survivors
from engine.runtime.workers import Job, Workers
from engine.runtime.working_directory import Errand
from engine.runtime.world import World
from engine.sdk.flows import StartFlows

#: What the search for the executions that a task run waits for is known by.
CALLS = "calls"
#: What the end of the processes of an attempt is known by that was given up.
PROCESSES = "processes"
#: How long a command may wait until it is recorded, in seconds.
RECORDING_SECONDS = 60.0

Ask = Callable[[Flow | None, str, Event], Future[Execution]]


class Tasks:
    """Starts work. Belongs to the loop's thread, but for the closures that it hands to the workers."""

    def __init__(
        self, world: World, workers: Workers, post: Callable[[Message], None], ask: Ask, is_moved: Callable[[str], bool]
    ) -> None:
        """`ask` has the loop decide an event and answers after its commit; `is_moved` tells whether any engine moves an
        execution. Both are safe from any thread.
        """
        self._world = world
        self._workers = workers
        self._post = post
        self._ask = ask
        self._is_moved = is_moved
        self._owners: dict[tuple[str, int], Active] = {}
        self._pure: dict[str, bool] = {}
        self._evaluations = count()  #: by which workers know them; attempts are known by their epochs, from 1
        self.folders = Folders(world.working)
        self._calls = Calls(flows=world.flows, creator=world.creator, store=world.store)
        store = world.store  # the loop runs, so this engine may write; the store takes writes from any thread
        self._kv = KeyValues(lambda: store, lambda write: write.perform(store), world.clock.now)
        self._executions = Executions(world)

    def is_inline(self, active: Active, run: TaskRun) -> bool:
        """Whether a task is pure and its properties call out to nothing, so that it may run inside the loop."""
        known = active.inline.get(run.task_id)
        if known is None:
            task = _runnable(active, run)
            written_in = language(active.flow.expressions)
            known = self._is_pure(task.type) and task.timeout is None and not task.log_to_file
            known = known and task.task_cache is None
            known = known and not needs_outside(task.properties, written_in)
            active.inline[run.task_id] = known
        return known

    def _is_pure(self, type_: str) -> bool:
        known = self._pure.get(type_)
        if known is None:
            try:
                known = self._world.types.effect(type_) == "pure"
            except PluginBroken:
                known = False  # the attempt will say so
            self._pure[type_] = known
        return known

    def _context(
        self,
        active: Active,
        run: TaskRun,
        emit: Callable[[LogLine | Metric], None],
        record: Callable[[StartedProcess], None] | None = None,
    ) -> AttemptContext:
        world = self._world
        assignment = Assignment(
            flow=active.flow,
            execution=active.execution,
            run=run,
            task=_runnable(active, run),
            facts=world.facts,
            cipher=world.cipher,
            outside=world.outside,
            kv=self._kv,
            executions=self._executions,
            task_class=world.types.task_class,
            clock=world.clock,
            process_policy=world.process_policy,
            shared=self._shared(active, run),
            record=record,
        )
        return AttemptContext(assignment, emit)

    def _shared(self, active: Active, run: TaskRun) -> Callable[[], Path] | None:
        """How to come to the folder that a task run shares with others, if it does."""
        if run.parent_id is None:
            return None
        for above in ancestors(active.execution, run):
            if isinstance(active.flow.tree.places[above.task_id].task, WorkingDirectory):
                return partial(self.folders.of, above)
        return None

    def run_here(self, active: Active, run: TaskRun, emit: Callable[[LogLine | Metric], None]) -> AttemptFinished:
        """Run a pure task now. Its answer is its claim as well."""
        task = _runnable(active, run)
        context = self._context(active, run, emit)
        context.claimed_at = run.attempts[-1].started_at
        finished = run_attempt(context, self._world.types.task_class(task.type))
        if isinstance(finished, StartFlows):
            return failed_attempt(context, PluginBroken(f"{task.type} is pure, so it cannot run flows"))
        return finished

    def start_attempt(self, active: Active, run: TaskRun) -> None:
        """Hand a claimed attempt to a worker."""
        key = (run.id, run.epoch)
        execution_id = active.execution.id
        record = partial(self._record, run)
        context = self._context(active, run, lambda entry: self._post(Told(execution_id, entry)), record)
        context.make_stoppable()

        def work() -> None:
            answer = self._attempt(context)
            context.close()
            if isinstance(answer, Begun):
                self._post(Called(execution_id, answer.event, answer.new, answer.again, key))
            else:
                self._post(Happened(execution_id, answer, key))

        self._owners[key] = active
        self._workers.submit(Job(key, work, context))

    def _record(self, run: TaskRun, process: StartedProcess) -> None:
        """Have a process of an attempt committed, before it does anything. Not for the loop's thread."""
        at = self._world.clock.now()
        started = ProcessStarted(at=at, task_run_id=run.id, epoch=run.epoch, process=process)
        try:
            self._ask(None, run.execution_id, started).result(RECORDING_SECONDS)
        except (IllegalState, NotFound):
            raise TaskCancelled("the task was told to stop before its command began") from None
        except TimeoutError:
            raise TaskFailed(f"its process could not be recorded within {RECORDING_SECONDS:.0f} s") from None

    def _attempt(self, context: AttemptContext) -> AttemptFinished | Begun:
        run, task = context.assignment.run, context.assignment.task
        ended = self._calls.ended(run.calls, context) if run.calls is not None else None
        problem = set_deadline(context, self._world.clock) if ended is None else None
        if context.deadline is not None:
            self._post(Wake())
        try:
            if problem is not None:
                raise TaskFailed(problem)
            answer = run_attempt(context, self._world.types.task_class(task.type), ended)
            return self._calls.begin(context, answer) if isinstance(answer, StartFlows) else answer
        except Exception as error:  # noqa: BLE001  # what it wants begun may be anything, too
            return failed_attempt(context, error)

    def look_for_flows(self, active: Active, run: TaskRun) -> None:
        """Have a worker find out how the executions stand that a task run waits for."""
        key = (f"{run.id}/{CALLS}", run.epoch)
        execution_id, calls = run.execution_id, run.calls or ()

        def work() -> None:
            try:
                going_on = self._calls.going_on(calls)
                self._post(Found(execution_id, run.id, going_on, self._survivors(going_on), key))
            except PenstockError as error:
                lost = AttemptFinished(
                    at=self._world.clock.now(),
                    task_run_id=run.id,
                    epoch=run.epoch,
                    state=State.FAILED,
                    error=error.message,
                )
                self._post(Happened(execution_id, lost, key))

        self._owners[key] = active
        self._workers.submit(Job(key, work, _Evaluation()))

    def _survivors(self, going_on: Mapping[str, tuple[Flow, str]]) -> dict[str, Survivors]:
        """End what is left of the engines that ran these executions."""
        found: dict[str, Survivors] = {}
        for _, id_ in going_on.values():
            execution = self._world.store.execution(id_)
            if execution is not None:
                found[id_] = survivors(execution, self._is_moved)
        return found

    def start_evaluation(self, active: Active, execution: Execution, command: Evaluate) -> None:
        """Have a worker find the value of an expression that calls out, as of the snapshot `execution`."""
        run = execution.task_runs[command.task_run_id] if command.task_run_id is not None else None
        template = (
            _flow_template(active.flow, command.name)
            if run is None
            else template_of(active.flow.tree.places[run.task_id].task, command)
        )
        subject = run.id if run is not None else execution.id
        key = (f"{subject}/{command.name}", -next(self._evaluations))
        control = _Evaluation()
        flow, world, masker = active.flow, self._world, Masker()
        asker = Asker(
            seed=key[0],
            namespace=flow.namespace,
            flow_id=flow.id,
            execution_id=execution.id,
            execution=execution,
            folder=folder_of(flow, run) if run is not None else None,
            mask=masker.add,
        )
        if run is not None and isinstance(template, FolderWork):
            folder = partial(self.folders.of, run)
            template = Errand(template, folder, world.outside.files(asker), world.clock.now())
        question = Question(
            name=command.name,
            template=template,
            run_id=command.task_run_id,
            context=Context(flow, execution, run, revealing(world.facts, world.cipher, masker.add)),
            functions=world.outside.functions(asker),
            masker=masker,
            cipher=world.cipher,
        )

        def work() -> None:
            self._post(Happened(execution.id, run_evaluation(question, world.clock), key))

        self._owners[key] = active
        self._workers.submit(Job(key, work, control))

    def overdue(self, now: float, grace: float) -> Iterator[tuple[Active, AttemptFinished]]:
        """Give up what should have ended by now, and say how that ends it. What has processes has to end them first."""
        for job in self._workers.overdue(now, grace):
            self._workers.write_off(job)
            active = self.finished(job.key)
            run = active.execution.task_runs.get(job.key[0]) if active is not None else None
            if active is None or run is None:
                continue
            if job.told_to_stop_at is not None:
                error = f"the task was told to stop and did not within {grace:.0f} s; its thread was given up"
            else:
                error = f"Timeout after {job.control.time_limit}"
            at = self._world.clock.now()
            answer = AttemptFinished(at=at, task_run_id=run.id, epoch=job.key[1], state=State.FAILED, error=error)
            process = run.attempts[-1].process if run.attempts and job.control.has_processes else None
            if process is None:
                yield active, answer
            else:
                self._end_first(active, answer, process)

    def _end_first(self, active: Active, answer: AttemptFinished, process: StartedProcess) -> None:
        """Answer for an attempt that was given up once nothing is left of its processes."""
        key = (f"{answer.task_run_id}/{PROCESSES}", answer.epoch)
        execution_id = active.execution.id

        def work() -> None:
            from engine.sdk.process.ending import end  # lazy: few attempts have processes

            left = tuple(sorted(end(process, patience=0)))
            error = f"{answer.error}; {still_run(left)}" if left else answer.error
            answered = replace(answer, at=self._world.clock.now(), error=error, survivors=left)
            self._post(Happened(execution_id, answered, key))

        self._owners[key] = active
        self._workers.submit(Job(key, work, _Evaluation()))

    def give_up_all(self) -> None:
        """Whatever is at work answers for nothing any more."""
        self._workers.write_off_all()
        self._owners.clear()

    def finished(self, key: tuple[str, int]) -> Active | None:
        """A job has ended, or is given up: whose it was; None when it had been given up before."""
        self._workers.release(key)
        return self._owners.pop(key, None)


class _Evaluation:
    """An evaluation cannot be stopped; the language's own limits end it."""

    deadline: float | None = None
    time_limit: str | None = None
    has_processes = False

    def cancel(self) -> None:
        pass


def _flow_template(flow: Flow, name: str) -> Any:
    """What an `Evaluate` command about a whole flow means by the name of its question."""
    if name.startswith(ASSERTION):
        sla = promise(flow, name.removeprefix(ASSERTION))
        return sla.assert_ if sla is not None else None
    return {OUTPUTS: flow.outputs, APPLYING: flow.listeners}[name]


def _runnable(active: Active, run: TaskRun) -> RunnableTask:
    task = active.flow.tree.places[run.task_id].task
    assert isinstance(task, RunnableTask)
    return task
