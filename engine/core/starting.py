"""How a task run begins: `runIf`, then a worker for a runnable task, or the opening of a container.

Any step may have to wait for an answer from outside (`Evaluate`). The task run stays CREATED meanwhile, and the
answer's name tells how far it had come, so nothing else is remembered.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

from engine.core.context import Context
from engine.core.draft import Draft
from engine.core.ending import end_run
from engine.core.flowable import flowable
from engine.core.rendering import Asked, answer, needs_outside
from engine.errors import ExpressionError
from engine.expressions import Functions, language, truthy
from engine.model.commands import Evaluate, QueueTask, SetTimer
from engine.model.events import Evaluated
from engine.model.execution import TaskRun
from engine.model.flow import Container, Task
from engine.model.state import State

RUN_IF = "runIf"


class _Pending(Enum):
    PENDING = "the answer comes later, as an event"


PENDING = _Pending.PENDING


class Unanswerable(Exception):
    """The expression failed; the message says which and why."""


def template_of(task: Task, command: Evaluate) -> Any:
    """What an `Evaluate` command means by the name of its question."""
    if command.name == RUN_IF:
        return task.run_if
    assert isinstance(task, Container)
    asks = flowable(task)
    question = asks.expression(task) if command.state is None else asks.question(task, command.state)
    assert question is not None
    assert question[0] == command.name
    return question[1]


def start(draft: Draft, run: TaskRun, answered: Evaluated | None = None) -> None:
    """Begin a CREATED task run, or go on with it after `answered`."""
    task = draft.task(run)
    try:
        if task.run_if is not None and (answered is None or answered.name == RUN_IF):
            verdict = ask(draft, run, RUN_IF, task.run_if, answered)
            if verdict is PENDING:
                return
            if not truthy(verdict):
                draft.move(run, State.SKIPPED)
                return
        if isinstance(task, Container):
            open_container(draft, run, task, answered)
        else:
            draft.command(QueueTask(run.id))
    except Unanswerable as error:
        end_run(draft, run, State.FAILED, error=str(error))


def open_container(draft: Draft, run: TaskRun, task: Container, answered: Evaluated | None = None) -> None:
    """Evaluate what a container must know, and begin it. Raises Unanswerable."""
    asks = flowable(task)
    expression = asks.expression(task)
    value = ask(draft, run, *expression, answered) if expression is not None else None
    if value is PENDING:
        return
    opening = asks.begin(task, value, draft.at)
    if isinstance(opening, str):
        raise Unanswerable(opening)
    opened = draft.move(run, opening.state, outputs=opening.outputs, items=opening.items, due=opening.due)
    if opening.due is not None:
        draft.command(SetTimer(run.id, opening.due))
    draft.unsettle_children(opened)


def ask(
    draft: Draft,
    run: TaskRun | None,
    name: str,
    template: Any,
    answered: Evaluated | None,
    state: State | None = None,
) -> Any:
    """The value of an expression, or PENDING when a worker must find it. Raises Unanswerable.

    `state` is how the tasks of a container ended that asks at its end.
    """
    command = Evaluate(name, run.id if run is not None else None, state)
    if answered is not None and answered.name == name:
        if answered.error is not None:
            is_work = isinstance(template, Asked) and template.IS_WORK
            raise Unanswerable(answered.error if is_work else f"`{name}` could not be evaluated: {answered.error}")
        return answered.value
    written_in = language(draft.flow.expressions)
    if needs_outside(template, written_in):
        draft.command(command)
        return PENDING
    context = Context(draft.flow, draft.snapshot(), run, draft.facts)
    seed = f"{run.id if run is not None else draft.execution.id}/{name}"
    try:
        return answer(name, template, context, Functions(now=lambda: draft.at, seed=seed), written_in)
    except ExpressionError as error:
        if error.code == "function-unavailable":
            # The call was hidden in data (`render(vars.x)`): only now can it be seen, and a worker can make it.
            draft.command(command)
            return PENDING
        raise Unanswerable(f"`{name}` could not be evaluated: {error.message}") from error
