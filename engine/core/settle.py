"""Settle: ask every container whose children moved until nothing moves any more.

A scope is looked at when a child of it moved. Its container says what may start and whether it has ended; starting
and ending move things in turn, so the loop runs to a fixed point. It ends because each step creates a task run of
a finite flow or moves one closer to a terminal state.
"""

from __future__ import annotations

from engine.core.draft import Draft
from engine.core.ending import end_run
from engine.core.flowable import Flowable, flowable, sequential
from engine.core.flowable.scope import Next, Scope
from engine.core.ledger import ScopeKey, lane_state
from engine.core.rendering import OUTPUTS
from engine.core.starting import PENDING, Unanswerable, ask, start
from engine.model.events import Evaluated
from engine.model.execution import TaskRun
from engine.model.state import State

ROOT = ScopeKey(None)
_OPEN = frozenset({State.RUNNING, State.KILLING})


def settle(draft: Draft) -> None:
    """Bring the draft to rest."""
    for key in draft.unsettled():
        scope = Scope(draft, key)
        if _state(draft, scope.run) not in _OPEN or (key.lane is not None and scope.main.closed):
            continue
        outcome = _stopped(draft, scope) if draft.state is State.KILLING else _advance(draft, scope)
        if outcome is not None:
            _end(draft, scope, outcome)


def _state(draft: Draft, run: TaskRun | None) -> State:
    return run.state if run is not None else draft.state


def _asked(scope: Scope) -> Flowable:
    return flowable(scope.container) if scope.container is not None else sequential


def _advance(draft: Draft, scope: Scope) -> State | None:
    asked = _asked(scope)
    for following in asked.nexts(scope):
        _start(draft, scope, following)
    return asked.outcome(scope)


def _start(draft: Draft, scope: Scope, following: Next) -> None:
    if following.iteration is not None and scope.key.lane is None:
        assert scope.run is not None
        draft.open_lane(scope.run)
    run = draft.create(following.task, scope.key.run_id, following.value, following.iteration)
    start(draft, run)


def _stopped(draft: Draft, scope: Scope) -> State | None:
    """While the execution is being killed nothing starts, and a scope has ended once nothing in it lives."""
    if scope.main.live or scope.errors.live:
        return None
    if scope.key.lane is not None:
        return lane_state(scope.main, len(scope.tasks("tasks")), abandoned=True)
    return State.KILLED


def _end(draft: Draft, scope: Scope, state: State) -> None:
    if scope.key.lane is not None:
        draft.close_lane(scope.key, state)
    elif scope.run is not None:
        end_run(draft, scope.run, state)
    else:
        end_execution(draft, state)


def end_execution(draft: Draft, state: State, answered: Evaluated | None = None) -> None:
    """Move the execution to its terminal state, with the flow's outputs. Outputs that fail make it FAILED."""
    outputs, error = None, None
    if draft.flow.outputs and state is not State.KILLED:
        try:
            outputs = ask(draft, None, OUTPUTS, draft.flow.outputs, answered)
        except Unanswerable as failure:
            state, error = State.FAILED, str(failure)
            draft.log("ERROR", error)
        if outputs is PENDING:
            return
    draft.move_execution(state, outputs=outputs, error=error or draft.execution.error)


def go_on_ending(draft: Draft, answered: Evaluated) -> None:
    """The flow's outputs have been evaluated outside."""
    state = sequential.outcome(Scope(draft, ROOT))
    if state is not None and draft.state is State.RUNNING:
        end_execution(draft, state, answered)
