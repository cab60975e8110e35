"""The execution while it is being decided: a working copy that keeps the ledger right and collects what changed.

Only this class moves a task run or the execution to another state, so the table of legal changes and the ledger
hold by construction. A draft lives for one decision.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from rpds import HashTrieMap

from engine.core.facts import Facts
from engine.core.ledger import (
    EMPTY,
    Ledger,
    ScopeKey,
    Tally,
    TallyKey,
    indexed,
    is_active,
    path_of,
    rebuild,
    scope_key,
)
from engine.errors import InvariantBroken
from engine.model.commands import Command, WriteLog
from engine.model.execution import Execution, History, StateChange, TaskRun
from engine.model.flow import Container, Flow, Task
from engine.model.state import TERMINAL, State, allows
from engine.model.tree import MAIN


class Decision(Struct, frozen=True):
    """What an event means: the execution after it, the task runs that moved, and what must be done outside.

    `task_runs` holds the newest value of each task run that changed, `created` the ids of those that are new, and
    `removed` the ids of those that are gone: a later round, or a restart, has taken their place.
    """

    execution: Execution
    commands: tuple[Command, ...] = ()
    task_runs: tuple[TaskRun, ...] = ()
    created: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()
    #: Executions that begin because of this one, and are committed with it.
    begun: tuple[Execution, ...] = ()


#: A history that grows longer than this forgets its middle: a loop may pause and go on ten thousand times.
LONG_HISTORY = 100


def continued(history: History, change: StateChange) -> History:
    """A history with one more change. Of a long one, a change to and fro is remembered once."""
    if len(history) >= LONG_HISTORY and history[-2].state is change.state:
        return (*history[:-2], change)
    return (*history, change)


class Draft:
    def __init__(self, flow: Flow, execution: Execution, facts: Facts, at: datetime) -> None:
        self.flow = flow
        self.tree = flow.tree
        self.facts = facts
        self.at = at
        self.base = execution
        self.execution = execution  #: all but task_runs, which are newest in `task_runs`
        self.task_runs: HashTrieMap[str, TaskRun] = execution.task_runs
        ledger: Ledger = execution.tallies or rebuild(flow, execution)
        self._tallies: HashTrieMap[TallyKey, Tally] = ledger.tallies
        self._index: HashTrieMap[tuple[str, ...], str] = ledger.index
        self._next_seq = ledger.next_seq
        self._active = ledger.active
        self._paused = ledger.paused
        self._changed: dict[str, TaskRun] = {}
        self._created: set[str] = set()
        self._removed: set[str] = set()
        self._begun: list[Execution] = []
        self._commands: list[Command] = []
        self._unsettled: deque[ScopeKey] = deque()
        self._ended: dict[ScopeKey, list[str] | None] = {}

    # -- reading

    @property
    def state(self) -> State:
        return self.execution.state

    def run(self, run_id: str) -> TaskRun:
        return self.task_runs[run_id]

    def task(self, run: TaskRun) -> Task:
        return self.tree.places[run.task_id].task

    def tally(self, key: ScopeKey, group: str = MAIN) -> Tally:
        return self._tallies.get((key.run_id, key.lane, group), EMPTY)

    @property
    def is_stopping(self) -> bool:
        """Whether nothing may start any more, because the execution is to end as it stands."""
        execution = self.execution
        return execution.state is State.KILLING or (execution.ending is not None and not execution.is_terminal)

    @property
    def waits_only(self) -> bool:
        """Whether all that is left waits for a decision or a time."""
        return self._paused > 0 and self._active == 0

    def sibling(self, parent: TaskRun, task_id: str) -> TaskRun | None:
        """The task run of a task that stands in `parent` (not in one of its lanes)."""
        run_id = self._index.get((task_id, *path_of(self.task_runs, parent)[1:]))
        return self.task_runs[run_id] if run_id is not None else None

    def snapshot(self) -> Execution:
        """The execution as it stands now, for rendering."""
        ledger = Ledger(self._tallies, self._index, self._next_seq, self._active, self._paused)
        return replace(self.execution, task_runs=self.task_runs, tallies=ledger)

    # -- moving

    def create(self, task: Task, parent_id: str | None, value: str | None, iteration: int | None) -> TaskRun:
        """A new task run, CREATED."""
        run = TaskRun(
            id=f"{self.execution.id}-{self._next_seq}",
            execution_id=self.execution.id,
            task_id=task.id,
            seq=self._next_seq,
            state=State.CREATED,
            history=(StateChange(State.CREATED, self.at),),
            parent_id=parent_id,
            value=value,
            iteration=iteration,
        )
        self._next_seq += 1
        self._created.add(run.id)
        self._put(None, run)
        self._index = indexed(self._index, path_of(self.task_runs, run), run.id)
        return run

    def move(self, run: TaskRun, state: State, **changes: Any) -> TaskRun:
        """A task run in another state. The same state again keeps the history and applies the changes."""
        if state is run.state:
            return self._put(run, replace(run, **changes)) if changes else run
        if not allows(run.state, state):
            raise InvariantBroken(
                f"task run {run.id} ({run.task_id}) cannot go from {run.state} to {state}; its story: "
                + ", ".join(f"{entry.state}@{entry.at.isoformat()}" for entry in run.history)
            )
        history = continued(run.history, StateChange(state, self.at))
        return self._put(run, replace(run, state=state, history=history, **changes))

    def change_execution(self, **changes: Any) -> None:
        """Something about the execution other than its state or its task runs."""
        self.execution = replace(self.execution, **changes)

    def move_execution(self, state: State, **changes: Any) -> None:
        """The execution in another state."""
        execution = self.execution
        if state is not execution.state:
            if not allows(execution.state, state):
                raise InvariantBroken(f"execution {execution.id} cannot go from {execution.state} to {state}")
            changes |= {"state": state, "history": continued(execution.history, StateChange(state, self.at))}
        self.execution = replace(execution, **changes)

    def put(self, run: TaskRun) -> TaskRun:
        """A task run that was moved elsewhere, between two live states."""
        return self._put(self.task_runs[run.id], run)

    def _put(self, before: TaskRun | None, run: TaskRun) -> TaskRun:
        self.task_runs = self.task_runs.insert(run.id, run)
        self._changed[run.id] = run
        was = before.state if before is not None else None
        if was is run.state:
            return run
        place, ended = self.tree.places[run.task_id], run.state in TERMINAL
        self._active += is_active(place.task, run.state) - (was is not None and is_active(place.task, was))
        self._paused += (run.state is State.PAUSED) - (was is State.PAUSED)
        # Between two live states nothing is counted and no container has anything to decide. Whoever takes something
        # out of its end counts anew (`recount`).
        if was is None or ended:
            key = scope_key(place, run)
            self._count((key.run_id, key.lane, place.group), was, run.state)
            if ended:
                self.unsettle(key, run.task_id)
        return run

    def _count(self, key: TallyKey, before: State | None, after: State) -> None:
        self._tallies = self._tallies.insert(key, self._tallies.get(key, EMPTY).with_change(before, after))

    def open_lane(self, loop: TaskRun) -> None:
        """Count a new lane of a loop."""
        self._count((loop.id, None, MAIN), None, State.RUNNING)

    def close_lane(self, key: ScopeKey, state: State) -> None:
        """Count the end of a lane, once."""
        lane = (key.run_id, key.lane, MAIN)
        self._tallies = self._tallies.insert(lane, replace(self._tallies.get(lane, EMPTY), closed=True))
        self._count((key.run_id, None, MAIN), State.RUNNING, state)
        self.unsettle(ScopeKey(key.run_id))

    def remove(self, runs: Iterable[TaskRun]) -> None:
        """Take task runs away as if they had never been, all below a container that begins anew, or none of it."""
        for run in runs:
            self.task_runs = self.task_runs.remove(run.id)
            self._changed.pop(run.id, None)
            if run.id in self._created:
                self._created.remove(run.id)
            else:
                self._removed.add(run.id)
        self.change_execution(seq_floor=self._next_seq)
        self.recount()

    def recount(self) -> None:
        """Work the ledger out anew, after changes that are not one task run's move."""
        ledger = rebuild(self.flow, replace(self.execution, task_runs=self.task_runs, tallies=None))
        self._tallies, self._index, self._next_seq = ledger.tallies, ledger.index, ledger.next_seq
        self._active, self._paused = ledger.active, ledger.paused

    # -- what is left to look at

    def unsettle(self, key: ScopeKey, ended: str | None = None) -> None:
        """Something moved in this scope: its container must be asked again. `ended` is the task that ended, if one."""
        if not self._unsettled or self._unsettled[-1] != key:
            self._unsettled.append(key)
        if ended is None:
            self._ended[key] = None
        elif (known := self._ended.setdefault(key, [])) is not None:
            known.append(ended)

    def ended_in(self, key: ScopeKey) -> list[str] | None:
        """The tasks that ended in a scope since this was last asked; None when it must be looked at as a whole."""
        return self._ended.pop(key, None)

    def unsettle_children(self, run: TaskRun) -> None:
        """A container began, or must be looked at anew: its own scope, and every lane of a loop that is still open."""
        self.unsettle(ScopeKey(run.id))
        for lane in range(self.tally(ScopeKey(run.id)).created if run.items is not None else 0):
            key = ScopeKey(run.id, lane)
            if not self.tally(key).closed:
                self.unsettle(key)

    def unsettle_all(self) -> None:
        """Look at everything that is open, as after a crash."""
        for run in self.snapshot().in_order():  # the map's own order is another one in each process
            if not run.is_terminal and isinstance(self.task(run), Container):
                self.unsettle_children(run)
        self.unsettle(ScopeKey(None))

    def unsettled(self) -> Iterator[ScopeKey]:
        """Scopes to look at, until there are none. One may have gone with its loop's round."""
        while self._unsettled:
            key = self._unsettled.popleft()
            if key.run_id is None or key.run_id in self.task_runs:
                yield key

    # -- telling the outside

    def begin(self, execution: Execution) -> None:
        """Have another execution begin."""
        self._begun.append(execution)

    def command(self, command: Command) -> None:
        self._commands.append(command)

    def log(self, level: str, message: str, run: TaskRun | None = None) -> None:
        self._commands.append(WriteLog(level, message, run.id if run else None))

    @property
    def has_moved(self) -> bool:
        """Whether anything is different from before."""
        return bool(self._changed or self._removed) or self.execution is not self.base

    def decision(self) -> Decision:
        """What has become of it. Nothing moved: the very same execution."""
        return Decision(
            self.snapshot() if self.has_moved else self.base,
            tuple(self._commands),
            tuple(self._changed.values()),
            frozenset(self._created),
            frozenset(self._removed),
            tuple(self._begun),
        )
