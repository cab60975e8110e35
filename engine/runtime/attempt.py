"""One attempt, from a claimed task run to the event that tells how it ended. It never raises.

Four steps: the deadline, the properties rendered to their types, the task's own work, its outputs as plain data.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from engine.core.context import Context
from engine.core.rendering import OUTPUTS, VERDICTS, answer
from engine.errors import (
    ExpressionError,
    PenstockError,
    ProcessesLeft,
    RetryLater,
    TaskCancelled,
    TaskFailed,
    TaskTimedOut,
)
from engine.expressions import Functions, language
from engine.model.duration import parse_duration
from engine.model.events import AttemptFinished, Effects, Evaluated
from engine.model.state import State
from engine.ports import Cipher, Clock
from engine.runtime.context import AttemptContext
from engine.runtime.masking import Masker
from engine.runtime.sealing import sealed_outputs
from engine.runtime.task_cache import recalled, remember
from engine.sdk import Task
from engine.sdk.changes import NOTHING
from engine.sdk.faults import told
from engine.sdk.flows import EndedFlow, Ending, StartFlows
from engine.sdk.outputs import plain
from engine.sdk.properties import prepared


def run_attempt(
    context: AttemptContext, task_class: type[Task], ended: Iterable[EndedFlow] | None = None
) -> AttemptFinished | StartFlows:
    """Run the task, or go on with one whose flows have ended. Whatever it does, the answer is an event, or what it
    wants begun."""
    try:
        task = prepared(task_class, context.assignment.task.properties, context)
        kept = recalled(context, task) if ended is None else None
        if kept is not None:
            return _finished(context, State.SUCCESS, outputs=kept)
        given = task.run(context) if ended is None else task.flows_ended(context, ended)
        if isinstance(given, StartFlows):
            return given
        ending = given if isinstance(given, Ending) else Ending(state=State.SUCCESS, outputs=given)
        outputs = plain(ending.outputs)
        context.check_cancelled()
        context.check_deadline()
        if ending.state is State.SUCCESS:
            remember(context, task, outputs)
        return _finished(context, ending.state, outputs=outputs, error=ending.error)
    except BaseException as error:  # noqa: BLE001  # a plugin may raise anything, SystemExit too; the engine lives on
        return failed_attempt(context, error)


def failed_attempt(context: AttemptContext, error: BaseException) -> AttemptFinished:
    """What an attempt has come to that raised."""
    match error:
        case TaskCancelled():
            return _finished(context, State.KILLED, error=error.message)
        case ProcessesLeft():
            return _finished(context, State.FAILED, error=_tell(error), survivors=error.pids)
        case TaskTimedOut():
            return _finished(context, State.FAILED, error=f"Timeout after {context.time_limit}")
        case RetryLater():
            return _finished(context, State.FAILED, error=_tell(error), retry_after=error.seconds)
        case PenstockError():
            outputs = _kept(getattr(error, "outputs", None)) or _while_waiting(context)
            return _finished(context, State.FAILED, error=_tell(error), outputs=outputs)
    return _finished(context, State.FAILED, error=told(error), outputs=_while_waiting(context))


def _while_waiting(context: AttemptContext) -> Mapping[str, Any] | None:
    """What could be seen of the task run while it waited for others."""
    run = context.assignment.run
    return run.outputs if run.calls is not None else None


def set_deadline(context: AttemptContext, clock: Clock) -> str | None:
    """Start the clock of the task's `timeout`. Returns what is wrong with it, if anything."""
    timeout = context.assignment.task.timeout
    if timeout is None:
        return None
    try:
        context.time_limit = context.render(timeout)
        context.deadline = clock.monotonic() + parse_duration(context.time_limit).total_seconds()
    except (ExpressionError, ValueError) as error:
        problem = f"`timeout` cannot be used: {error}"
        return context.masker.text(problem)
    return None


class Question(Struct, frozen=True, kw_only=True):
    """What an `Evaluate` command asks, and all that is needed to answer it."""

    name: str
    template: Any
    run_id: str | None
    context: Context
    functions: Functions
    masker: Masker  #: hears the secrets that `context` and `functions` give
    cipher: Cipher


def run_evaluation(question: Question, clock: Clock) -> Evaluated:
    """Answer an `Evaluate` command. The answer will be stored, so no secret leaves with it."""
    name, run_id, mask, context = question.name, question.run_id, question.masker, question.context
    try:
        value = answer(name, question.template, context, question.functions, language(context.flow.expressions))
        if name == OUTPUTS and run_id is None:
            value = sealed_outputs(question.template, value, question.cipher)
        if name not in VERDICTS:
            value = mask.value(value)
        return Evaluated(at=clock.now(), name=name, task_run_id=run_id, value=value)
    except PenstockError as error:
        return Evaluated(at=clock.now(), name=name, task_run_id=run_id, error=mask.text(error.message))


def _finished(
    context: AttemptContext,
    state: State,
    *,
    outputs: Mapping[str, Any] | None = None,
    error: str | None = None,
    retry_after: float | None = None,
    survivors: tuple[int, ...] = (),
) -> AttemptFinished:
    run = context.assignment.run
    if context.cancelled and not survivors:
        state = State.KILLED
    mask = context.masker
    return AttemptFinished(
        at=context.now(),
        task_run_id=run.id,
        epoch=run.epoch,
        state=state,
        outputs=mask.value(outputs),
        error=mask.text(error) if error is not None else None,
        retry_after=retry_after,
        started_at=context.claimed_at,
        log_file=context.stored_log(),
        survivors=survivors,
        effects=_asked(context) if state in (State.SUCCESS, State.WARNING) else None,
    )


def _asked(context: AttemptContext) -> Effects | None:
    """What the task wants changed about its execution. It will be stored, so no secret leaves with it."""
    wanted, mask = context.effects, context.masker
    if wanted is NOTHING:
        return None
    return replace(wanted, labels=mask.value(wanted.labels), variables=mask.value(wanted.variables))


def _tell(error: PenstockError) -> str:
    return f"{error.message} ({error.hint})" if error.hint else error.message


def _kept(outputs: Any) -> Mapping[str, Any] | None:
    try:
        return plain(outputs)
    except TaskFailed:
        return None
