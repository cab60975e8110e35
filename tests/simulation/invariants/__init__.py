"""What always holds: one function for each sentence of the semantics, with that sentence as its docstring.

`judge` asks all of them about one decision; `judge_commit` and `judge_rest` about an execution as it stands.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable

from engine.model.events import FlowsStarted, KillRequested, ProcessStarted, TimerFired
from engine.model.execution import Execution
from tests.simulation.invariants import (
    beginning,
    calls,
    changes,
    ends,
    losses,
    order,
    persons,
    rounds,
    standing,
    tasks,
    waiting,
)
from tests.simulation.invariants.step import PERSONS, Step, View

#: Asked about every decision.
OF_EACH_STEP = (
    *beginning.SENTENCES,
    *changes.SENTENCES,
    *order.SENTENCES,
    *tasks.SENTENCES,
    *calls.SENTENCES,
    *losses.SENTENCES,
    *ends.SENTENCES,
    *waiting.SENTENCES,
    *rounds.SENTENCES,
    *persons.SENTENCES,
)


class Broken(AssertionError):
    """A sentence that does not hold. Its text is the sentence, then what breaks it."""


def judge(step: Step) -> None:
    """Whether a decision may be. Most events that move nothing are seen at a glance."""
    heard = (KillRequested, FlowsStarted, ProcessStarted, TimerFired)
    asked = type(step.event) in PERSONS or isinstance(step.event, heard)
    if not (step.moved or step.decision.commands or asked):
        return
    for sentence in OF_EACH_STEP:
        _hold(sentence, sentence(step))


def judge_commit(execution: Execution, view: View) -> None:
    """Whether an execution may be written as it is."""
    for sentence in standing.AT_EACH_COMMIT:
        _hold(sentence, sentence(execution, view))


def judge_rest(execution: Execution, view: View) -> None:
    """Whether an execution may be as it is when nothing is under way."""
    for sentence in standing.AT_REST:
        _hold(sentence, sentence(execution, view))


def _hold(sentence: Callable[..., object], offences: Iterable[object]) -> None:
    offence = next(iter(offences), None)
    if offence is not None:
        raise Broken(f"{inspect.getdoc(sentence)} [{getattr(sentence, '__name__', '')}]\n  broken by {offence}")
