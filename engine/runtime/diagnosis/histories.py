"""Do the rows of one execution tell a story that can have happened? Pure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from engine.model.execution import Execution, History, TaskRun
from engine.model.state import TERMINAL, AttemptState, State, allows
from engine.runtime.diagnosis.finding import Finding

_REPORT = "Please report it, with what `penstock executions show --json` prints; a restart repairs the execution."


def in_the_history(execution: Execution) -> Iterator[Finding]:
    """Every change of state is a legal one, and the last is the state; what is over has nothing open in it."""
    who = f"execution {execution.id}"
    if problem := _problem(execution.state, execution.history, by_persons=True):
        yield _finding(execution, f"{who} {problem}")
    for run in execution.task_runs.values():
        if problem := _problem(run.state, run.history):
            yield _finding(execution, f"{_named(run)} of {who} {problem}")
        if run.parent_id is not None and run.parent_id not in execution.task_runs:
            yield _finding(execution, f"{_named(run)} of {who} stands in a task run that is not there: {run.parent_id}")
        if execution.is_over and not run.is_terminal:
            yield _finding(execution, f"{who} is over as {execution.state}, and its {_named(run)} is {run.state}")


def in_the_attempts(execution: Execution) -> Iterator[Finding]:
    """Each attempt has an epoch above those before; one succeeds at most, unless a person let the task run again."""
    for run in execution.task_runs.values():
        who = f"{_named(run)} of execution {execution.id}"
        epochs = [attempt.epoch for attempt in run.attempts]
        if any(later <= earlier for earlier, later in pairwise(epochs)) or (epochs and epochs[-1] > run.epoch):
            yield _finding(execution, f"{who} has attempts whose epochs do not rise: {epochs}, and now {run.epoch}")
        successes = sum(attempt.state is AttemptState.SUCCEEDED for attempt in run.attempts)
        restarts = sum(entry.state is State.RESTARTED for entry in run.history)
        if successes > 1 + restarts:
            yield _finding(execution, f"{who} has {successes} attempts that succeeded")
        if run.is_terminal and any(attempt.state is AttemptState.STARTED for attempt in run.attempts):
            yield _finding(execution, f"{who} has ended as {run.state}, and an attempt of it has not")


def _problem(state: State, history: History, *, by_persons: bool = False) -> str | None:
    if not history:
        return "has no history"
    if history[-1].state is not state:
        return f"is {state}, but its history ends with {history[-1].state}"
    for before, after in pairwise(history):
        # A person may give an execution that has ended another end.
        changed = by_persons and before.state in TERMINAL and after.state in TERMINAL
        if not (changed or allows(before.state, after.state)):
            return f"went from {before.state} to {after.state}, which nothing does"
    return None


def _named(run: TaskRun) -> str:
    return f"task run {run.id} ({run.task_id})"


def _finding(execution: Execution, what: str) -> Finding:
    return Finding(what=what, hint=_REPORT, execution_id=execution.id)
