"""What one group commit will write: the decisions of many events, folded to one change for each execution."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from datetime import datetime

from msgspec import Struct, field
from msgspec.structs import replace

from engine.core import Decision
from engine.model.commands import WriteLog
from engine.model.execution import Execution
from engine.model.flow import Flow
from engine.ports import ExecutionChange, LogLine, Metric


class Active(Struct):
    """An execution that this loop moves. `stored` is its value as of the last commit (None: not yet stored)."""

    flow: Flow
    execution: Execution
    stored: Execution | None
    #: Task ids whose work runs inside the loop; found out once per task.
    inline: dict[str, bool] = field(default_factory=dict)


class Batch:
    """Decisions waiting for their commit, and what is to be done after it."""

    def __init__(self) -> None:
        self.changes: dict[str, ExecutionChange] = {}
        #: What to do after the commit, by the execution that asks for it.
        self.after: list[tuple[str, Callable[[], None]]] = []
        #: Who waits to hear that an execution is stored as it is now.
        self.waiting: dict[str, list[Future[Execution]]] = {}
        #: Executions before they began, and what was to be written of them: for those that may have to wait.
        self._unbegun: dict[str, tuple[Execution, ExecutionChange | None]] = {}
        self._bonds: dict[str, str] = {}  #: of an execution: another one that is stored with it, or neither is
        self.size = 0  #: how many task runs it writes; what bounds a batch

    def __bool__(self) -> bool:
        return bool(self.changes)

    def change(self, active: Active) -> ExecutionChange:
        """The change of one execution, begun if there is none yet."""
        change = self.changes.get(active.execution.id)
        if change is None:
            change = ExecutionChange(before=active.stored, after=active.execution)
            if active.stored is None:  # a replay has task runs from its first moment on
                change.task_runs.update(active.execution.task_runs.items())
                change.new_task_runs.update(active.execution.task_runs)
            self.changes[active.execution.id] = change
        return change

    def remember(self, active: Active) -> None:
        """The execution is about to begin, which may have to be undone."""
        change = self.changes.get(active.execution.id)
        self._unbegun[active.execution.id] = active.execution, _copy(change) if change is not None else None

    def turn_back(self, active: Active) -> list[str]:
        """Undo that it began, and all that followed from it; the ids of what was begun because of it."""
        id_ = active.execution.id
        gone = [other for other in self._bonds if other != id_ and self._follows(other, id_)]
        active.execution, change = self._unbegun.pop(id_)
        self.after = [(of, perform) for of, perform in self.after if of != id_ and of not in gone]
        for each in (id_, *gone):
            self.changes.pop(each, None)
        if change is not None:
            self.changes[id_] = change
        return gone

    def _follows(self, execution_id: str, root: str) -> bool:
        while execution_id in self._bonds and execution_id != root:
            execution_id = self._bonds[execution_id]
        return execution_id == root

    def bind(self, execution_id: str, other: str) -> None:
        """Have the changes of both stored together, or neither."""
        if execution_id != other:
            self._bonds[execution_id] = other

    def bound(self, changes: Iterable[ExecutionChange]) -> list[list[ExecutionChange]]:
        """The changes, by what must be stored together."""
        groups: dict[str, list[ExecutionChange]] = {}
        for change in changes:
            root = change.after.id
            while root in self._bonds:
                root = self._bonds[root]
            groups.setdefault(root, []).append(change)
        return list(groups.values())

    def answer(self, execution_id: str, waiting: Future[Execution]) -> None:
        """Somebody waits for the commit of this execution."""
        self.waiting.setdefault(execution_id, []).append(waiting)

    def add(self, active: Active, decision: Decision, at: datetime) -> None:
        """Fold a decision in."""
        change = self.change(active)
        change.after = decision.execution
        task_runs = change.task_runs
        known = len(task_runs)
        for run in decision.task_runs:
            task_runs[run.id] = run
        self.size += len(task_runs) - known
        if decision.created:
            change.new_task_runs |= decision.created
        for run_id in decision.removed:
            task_runs.pop(run_id, None)
            if run_id in change.new_task_runs:
                change.new_task_runs.remove(run_id)
            else:
                change.removed_task_runs.add(run_id)
        for command in decision.commands:
            if isinstance(command, WriteLog):
                self.write(active, line_of(decision.execution, command, at))

    def write(self, active: Active, entry: LogLine | Metric) -> None:
        """A log line or a metric, committed together with the rest."""
        change = self.change(active)
        if isinstance(entry, LogLine):
            change.logs.append(entry)
        else:
            change.metrics.append(entry)


def _copy(change: ExecutionChange) -> ExecutionChange:
    """The change as it is now, whatever is folded into it later."""
    return replace(
        change,
        task_runs=dict(change.task_runs),
        new_task_runs=set(change.new_task_runs),
        removed_task_runs=set(change.removed_task_runs),
        logs=list(change.logs),
        metrics=list(change.metrics),
    )


def line_of(execution: Execution, command: WriteLog, at: datetime) -> LogLine:
    """The log line that the core asks for."""
    run = execution.task_runs.get(command.task_run_id) if command.task_run_id is not None else None
    return LogLine(
        execution_id=execution.id,
        at=at,
        level=command.level,
        message=command.message,
        task_run_id=run.id if run is not None else None,
        task_id=run.task_id if run is not None else None,
        attempt=len(run.attempts) or None if run is not None else None,
    )
