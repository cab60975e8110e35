"""What persons do to executions, wherever those run: a question to the loop that moves one, or to the loop's owner.

Always true: an action is done when it returns, or it is refused and nothing has changed. An execution whose engine is
gone is taken over first, by the engine that owns the database or by this one, if what is asked fits it at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Literal

from msgspec.structs import replace

from engine.core import Facts
from engine.core.draft import Draft
from engine.core.pausing import paused_run
from engine.core.refusal import refusal, was_done
from engine.core.replaying import replay, restart_elsewhere
from engine.core.unreadable import killed_without_flow
from engine.errors import Fenced, IllegalState, NotFound, PenstockError, UsageError
from engine.model.events import Event, KillRequested, ResumeRequested, StartForced, TaskRunChanged
from engine.model.execution import Execution
from engine.model.file_uri import execution_folder
from engine.model.flow import Flow, Pause
from engine.model.state import State
from engine.ports import Clock, ExecutionChange, Files, Store
from engine.runtime.creation import Creator
from engine.runtime.dispatcher import Dispatcher
from engine.runtime.library import Library
from engine.runtime.ownership import Ownership
from engine.runtime.run_names import named_run
from engine.runtime.survivors import survivors
from engine.runtime.uploads import Uploads
from engine.runtime.wire import Replay
from engine.runtime.writes import DeleteExecution

#: A revision of a flow, by its number, or the newest one.
Revision = int | Literal["latest"]
#: Seconds that a killed execution may take to end before it is deleted.
_KILL_SECONDS = 30.0


class Actions:
    """`on_wait` hears why something cannot be done yet."""

    def __init__(
        self,
        ownership: Ownership,
        dispatcher: Dispatcher,
        library: Library,
        creator: Creator,
        facts: Facts,
        clock: Clock,
        store: Callable[[], Store],
        files: Callable[[], Files],
        on_wait: Callable[[str], None],
    ) -> None:
        self._ownership = ownership
        self._dispatcher = dispatcher
        self._library = library
        self._creator = creator
        self._facts = facts
        self._clock = clock
        self._store = store
        self._files = files
        self._on_wait = on_wait

    def ask(self, execution_id: str, event: Event) -> Execution:
        """Have something happen to an execution; as it is after the commit. Raises IllegalState when it does not fit.

        This also answers for other commands, when this engine owns the database.
        """
        self._dispatcher.execution(execution_id)  # raises NotFound
        guest, neighbours = self._ownership.elsewhere, self._ownership.neighbours
        if guest is not None and guest.ask(execution_id, event, self._on_wait):
            return self._dispatcher.execution(execution_id)
        while neighbours is not None:
            if neighbours.ask(execution_id, event, self._on_wait):
                return self._dispatcher.execution(execution_id)
            with suppress(Fenced):  # another engine has just taken it over: that one decides
                return self._ask_here(execution_id, event)
        return self._ask_here(execution_id, event)

    def _ask_here(self, execution_id: str, event: Event) -> Execution:
        loop = self._ownership.loop
        execution = self._dispatcher.execution(execution_id)
        try:
            flow = self._library.flow_of(execution)
        except PenstockError as unreadable:
            if not isinstance(event, KillRequested) or execution.is_terminal or loop.runs(execution_id):
                raise
            return self._end_without_flow(execution, event, unreadable)
        if not (execution.is_over or loop.runs(execution_id)):
            # The engine that ran it is gone; what is asked of it must fit before anything goes on.
            why_not = refusal(flow, execution, event, self._facts)
            if why_not is not None and not was_done(execution, event):
                raise IllegalState(f"execution {execution.id} {why_not}")
            self._dispatcher.resume(execution_id)
        return loop.ask(flow, execution_id, event).result()

    def _end_without_flow(self, execution: Execution, event: KillRequested, unreadable: PenstockError) -> Execution:
        """Kill an execution of which nothing else can be decided, as its flow cannot be read any more."""
        neighbours = self._ownership.neighbours
        if neighbours is not None and not neighbours.sharing.adopt(execution.id):
            raise Fenced(f"execution {execution.id} belongs to another engine")
        alive = survivors(execution, self._ownership.loop.is_moved if neighbours is None else lambda _: False)
        reason = f"{event.reason}; its flow cannot be read: {unreadable.message}"
        ended = killed_without_flow(execution, event.at, reason, alive)
        moved = {run.id: run for run in ended.in_order() if run is not execution.task_runs[run.id]}
        change = ExecutionChange(before=execution, after=ended, task_runs=moved)
        self._store().commit([change])
        self._ownership.loop.followers.tell(change)
        return ended

    def change_task_run(self, execution_id: str, task: str, state: State, by: str | None) -> Execution:
        """Take a task run for one that ended so. Raises NotFound, UsageError for the name of a task."""
        run_id = named_run(self._dispatcher.execution(execution_id), task).id
        return self.ask(execution_id, TaskRunChanged(at=self._clock.now(), task_run_id=run_id, state=state, by=by))

    def unqueue(self, execution_id: str, by: str | None) -> Execution:
        """Begin an execution that is QUEUED."""
        state = self._dispatcher.execution(execution_id).state
        if state is not State.QUEUED:
            raise IllegalState(f"execution {execution_id} is {state}; only one that is QUEUED can be unqueued")
        return self.ask(execution_id, StartForced(at=self._clock.now(), by=by))

    def resume(
        self, execution_id: str, inputs: Mapping[str, Any] | None, task: str | None, by: str | None
    ) -> Execution:
        """Let a paused execution go on, with what its pause asks for. Raises InputsInvalid with every problem."""
        execution = self._dispatcher.execution(execution_id)
        run_id = named_run(execution, task).id if task is not None else None
        flow, given = self._library.flow_of(execution), inputs or {}
        run = None if execution.held else paused_run(Draft(flow, execution, self._facts, self._clock.now()), run_id)
        pause = flow.tree.places[run.task_id].task if run is not None else None
        values = None
        if isinstance(pause, Pause) and (pause.on_resume or given):
            values = self._creator.answered(flow, pause.on_resume, given, execution_id)
        elif given and (execution.held or pause is not None):
            asks = "is held by a person, who" if pause is None else f"lost its task {pause.id}, which"
            raise UsageError(f"execution {execution_id} {asks} asks for no inputs", hint="resume it without any")
        run_id = run.id if run is not None else run_id  # the very pause whose inputs were checked
        return self.ask(execution_id, ResumeRequested(at=self._clock.now(), task_run_id=run_id, inputs=values, by=by))

    def restart_on(self, execution_id: str, revision: Revision, new_id: str) -> Execution:
        """Run again what failed on another revision, as a new execution."""
        number = self._revision(self._dispatcher.execution(execution_id), revision)
        return self.replay(Replay(id=new_id, of=execution_id, revision=number, failed_only=True))

    def replay_from(
        self,
        execution_id: str,
        task: str | None,
        new_id: str,
        revision: Revision | None,
        inputs: Mapping[str, Any],
        outputs: Mapping[str, Mapping[str, Any]],
    ) -> Execution:
        """Begin a replay from a task that is named, or from the start."""
        execution = self._dispatcher.execution(execution_id)
        wish = Replay(
            id=new_id,
            of=execution_id,
            revision=self._revision(execution, revision) if revision is not None else None,
            task_runs=(named_run(execution, task).id,) if task is not None else (),
            inputs=inputs,
            outputs={named_run(execution, name).id: dict(values) for name, values in outputs.items()},
        )
        return self.replay(wish)

    def _revision(self, execution: Execution, revision: Revision) -> int:
        if revision != "latest":
            return revision
        return self._library.record(f"{execution.namespace}/{execution.flow_id}").revision

    def replay(self, wish: Replay) -> Execution:
        """Begin an execution that does another one again. Raises IllegalState, UsageError, InputsInvalid, NotFound."""
        flow, new, uploads = self._replayed(wish)
        guest = self._ownership.guest
        if uploads is not None:
            uploads.put()
            wish = replace(wish, inputs={**wish.inputs, **uploads.by_input})
        if guest is not None and guest.replay(wish, self._on_wait):
            return self._dispatcher.execution(wish.id)
        return self._ownership.loop.submit(flow, new).result()

    def replay_for_guest(self, wish: Replay) -> bool:
        """Begin what another command wants done again, unless it was begun before."""
        if self._dispatcher.is_stored(wish.id):
            return self._dispatcher.resume(wish.id)
        flow, new, _ = self._replayed(wish)  # its files are stored
        self._ownership.loop.submit(flow, new).result()
        return True

    def _replayed(self, wish: Replay) -> tuple[Flow, Execution, Uploads | None]:
        """The flow, the new execution, and its new files."""
        execution = self._dispatcher.execution(wish.of)
        was = self._library.flow_of(execution)
        flow = was if wish.revision is None else self._library.flow_of(execution, wish.revision)
        if flow.disabled:
            raise IllegalState(f"the flow {flow.namespace}/{flow.id} is disabled", hint="remove `disabled: true`")
        at = self._clock.now()
        if wish.failed_only:
            new = restart_elsewhere(flow, execution, wish.id, at, was=was, facts=self._facts)
            return flow, new, None
        inputs, uploads = None, None
        if wish.inputs or wish.revision is not None:
            inputs, uploads = self._creator.given_again(flow, execution, wish.inputs, wish.id)
        outputs = {
            run_id: {**(_run_of(execution, run_id).outputs or {}), **values} for run_id, values in wish.outputs.items()
        }
        new = replay(
            flow, execution, wish.id, at, from_task_runs=wish.task_runs, was=was, inputs=inputs, outputs=outputs
        )
        return flow, new, uploads

    def delete(self, execution_id: str, *, force: bool) -> None:
        """Remove an execution and all that belongs to it. One that goes on is refused, or with `force` killed first."""
        execution = self._dispatcher.execution(execution_id)
        if not execution.is_over:
            if not force:
                raise IllegalState(
                    f"execution {execution_id} is {execution.state} and cannot be deleted",
                    hint=f"`penstock executions kill {execution_id}` ends it; --force does both",
                )
            killed = KillRequested(at=self._clock.now(), reason="it is to be deleted")
            self._dispatcher.follow(execution_id, timeout=_KILL_SECONDS, first=lambda: self.ask(execution_id, killed))
        # First the files: should this end in between, the execution is still there, to be deleted again.
        self._files().delete_tree(execution_folder(execution.namespace, execution.flow_id, execution_id))
        self._remove(execution_id)

    def _remove(self, execution_id: str) -> None:
        write, guest = DeleteExecution(id=execution_id), self._ownership.guest
        if guest is not None:
            guest.write(write)
        else:
            write.perform(self._store())


def _run_of(execution: Execution, run_id: str) -> Any:
    run = execution.task_runs.get(run_id)
    if run is None:
        raise NotFound(f"execution {execution.id} has no task run {run_id}")
    return run
