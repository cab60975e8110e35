"""The composition root: the only place that knows every adapter, and the engine as Python sees it.

with Engine() as engine:
    execution = engine.run("flows/hello_world.yaml", inputs={"name": "Ada"})
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from engine.core.inputs import Ask
from engine.core.labels import execution_labels
from engine.errors import IllegalState, NotFound
from engine.model.events import (
    KillRequested,
    LabelsSet,
    PauseRequested,
    RestartRequested,
    StartForced,
    StatusChanged,
)
from engine.model.execution import Execution
from engine.model.flow import Flow
from engine.model.scheduling import Fire
from engine.model.state import TERMINAL, State
from engine.parts import Parts
from engine.ports import ExecutionFilter, ExecutionSummary, FlowRecord, FlowText
from engine.runtime.actions import Revision
from engine.runtime.creation import NewExecution, Origin
from engine.runtime.followers import OnChange
from engine.runtime.ids import new_id as unique_id
from engine.runtime.writes import DeleteFlow, DeployFlows

#: Of the keys by which clients tell their requests apart.
API_SCOPE = "api"


class Engine(Parts):
    """Runs flows and keeps their history. Everything is opened when first needed; `close` (or `with`) ends it all.

    When another engine owns the database, it is that one which runs what is submitted here; nothing else differs.
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- flows

    def load(self, flow: str | Path) -> Flow:
        """A flow from a file, or a stored one as NAMESPACE/ID or NAMESPACE.ID.

        Raises FlowInvalid for what is written, NotFound, UsageError for what cannot be read.
        """
        return self.library.load(flow)

    def parse(self, source: str, *, file: str, revision: int = 1) -> Flow:
        """A flow from its text, with the instance's plugin defaults worked in. Raises FlowInvalid."""
        return self.library.parse(source, file=file, revision=revision)

    def record(self, name: str) -> FlowRecord:
        """The newest stored revision of NAMESPACE/ID or NAMESPACE.ID. Raises NotFound, UsageError if ambiguous."""
        return self.library.record(name)

    def push(self, flow: Flow, origin: str = "push") -> int:
        """Store a flow without running it, and switch its triggers on; the number of its revision.

        `origin` is the file that it comes from.
        """
        return self.deploy({origin: [flow]})

    def deploy(self, flows: Mapping[str, Sequence[Flow]]) -> int:
        """As `push`, all or none of these flows, by where they come from; the number of the last one's revision."""
        texts = [_text_of(flow, origin) for origin, those in flows.items() for flow in those]
        return self._write(DeployFlows(flows=tuple(texts), at=self._clock.now()))

    def delete_flow(self, namespace: str, flow_id: str) -> None:
        """Delete a flow; its executions keep the revision that they run. Raises NotFound."""
        self.library.forget(namespace, flow_id)
        if not self._write(DeleteFlow(namespace=namespace, id=flow_id, at=self._clock.now())):
            raise NotFound(f"there is no flow {namespace}/{flow_id}", hint="see `penstock flows list`")

    # -- executions

    def submit(
        self,
        flow: Flow | str | Path,
        inputs: Mapping[str, Any] | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> Execution:
        """Store the flow as a revision and begin an execution of it. Returns once it is committed.

        Raises InputsInvalid, IllegalState for a disabled flow, and whatever `load` raises.
        """
        return self._dispatcher.submit(self._create(flow, inputs, labels))

    def start(
        self,
        flow: Flow,
        inputs: Mapping[str, Any],
        labels: Mapping[str, str],
        due: datetime | None = None,
        once: tuple[str, str] | None = None,
    ) -> Execution:
        """Begin an execution of a stored flow at its very revision, where this engine owns the database.

        `once` is a key, and a digest of what is asked under it: asked again, the answer is the same execution. Raises
        IllegalState when something else was asked under that key.
        """
        if once is None:
            return self._dispatcher.start(self._creator.create(flow, inputs, labels, origin=Origin(due=due)))
        key, digest = once
        first = self.store.fire(API_SCOPE, key)
        if first is None:
            new = self._creator.create(flow, inputs, labels, origin=Origin(due=due))
            at, id_ = self._clock.now(), new.execution.id
            first = self.firing.store(new, Fire(scope=API_SCOPE, key=key, execution_id=id_, at=at, digest=digest))
        if first.digest != digest:
            raise IllegalState(f"the key {key!r} was given to another request", hint="use a new key for each request")
        return self.execution(first.execution_id)

    def run(
        self,
        flow: Flow | str | Path,
        inputs: Mapping[str, Any] | None = None,
        labels: Mapping[str, str] | None = None,
        on_change: OnChange | None = None,
    ) -> Execution:
        """Submit, and wait until it has ended. A failed execution is returned, not raised."""
        return self._dispatcher.run(self._create(flow, inputs, labels), on_change)

    def completed_inputs(self, flow: Flow, inputs: Mapping[str, Any], ask: Ask) -> dict[str, Any]:
        """The inputs with what `ask` gives for those that are required and missing. Raises InputsInvalid."""
        return self._creator.completed(flow, inputs, ask)

    def _create(
        self, flow: Flow | str | Path, inputs: Mapping[str, Any] | None, labels: Mapping[str, str] | None
    ) -> NewExecution:
        return self._creator.create(flow if isinstance(flow, Flow) else self.load(flow), inputs, labels)

    def follow(
        self,
        execution_id: str,
        on_change: OnChange | None = None,
        timeout: float | None = None,
        first: Callable[[], object] | None = None,
    ) -> Execution:
        """Wait until an execution has ended. Raises NotFound; TimeoutError after `timeout` seconds.

        `first` is what moves it, such as a restart; it is done as soon as nothing that follows from it can be missed.
        """
        return self._dispatcher.follow(execution_id, on_change, timeout, first)

    def execution(self, execution_id: str) -> Execution:
        """An execution with its task runs. Raises NotFound."""
        return self._dispatcher.execution(execution_id)

    # -- what persons do to executions: each is committed when it returns, and raises IllegalState if it does not fit

    def kill(self, execution_id: str, reason: str = "killed by its user") -> None:
        """Have an execution stop, and those that it waits for; `follow` tells when it has."""
        self._actions.ask(execution_id, KillRequested(at=self._clock.now(), reason=reason))

    def interrupt(self, execution_id: str, reason: str = "killed by its user") -> None:
        """Wish that an execution stop which this engine runs or follows. Good in a signal handler: nothing waits."""
        self._dispatcher.kill(execution_id, reason)

    def restart(
        self, execution_id: str, revision: Revision | None = None, *, by: str | None = None, new_id: str | None = None
    ) -> Execution:
        """Run again what failed, was killed or is paused: in the same execution, or on `revision` in a new one."""
        if revision is not None:
            return self._actions.restart_on(execution_id, revision, new_id or unique_id())
        return self._actions.ask(execution_id, RestartRequested(at=self._clock.now(), by=by))

    def replay(
        self,
        execution_id: str,
        from_task: str | None = None,
        *,
        revision: Revision | None = None,
        inputs: Mapping[str, Any] | None = None,
        outputs: Mapping[str, Mapping[str, Any]] | None = None,
        new_id: str | None = None,
    ) -> Execution:
        """Do an execution again, as a new one: from the start, or from a task on, with what came before it kept.

        A task is a task's id, `id[value]` in a loop, or a task run's id. `inputs` are those that are other than before;
        `outputs` what tasks before `from_task` are to have given, by task. Raises InputsInvalid, NotFound, UsageError.
        """
        new_id = new_id or unique_id()
        return self._actions.replay_from(execution_id, from_task, new_id, revision, inputs or {}, outputs or {})

    def runs(self, execution_id: str) -> bool:
        """Whether it is this very engine that moves the execution now."""
        return self._dispatcher.is_close(execution_id)

    def pause(self, execution_id: str, *, by: str | None = None) -> Execution:
        """Let nothing new start until the execution is resumed."""
        return self._actions.ask(execution_id, PauseRequested(at=self._clock.now(), by=by))

    def resume(
        self,
        execution_id: str,
        inputs: Mapping[str, Any] | None = None,
        *,
        task: str | None = None,
        by: str | None = None,
    ) -> Execution:
        """Let a paused execution go on. `task` names one pause of several, as for `replay`. Raises InputsInvalid."""
        return self._actions.resume(execution_id, inputs, task, by)

    def change_task_run(self, execution_id: str, task: str, state: State, *, by: str | None = None) -> Execution:
        """Take a task run for one that ended so, and go on from there. `task` is as for `replay`."""
        return self._actions.change_task_run(execution_id, task, state, by)

    def change_status(self, execution_id: str, state: State, *, by: str | None = None) -> Execution:
        """Give an execution that has ended another final state; nothing runs because of it."""
        return self._actions.ask(execution_id, StatusChanged(at=self._clock.now(), state=state, by=by))

    def force_run(self, execution_id: str, *, by: str | None = None) -> Execution:
        """Begin an execution that waits for its time or its place; let a paused one go on."""
        if self.execution(execution_id).state is State.PAUSED:
            return self.resume(execution_id, by=by)
        return self._actions.ask(execution_id, StartForced(at=self._clock.now(), by=by))

    def unqueue(self, execution_id: str, *, by: str | None = None) -> Execution:
        """Begin an execution that is QUEUED for a place."""
        return self._actions.unqueue(execution_id, by)

    def set_labels(self, execution_id: str, labels: Mapping[str, str]) -> Execution:
        """Merge labels into those that the execution has. Raises InputsInvalid for names of the engine's."""
        execution_labels({}, labels, correlation_id=execution_id)  # refuses those of the engine
        return self._actions.ask(execution_id, LabelsSet(at=self._clock.now(), labels=dict(labels)))

    def delete(self, execution_id: str, *, force: bool = False) -> None:
        """Remove an execution that has ended, with its logs and files; with `force` one that runs is killed first."""
        self._actions.delete(execution_id, force=force)

    def unfinished(self) -> list[ExecutionSummary]:
        """Executions that have not ended, oldest first."""
        open_states = tuple(state for state in State if state not in TERMINAL)
        found, _ = self.store.executions(ExecutionFilter(states=open_states, limit=1000))
        return found[::-1]

    def recover(self) -> list[str]:
        """Go on with every execution whose engine is gone, in the engine that owns the database. Returns their ids.

        Those that cannot go on are told in the log, and are `refused`.
        """
        return self._dispatcher.recover()

    @property
    def refused(self) -> frozenset[str]:
        """Executions that `recover` left as they are."""
        return frozenset(self._dispatcher.refused)

    def close(self, grace: float | None = None) -> None:
        """Finish what other commands handed over, commit what finishes now, release everything. Safe to call twice.

        With a `grace` nothing new begins, and what has not finished so many seconds later is left for its next owner.
        """
        try:
            if self._scheduler is not None:
                self._scheduler.stop()
            self._ownership.end(self.on_wait, grace)
        finally:
            if "store" in self.__dict__:
                self.store.close()
                for part in ("store", "_world"):  # an engine that is used again opens it anew
                    self.__dict__.pop(part, None)


def _text_of(flow: Flow, origin: str) -> FlowText:
    assert flow.source is not None, "a flow that was loaded knows its text"
    return FlowText(namespace=flow.namespace, id=flow.id, source=flow.source, disabled=flow.disabled, origin=origin)
