"""Settle: ask every container whose children moved until nothing moves any more.

A scope is looked at when a child of it moved. Its container says what may start and whether it has ended; starting
and ending move things in turn, so the loop runs to a fixed point. It ends because each step creates a task run of
a finite flow or moves one closer to a terminal state.
"""

from __future__ import annotations

from engine.core.closing import close_execution, close_lane, close_run
from engine.core.draft import Draft
from engine.core.flowable import Flowable, flowable, sequential
from engine.core.flowable.scope import Next, Scope, nexts_of_list
from engine.core.ledger import EMPTY, ScopeKey, main_state, whole_state
from engine.core.listening import tell, verdicts_of_listeners
from engine.core.rendering import APPLYING
from engine.core.starting import start
from engine.model.events import Evaluated
from engine.model.execution import TaskRun
from engine.model.state import State
from engine.model.tree import AFTER, ERRORS, FINALLY, LISTENERS, MAIN, ON_PAUSE

ROOT = ScopeKey(None)
_WORKS = frozenset({State.RUNNING, State.KILLING})


def settle(draft: Draft) -> None:
    """Bring the draft to rest. While a person holds the execution nothing starts and nothing ends but tasks."""
    if draft.execution.held:
        return
    for key in draft.unsettled():
        scope = Scope(draft, key)
        outcome = _outcome_of_run(draft, scope, scope.run) if scope.run is not None else _outcome(draft, scope)
        if outcome is not None:
            _end(draft, scope, outcome)
    _pause_or_go_on(draft)


def _outcome(draft: Draft, scope: Scope) -> State | None:
    """How the flow's own list ended; None while it goes on, or when it has ended before."""
    if draft.execution.is_terminal:
        if draft.execution.lingering:
            _come_after(draft, scope)
        return None
    if draft.is_stopping:
        return _stopped(draft, scope)
    return _advance(draft, scope) if draft.state in (State.RUNNING, State.PAUSED) else None


def _outcome_of_run(draft: Draft, scope: Scope, run: TaskRun) -> State | None:
    if scope.key.lane is not None and scope.main.closed:
        return None
    if run.state is State.PAUSED and not draft.is_stopping:
        _start_all(draft, scope, nexts_of_list(scope, ON_PAUSE))
        return None
    if run.state not in _WORKS:
        return None
    if run.state is State.KILLING or draft.is_stopping:
        return _stopped(draft, scope)
    return _advance(draft, scope)


def _asked(scope: Scope) -> Flowable:
    return flowable(scope.container) if scope.container is not None else sequential


def _advance(draft: Draft, scope: Scope) -> State | None:
    asked = _asked(scope)
    _start_all(draft, scope, asked.nexts(scope))
    state = asked.outcome(scope)
    if state is None:
        return None
    errors, last = scope.tally(ERRORS), scope.tally(FINALLY)
    due, at_last = len(scope.tasks(ERRORS)), len(scope.tasks(FINALLY))
    if at_last and whole_state(state, errors, due, EMPTY, 0) not in (None, State.KILLED, State.CANCELLED):
        _start_all(draft, scope, nexts_of_list(scope, FINALLY))
        last = scope.tally(FINALLY)
    return whole_state(state, errors, due, last, at_last)


def _start_all(draft: Draft, scope: Scope, following: list[Next]) -> None:
    for each in following:
        if scope.key.lane is None and each.iteration is not None:
            _open_lane(draft, scope, each.iteration)
        start(draft, draft.create(each.task, scope.key.run_id, each.value, each.iteration))


def _open_lane(draft: Draft, scope: Scope, lane: int) -> None:
    assert scope.run is not None
    if lane >= scope.main.created:
        draft.open_lane(scope.run)


def _stopped(draft: Draft, scope: Scope) -> State | None:
    """While the execution is being ended nothing starts, and a scope has ended once nothing in it lives."""
    if any(scope.tally(group).live for group in (MAIN, ERRORS, FINALLY, ON_PAUSE)):
        return None
    if scope.key.lane is not None:
        return main_state(scope.main, len(scope.tasks("tasks")), abandoned=True)
    if scope.run is not None and scope.run.state is State.KILLING:
        return State.KILLED
    ending = draft.execution.ending
    if ending is None:
        return State.KILLED
    return State.FAILED if ending is State.RETRIED and scope.run is not None else ending


def _end(draft: Draft, scope: Scope, state: State) -> None:
    if scope.run is None:
        close_execution(draft, state)
    elif scope.key.lane is not None:
        close_lane(draft, scope.run, scope.key, state)
    else:
        close_run(draft, scope.run, state)


def _come_after(draft: Draft, scope: Scope, answered: Evaluated | None = None) -> None:
    """What runs once the execution has its final state: `afterExecution`, then the listeners that apply."""
    tallies = {group: scope.tally(group) for group in draft.flow.branches_after()}
    if any(tally.live for tally in tallies.values()):
        return
    following: list[Next] = []
    if not any(tally.killed for tally in tallies.values()):
        begun = [group for group, tally in tallies.items() if group == AFTER or tally.created]
        following = _first_of(scope, begun)
        if not following and len(begun) < len(tallies):
            verdicts = verdicts_of_listeners(draft, answered)
            if verdicts is None:
                return
            following = _first_of(
                scope, [f"{LISTENERS}{index}" for index, verdict in enumerate(verdicts) if verdict is True]
            )
            if not following:
                tell(draft, verdicts)
    if following:
        _start_all(draft, scope, following)
    else:
        draft.change_execution(lingering=False)


def _first_of(scope: Scope, groups: list[str]) -> list[Next]:
    """What may start in the first of several lists that has not come to its end."""
    return next(filter(None, (nexts_of_list(scope, group) for group in groups)), [])


def _pause_or_go_on(draft: Draft) -> None:
    """An execution is PAUSED while all that is left in it waits for a decision or a time."""
    if draft.state is State.RUNNING and draft.waits_only:
        draft.move_execution(State.PAUSED)
    elif draft.state is State.PAUSED and not draft.waits_only:
        draft.move_execution(State.RUNNING)


def go_on_closing(draft: Draft, answered: Evaluated) -> None:
    """An expression that the end of a container, or of the flow, waits for has been evaluated outside."""
    if answered.task_run_id is None and answered.name == APPLYING:
        if draft.execution.lingering:
            _come_after(draft, Scope(draft, ROOT), answered)
        return
    if answered.task_run_id is None:
        state = None if draft.execution.is_terminal else _outcome(draft, Scope(draft, ROOT))
        if state is not None:
            close_execution(draft, state, answered)
        return
    scope = Scope(draft, ScopeKey(answered.task_run_id))
    assert scope.run is not None
    state = _outcome_of_run(draft, scope, scope.run)
    if state is not None:
        close_run(draft, scope.run, state, answered)
