"""What must hold of every execution, whatever happened to its engines: the invariants that a database can show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise

from bench.trust.world import Line
from engine.model.execution import Execution, History
from engine.model.state import AttemptState, allows

Effects = Mapping[str, int]  #: by task run


def effects_of(ledger: Iterable[Line]) -> Effects:
    return Counter(line.task_run_id for line in ledger)


def problems(execution: Execution) -> Iterator[str]:
    """What is wrong with an execution, at any moment: nothing, one hopes."""
    yield from _of_history(execution.history, execution.state, "the execution")
    places = Counter((run.task_id, run.parent_id, run.value, run.iteration) for run in execution.task_runs.values())
    yield from (f"{place} was begun {number} times" for place, number in places.items() if number > 1)
    for run in execution.task_runs.values():
        epochs = [attempt.epoch for attempt in run.attempts]
        if epochs != sorted(set(epochs)):
            yield f"{run.id}: the epochs of its attempts are {epochs}"
        if sum(attempt.state is AttemptState.SUCCEEDED for attempt in run.attempts) > 1:
            yield f"{run.id}: more than one attempt succeeded"
        if execution.is_over and not run.is_terminal:
            yield f"{run.id} is {run.state} in an execution that is over"
        yield from _of_history(run.history, run.state, run.id)


def _of_history(history: History, state: object, name: str) -> Iterator[str]:
    if not history or history[-1].state is not state:
        yield f"{name} is {state}, and its history ends otherwise"
    for before, after in pairwise(history):
        if before.state is not after.state and not allows(before.state, after.state):
            yield f"{name} went from {before.state} to {after.state}"
        if after.at < before.at:
            yield f"{name}: its history goes back in time"


def changed(before: Execution, after: Execution) -> Iterator[str]:
    """What was final before and is not as it was."""
    if before.is_over and before != after:
        yield f"{before.id} was over and has changed"
    for id_, run in before.task_runs.items():
        if run.is_terminal and after.task_runs.get(id_) != run:
            yield f"{id_} was {run.state} and has changed"


def effects_missing(execution: Execution, effects: Effects, tasks: Iterable[str]) -> Iterator[str]:
    """Task runs that succeeded without the effect that they have."""
    wanted = set(tasks)
    for run in execution.task_runs.values():
        succeeded = any(attempt.state is AttemptState.SUCCEEDED for attempt in run.attempts)
        if run.task_id in wanted and succeeded and not effects.get(run.id):
            yield f"{run.id} succeeded without its effect"
