"""What holds of an execution as it stands: when it is written, and when nothing is under way."""

from __future__ import annotations

from collections.abc import Iterator

from engine.core.ledger import ScopeKey, rebuild
from engine.model.execution import Execution
from engine.model.state import State
from tests.simulation.invariants import reference
from tests.simulation.invariants.step import View


def the_ledger_is_the_task_runs(execution: Execution, view: View) -> Iterator[object]:
    """What the core keeps beside the task runs is just what can be worked out from them."""
    kept = execution.tallies
    if kept is None or execution.held:  # what is held is settled when it is let go
        return
    fresh = rebuild(view.flow, execution)
    for name in ("tallies", "index"):
        one, other = dict(getattr(kept, name)), dict(getattr(fresh, name))
        yield from ((key, one.get(key), other.get(key)) for key in {*one, *other} if one.get(key) != other.get(key))
    for name in ("next_seq", "active", "paused"):
        if getattr(kept, name) != getattr(fresh, name):
            yield name, getattr(kept, name), getattr(fresh, name)


def rounds_are_counted_as_they_stand(execution: Execution, view: View) -> Iterator[object]:
    """How many rounds of a loop there are, go on and ended how, is what a count of their task runs gives."""
    if not view.lanes:
        return
    ledger = rebuild(view.flow, execution)
    for loop_id, lanes in view.lanes.items():
        loop, whole = view.runs[loop_id], ledger.tally(ScopeKey(loop_id))
        states, live = reference.lane_states(view, loop), reference.live_lanes(view, loop)
        ends = [list(states.values()).count(state) for state in (State.FAILED, State.KILLED, State.WARNING)]
        if [whole.created, whole.live, whole.failed, whole.killed, whole.warning] != [len(lanes), len(live), *ends]:
            yield loop, whole, len(lanes), live, ends
        yield from ((loop, lane) for lane in lanes if ledger.tally(ScopeKey(loop_id, lane)).closed is (lane in live))


def nothing_is_stuck(execution: Execution, view: View) -> Iterator[object]:
    """With nothing at work, queued or timed, an execution is over or waits for a person."""
    if execution.is_over or execution.held:
        return
    waits = [run for run in view.runs.values() if run.state is State.PAUSED and run.due is None]
    if not waits or not (execution.state is State.PAUSED or execution.lingering):
        yield execution.state
    yield from (run for run in view.runs.values() if run.due is not None)


def over_means_over(execution: Execution, view: View) -> Iterator[object]:
    """In an execution that is over everything has ended."""
    if execution.is_over:
        yield from (run for run in view.runs.values() if not run.is_terminal)


AT_EACH_COMMIT = (the_ledger_is_the_task_runs, rounds_are_counted_as_they_stand)
AT_REST = (nothing_is_stuck, over_means_over)
