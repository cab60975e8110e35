"""How a scope ends: what is still to be evaluated, the outputs, the state, or another round.

An end may have to wait for an answer from outside (`Evaluate`). The task run stays as it is meanwhile; all its
children have ended, so the question can be asked again after a crash, and nothing else is remembered.
"""

from __future__ import annotations

from typing import Any

from engine.core.draft import Draft
from engine.core.ending import end_run
from engine.core.flowable import flowable
from engine.core.flowable.opening import Closing
from engine.core.ledger import ScopeKey, counted_lane
from engine.core.rendering import OUTPUTS
from engine.core.starting import PENDING, Unanswerable, ask
from engine.model.commands import SetTimer
from engine.model.events import Evaluated
from engine.model.execution import TaskRun
from engine.model.flow import Container
from engine.model.state import State


def close_run(draft: Draft, run: TaskRun, state: State, answered: Evaluated | None = None) -> None:
    """End a container's task run, or begin its next round."""
    task = draft.task(run)
    assert isinstance(task, Container)
    asked = flowable(task)
    if draft.is_stopping or run.state is State.KILLING:
        end_run(draft, run, state)
        return
    question = asked.question(task, state)
    try:
        value = ask(draft, run, *question, answered, state) if question is not None else None
        if value is PENDING:
            return
        closing = asked.close(task, run, state, value, draft.at)
        if isinstance(closing, str):
            raise Unanswerable(closing)
    except Unanswerable as error:
        end_run(draft, run, State.FAILED, error=str(error))
        return
    _close(draft, run, closing)


def _close(draft: Draft, run: TaskRun, closing: Closing) -> None:
    if closing.note is not None:
        draft.log(*closing.note, run)
    outputs = closing.outputs if closing.outputs is not None else run.outputs
    if closing.again is None:
        ended = end_run(draft, run, closing.state, outputs=outputs)
        if closing.is_last:
            _no_more_rounds(draft, ended)
        return
    draft.remove(below(draft, run))
    draft.move(run, State.PAUSED, due=closing.again, outputs=outputs)
    draft.command(SetTimer(run.id, closing.again))


def _no_more_rounds(draft: Draft, run: TaskRun) -> None:
    """The loop around a round forgets the values that it has not come to."""
    assert run.parent_id is not None
    loop = draft.run(run.parent_id)
    begun = draft.tally(ScopeKey(loop.id)).created
    if loop.items is not None and begun < len(loop.items):
        draft.move(loop, loop.state, items=loop.items[:begun])


def below(draft: Draft, run: TaskRun) -> list[TaskRun]:
    """All task runs inside a container's, whatever their depth."""
    inside, found = {run.id}, []
    for each in sorted(draft.task_runs.values(), key=lambda each: each.seq):
        if each.parent_id in inside:
            inside.add(each.id)
            found.append(each)
    return found


def close_lane(draft: Draft, loop: TaskRun, key: ScopeKey, state: State) -> None:
    """Count the end of one round of a loop."""
    draft.close_lane(key, counted_lane(draft.task(loop), state))


def close_execution(draft: Draft, state: State, answered: Evaluated | None = None) -> None:
    """Move the execution to its terminal state, with the flow's outputs. Outputs that fail make it FAILED."""
    outputs, error = None, None
    if draft.flow.outputs and state not in (State.KILLED, State.RETRIED):
        try:
            outputs = ask(draft, None, OUTPUTS, draft.flow.outputs, answered)
        except Unanswerable as failure:
            state, error = State.FAILED, str(failure)
            draft.log("ERROR", error)
        if outputs is PENDING:
            return
    finish(draft, state, outputs=outputs, error=error or draft.execution.error)


def finish(draft: Draft, state: State, **changes: Any) -> None:
    """Give the execution its final state. One that was retried leaves what comes after it to the next."""
    branches = draft.flow.branches_after() if state is not State.RETRIED else ()
    after = any(draft.tree.enabled(None, branch) for branch in branches)
    draft.move_execution(state, due=None, lingering=after, **changes)
    if after:
        draft.unsettle(ScopeKey(None))
