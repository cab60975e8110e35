"""What the core remembers about an execution so that no decision ever walks all task runs.

For each scope (a container's list of children) a tally of how many there are and in which states, and an index
from a task and its loop values to its task run. Everything here can be rebuilt from the task runs (`rebuild`),
is never stored, and is compared with a rebuilt one by `engine.core.invariants`.
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct, field
from msgspec.structs import replace
from rpds import HashTrieMap

from engine.model.execution import Execution, TaskRun
from engine.model.flow import Flow
from engine.model.state import TERMINAL, State
from engine.model.tree import Place, Tree


class Tally(Struct, frozen=True):
    """How the children of one scope stand. In the scope of a whole loop the children are its lanes."""

    created: int = 0
    live: int = 0  #: not terminal yet
    failed: int = 0
    killed: int = 0
    warning: int = 0
    closed: bool = False  #: a lane whose end has been counted in its loop

    def with_change(self, before: State | None, after: State) -> Tally:
        """After one child moved; `before` is None when it is new."""
        live, failed, killed, warning = self.live, self.failed, self.killed, self.warning
        if before is None:
            live += 1
        elif before in TERMINAL:
            live += 1
            failed -= before is State.FAILED
            killed -= before is State.KILLED
            warning -= before is State.WARNING
        if after in TERMINAL:
            live -= 1
            failed += after is State.FAILED
            killed += after is State.KILLED
            warning += after is State.WARNING
        return Tally(self.created + (before is None), live, failed, killed, warning, self.closed)


EMPTY = Tally()


class ScopeKey(NamedTuple):
    """One list of children: those of a container's task run (None: the flow itself), or of one lane of a loop."""

    run_id: str | None
    lane: int | None = None


#: The key of a tally: the scope's task run and lane, and whether it is about the `errors` list.
TallyKey = tuple[str | None, int | None, bool]


#: A task id followed by the loop values that lead to the task run, outermost first.
Path = tuple[str, ...]


class Ledger(Struct, frozen=True):
    tallies: HashTrieMap[TallyKey, Tally] = field(default_factory=HashTrieMap)
    index: HashTrieMap[Path, str] = field(default_factory=HashTrieMap)
    next_seq: int = 0

    def tally(self, key: ScopeKey, *, errors: bool = False) -> Tally:
        return self.tallies.get((key.run_id, key.lane, errors), EMPTY)


def scope_key(place: Place, run: TaskRun) -> ScopeKey:
    """The scope that a task run is counted in."""
    return ScopeKey(run.parent_id, run.iteration if place.laned else None)


def path_of(execution_runs: HashTrieMap[str, TaskRun], run: TaskRun) -> Path:
    """The key of a task run in the index."""
    values: list[str] = []
    step: TaskRun | None = run
    while step is not None:
        if step.value is not None:
            values.append(step.value)
        step = execution_runs[step.parent_id] if step.parent_id else None
    return (run.task_id, *reversed(values))


def indexed(index: HashTrieMap[Path, str], path: Path, run_id: str) -> HashTrieMap[Path, str]:
    """The index with one more task run. The beginnings of a path are there too, to tell that there is something."""
    index = index.insert(path, run_id)
    for length in range(1, len(path)):
        if path[:length] not in index:
            index = index.insert(path[:length], run_id)
    return index


def lane_state(tally: Tally, length: int, *, abandoned: bool) -> State | None:
    """How a lane of `length` tasks ended; None while it goes on. An abandoned one (its loop failed) ends early."""
    if tally.live:
        return None
    if tally.killed:
        return State.KILLED
    if tally.failed:
        return State.FAILED
    if tally.created < length:
        return State.CANCELLED if abandoned else None
    return State.WARNING if tally.warning else State.SUCCESS


def rebuild(flow: Flow, execution: Execution) -> Ledger:
    """The ledger of an execution, from its task runs alone."""
    tree = flow.tree
    tallies: dict[TallyKey, Tally] = {}
    index: HashTrieMap[Path, str] = HashTrieMap()
    next_seq = 0
    for run in execution.in_order():
        place = tree.places[run.task_id]
        key = scope_key(place, run)
        tally_key = (key.run_id, key.lane, place.in_errors)
        tallies[tally_key] = tallies.get(tally_key, EMPTY).with_change(None, run.state)
        index = indexed(index, path_of(execution.task_runs, run), run.id)
        next_seq = run.seq + 1
    _count_lanes(tree, execution, tallies)
    return Ledger(HashTrieMap(tallies), index, next_seq)


def _count_lanes(tree: Tree, execution: Execution, tallies: dict[TallyKey, Tally]) -> None:
    lanes = [(key, key[0]) for key in tallies if key[1] is not None]
    broken = {loop for key, loop in lanes if not tallies[key].live and (tallies[key].failed or tallies[key].killed)}
    for key, loop in lanes:
        assert loop is not None
        length = len(tree.enabled(execution.task_runs[loop].task_id, "tasks"))
        state = lane_state(tallies[key], length, abandoned=loop in broken)
        whole = (loop, None, False)
        counted = tallies.get(whole, EMPTY).with_change(None, State.RUNNING)
        if state is not None:
            counted = counted.with_change(State.RUNNING, state)
            tallies[key] = replace(tallies[key], closed=True)
        tallies[whole] = counted
