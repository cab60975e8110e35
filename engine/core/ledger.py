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
from engine.model.flow import Container, Flow, Loop, Task
from engine.model.state import TERMINAL, State
from engine.model.tree import MAIN, Place, Tree


class Tally(Struct, frozen=True):
    """How the children of one scope stand. In the scope of a whole loop the children are its lanes."""

    created: int = 0
    live: int = 0  #: not terminal yet
    failed: int = 0
    killed: int = 0
    warning: int = 0
    closed: bool = False  #: a lane whose end has been counted in its loop

    def with_change(self, before: State | None, after: State) -> Tally:
        """After one child moved that had not ended; `before` is None when it is new."""
        live, failed, killed, warning = self.live + (before is None), self.failed, self.killed, self.warning
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


#: The key of a tally: the scope's task run and lane, and which of its tasks (as `Place.group`).
TallyKey = tuple[str | None, int | None, str]


#: A task id followed by the loop values that lead to the task run, outermost first.
Path = tuple[str, ...]


class Ledger(Struct, frozen=True):
    tallies: HashTrieMap[TallyKey, Tally] = field(default_factory=HashTrieMap)
    index: HashTrieMap[Path, str] = field(default_factory=HashTrieMap)
    next_seq: int = 0
    active: int = 0  #: task runs that are at work, or about to be
    paused: int = 0  #: task runs that wait for a decision or a time

    def tally(self, key: ScopeKey, group: str = MAIN) -> Tally:
        return self.tallies.get((key.run_id, key.lane, group), EMPTY)


def is_active(task: Task, state: State) -> bool:
    """Whether a task run works or is about to. A container that is open works only through what is in it."""
    if isinstance(task, Container):
        return state is State.CREATED
    return state not in TERMINAL and state is not State.PAUSED


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


def main_state(tally: Tally, expected: int, *, abandoned: bool = False) -> State | None:
    """How `expected` main tasks ended; None while they go on. An abandoned lane (its loop failed) ends early.

    KILLED beats FAILED beats WARNING beats SUCCESS.
    """
    if tally.live:
        return None
    if tally.killed:
        return State.KILLED
    if tally.failed:
        return State.FAILED
    if tally.created < expected:
        return State.CANCELLED if abandoned else None
    return State.WARNING if tally.warning else State.SUCCESS


def whole_state(state: State, errors: Tally, errors_expected: int, last: Tally, last_expected: int) -> State | None:
    """How a scope ended whose main tasks ended in `state`; None while its `errors` or `finally` tasks go on.

    The result of the `errors` list does not matter, but its end does. A failure in `finally` counts.
    """
    if errors.live or last.live:
        return None
    if state is State.FAILED and not (errors.failed or errors.killed) and errors.created < errors_expected:
        return None
    if state in (State.KILLED, State.CANCELLED) or errors.killed or last.killed:
        return State.CANCELLED if state is State.CANCELLED else State.KILLED
    if last.failed:
        return State.FAILED
    if last.created < last_expected:
        return None
    return State.WARNING if state is State.SUCCESS and last.warning else state


def rebuild(flow: Flow, execution: Execution) -> Ledger:
    """The ledger of an execution, from its task runs alone."""
    tree = flow.tree
    tallies: dict[TallyKey, Tally] = {}
    index: HashTrieMap[Path, str] = HashTrieMap()
    next_seq, active, paused = execution.seq_floor, 0, 0
    for run in execution.in_order():
        place = tree.places[run.task_id]
        key = scope_key(place, run)
        tally_key = (key.run_id, key.lane, place.group)
        tallies[tally_key] = tallies.get(tally_key, EMPTY).with_change(None, run.state)
        index = indexed(index, path_of(execution.task_runs, run), run.id)
        next_seq = max(next_seq, run.seq + 1)
        active += is_active(place.task, run.state)
        paused += run.state is State.PAUSED
    _count_lanes(tree, execution, tallies)
    return Ledger(HashTrieMap(tallies), index, next_seq, active, paused)


def _count_lanes(tree: Tree, execution: Execution, tallies: dict[TallyKey, Tally]) -> None:
    lanes: dict[str, set[int]] = {}
    for run_id, lane, _ in tallies:
        if run_id is not None and lane is not None:
            lanes.setdefault(run_id, set()).add(lane)
    for loop_id, numbers in lanes.items():
        loop = execution.task_runs[loop_id]
        stopped = execution.ending is not None and not tree.places[loop.task_id].after
        stopped = stopped or loop.state is State.KILLING or loop.is_terminal  # nothing of it starts any more
        _count_lanes_of(tree, loop, sorted(numbers), tallies, stopped=stopped)


def _count_lanes_of(
    tree: Tree, loop: TaskRun, lanes: list[int], tallies: dict[TallyKey, Tally], *, stopped: bool
) -> None:
    task = tree.places[loop.task_id].task
    ended = {lane: _lane_state(tree, loop, lane, tallies, abandoned=False) for lane in lanes}
    failures = [state for state in ended.values() if state in (State.FAILED, State.KILLED)]
    broken = stopped or any(counted_lane(task, state) is state for state in failures)
    whole = EMPTY
    for lane in lanes:
        state = ended[lane]
        if state is None and broken:
            state = _lane_state(tree, loop, lane, tallies, abandoned=True)
        whole = whole.with_change(None, State.RUNNING)
        if state is not None:
            whole = whole.with_change(State.RUNNING, counted_lane(task, state))
            key = (loop.id, lane, MAIN)
            tallies[key] = replace(tallies.get(key, EMPTY), closed=True)
    tallies[loop.id, None, MAIN] = whole


def _lane_state(
    tree: Tree, loop: TaskRun, lane: int, tallies: dict[TallyKey, Tally], *, abandoned: bool
) -> State | None:
    tally, expected = tallies.get((loop.id, lane, MAIN), EMPTY), len(tree.enabled(loop.task_id, "tasks"))
    return main_state(tally, expected, abandoned=abandoned)


def counted_lane(task: Task, state: State) -> State:
    """What the end of a lane means for its loop: a Loop may be told not to fail with its rounds."""
    if isinstance(task, Loop) and not task.transmit_failed and state in (State.FAILED, State.KILLED):
        return State.SUCCESS
    return state
