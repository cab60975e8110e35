"""What becomes of a task's answer: its state, its retries, what it does to its execution."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from engine.model.commands import WriteLog
from engine.model.duration import parse_duration
from engine.model.events import AttemptFinished, EngineStarted, Evaluated, FlowsStarted, LabelsSet, TimerFired
from engine.model.execution import Attempt, TaskRun
from engine.model.flow import Container, Retry
from engine.model.state import AttemptState, State
from tests.simulation.invariants.reference import softened
from tests.simulation.invariants.step import FAILS, Step, View

ATTEMPTS = {
    State.SUCCESS: AttemptState.SUCCEEDED,
    State.WARNING: AttemptState.SUCCEEDED,
    State.FAILED: AttemptState.FAILED,
    State.KILLED: AttemptState.KILLED,
}


def _answered(step: Step) -> tuple[TaskRun, TaskRun, AttemptFinished] | None:
    """The task run that an answer moved, before and after."""
    event = step.event
    if not isinstance(event, AttemptFinished) or not step.moved:
        return None
    old, run = step.before.runs.get(event.task_run_id), step.after.runs.get(event.task_run_id)
    return (old, run, event) if old is not None and run is not None and old != run else None


def policy_of(view: View, run: TaskRun) -> Retry | None:
    """The task's own retry, else that of the nearest container that has one, else the flow's."""
    around = [view.task(run), *(view.task(up) for up in view.up(run))]
    return next((task.retry for task in around if task.retry is not None), view.flow.retry)


def _counted(run: TaskRun) -> list[Attempt]:
    """The attempts that a policy counts: those since a person last restarted the task run."""
    begun = max((entry.at for entry in run.history if entry.state is State.RESTARTED), default=None)
    return [attempt for attempt in run.attempts if begun is None or attempt.started_at >= begun]


def _wait(step: Step, old: TaskRun, event: AttemptFinished) -> tuple[float, float] | None:
    """Least and most seconds until the next attempt; None when there is none."""
    ending = step.before.is_stopping and not step.before.place(old).after
    if event.state is not State.FAILED or old.state is State.KILLING or ending or event.survivors:
        return None
    if event.retry_after is not None:
        return event.retry_after, event.retry_after
    policy = policy_of(step.before, old)
    before = _counted(old)
    made = len(before) + (old.state is not State.RUNNING)
    if policy is None or policy.behavior != "RETRY_FAILED_TASK":
        return None
    if policy.max_attempt is not None and made >= policy.max_attempt:
        return None
    wait = interval_of(policy, made)
    if policy.max_duration is not None:
        first = before[0].started_at if before else event.started_at
        assert first is not None
        left = (first + parse_duration(policy.max_duration) - event.at).total_seconds()
        if wait[1] > left and policy.type != "random":
            return None
    return wait


def interval_of(policy: Retry, made: int) -> tuple[float, float]:
    def seconds(text: str | None) -> float:
        return parse_duration(text).total_seconds() if text is not None else 0.0

    if policy.type == "random":
        return seconds(policy.min_interval), seconds(policy.max_interval)
    wait = seconds(policy.interval)
    if policy.type == "exponential":
        wait *= (policy.delay_factor or 2.0) ** (made - 1)
        wait = min(wait, seconds(policy.max_interval)) if policy.max_interval is not None else wait
    return wait, wait


def an_answer_is_the_state(step: Step) -> Iterator[object]:
    """A task run ends as its task answered, softened by `allowFailure` and `allowWarning`; the attempt as it was."""
    found = _answered(step)
    if found is None:
        return
    old, run, event = found
    attempt = run.attempts[-1]
    told = (attempt.state, attempt.ended_at, attempt.error, attempt.log_file)
    if told != (ATTEMPTS[event.state], event.at, event.error, event.log_file):
        yield run
    if not run.is_terminal:
        return
    if old.state is State.KILLING:
        # It had been told to stop. FAILED says that it could not be.
        expected = State.FAILED if event.state is State.FAILED else State.KILLED
    else:
        state = event.state
        policy = policy_of(step.before, old)
        if state is State.SUCCESS and len(_counted(run)) > 1 and policy is not None and policy.warning_on_retry:
            state = State.WARNING
        if event.effects is not None and event.effects.ending is not None:
            state = event.effects.ending
        expected = softened(step.after.task(run), state)
    if run.state is not expected or (run.outputs or None) != (event.outputs or None):
        yield run, expected


def failures_are_told(step: Step) -> Iterator[object]:
    """Why a task failed stands in its log, once; nothing else stands there as an error."""
    found = _answered(step)
    if found is None:
        return
    _, run, event = found
    lines = [each for each in step.decision.commands if isinstance(each, WriteLog) and each.level == "ERROR"]
    told = [each.message for each in lines if each.task_run_id == run.id]
    if told != ([event.error] if run.is_terminal and event.error is not None else []):
        yield run, told


def retries_follow_the_policy(step: Step) -> Iterator[object]:
    """A failed attempt is repeated while the nearest policy allows another, after just its interval."""
    found = _answered(step)
    if found is None:
        return
    old, run, event = found
    wait = _wait(step, old, event)
    if run.state is State.RETRYING:
        least, most = (timedelta(seconds=each) for each in wait or (-1, -1))
        if run.due is None or not event.at + least <= run.due <= event.at + most:
            yield run, wait
    elif wait is not None and wait[0] == wait[1]:
        yield run, wait


def retrying_ends_on_time(step: Step) -> Iterator[object]:
    """A retry does not begin before it is due."""
    for old, run in step.changed:
        if old.state is State.RETRYING and old.due is not None and not run.is_terminal and run.due is None:
            due = isinstance(step.event, TimerFired) and step.event.at >= old.due
            if not due and not step.reopens:
                yield run


def run_if_decides(step: Step) -> Iterator[object]:
    """A task whose `runIf` is false is SKIPPED, one whose `runIf` fails has failed, and neither ever runs."""
    for run in step.created:
        task = step.after.task(run)
        if task.run_if == "false" and run.state not in (State.SKIPPED, State.KILLED):
            yield run
        if task.run_if == FAILS and run.state is not softened(task, State.FAILED):
            yield run
        if task.run_if in (None, "true") and run.state is State.SKIPPED:
            yield run
    event = step.event
    asked = step.after.runs.get(event.task_run_id or "") if isinstance(event, Evaluated) and step.moved else None
    if not isinstance(event, Evaluated) or event.name != "runIf" or asked is None:
        return
    run, task = asked, step.after.task(asked)
    if (run.state is State.SKIPPED) is not (event.value == "false" and event.error is None):
        yield run, event
    if event.error is not None and run.state is not softened(task, State.FAILED):
        yield run


def why_it_cannot_be_evaluated_is_told(step: Step) -> Iterator[object]:
    """What waits for an answer and gets none says which question it was; work that failed speaks for itself."""
    event = step.event
    run = step.after.runs.get(event.task_run_id or "") if isinstance(event, Evaluated) and step.moved else None
    if not isinstance(event, Evaluated) or event.error is None or run is None or not run.is_terminal or step.stops:
        return
    if run.error != (
        event.error if event.name == "folder" else f"`{event.name}` could not be evaluated: {event.error}"
    ):
        yield run


def begun_only_when_it_may(step: Step) -> Iterator[object]:
    """An attempt begins only while the execution goes on, or lingers for what comes after it."""
    execution = step.before.execution
    for old, run in step.changed:
        if len(run.attempts) > len(old.attempts) and not step.after.is_container(run):
            after = step.before.place(run).after
            open_ = execution.lingering if after else execution.state in (State.RUNNING, State.PAUSED)
            if not open_ or (not after and (execution.held or execution.ending is not None)):
                yield run


def only_answers_end_a_running_task(step: Step) -> Iterator[object]:
    """A task at work ends only by its own answer, or with its engine, or when it waits too long for executions."""
    for old, run in step.changed:
        at_work = old.state in (State.RUNNING, State.KILLING) and not step.after.is_container(run)
        told = isinstance(step.event, (AttemptFinished, FlowsStarted)) or (
            isinstance(step.event, TimerFired) and old.calls is not None
        )
        answered = told and step.event.task_run_id == run.id
        if at_work and run.is_terminal and not (answered or isinstance(step.event, EngineStarted)):
            yield run


def effects_happen_once(step: Step) -> Iterator[object]:
    """What a task does to its execution happens with its answer, and with nothing else."""
    before, after = step.before.execution, step.after.execution
    labels, variables = dict(before.labels), before.variables
    if isinstance(step.event, LabelsSet):
        labels |= step.event.labels
    elif isinstance(step.event, AttemptFinished) and step.moved:
        old, run = step.before.runs[step.event.task_run_id], step.after.runs.get(step.event.task_run_id)
        effects = step.event.effects
        # None: it ended, and so did the round of the loop that it stood in.
        if effects is not None and old.state is not State.KILLING and (run is None or run.is_terminal):
            labels |= effects.labels or {}
            own = variables if variables is not None else step.flow.variables
            if effects.variables is not None:
                variables = _merged(own, effects.variables)
            for path in effects.unset:
                variables = _without(own, path)
    if dict(after.labels) != labels:
        yield after.labels, labels
    if after.variables != variables:
        yield after.variables, variables


def _merged(before: Any, change: Any) -> dict[str, Any]:
    result = dict(before)
    for key, value in change.items():
        deeper = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = _merged(result[key], value) if deeper else value
    return result


def _without(before: Any, path: str) -> dict[str, Any]:
    result: dict[str, Any] = {**before}
    head, _, rest = path.partition(".")
    if not rest:
        result.pop(head, None)
    elif isinstance(result.get(head), dict):
        result[head] = _without(result[head], rest)
    return result


def an_exit_ends_the_execution(step: Step) -> Iterator[object]:
    """A task that ends its execution ends it in the state it says, once everything that runs has ended."""
    found = _answered(step)
    if found is None or found[0].state is State.KILLING or step.before.execution.is_terminal:
        return
    effects = found[2].effects
    if effects is None or effects.ending is None or step.before.execution.ending is not None:
        return
    after = step.after.execution
    stops = after.state in (State.KILLING, State.KILLED) if effects.ending is State.KILLED else False
    if not (stops or after.ending is effects.ending or after.state is effects.ending or after.error is not None):
        yield after.state, after.ending


def leaves_and_containers(step: Step) -> Iterator[object]:
    """Only tasks have attempts, and only containers have values to go over."""
    for run in step.touched:
        if not isinstance(step.after.task(run), Container) and run.items is not None:
            yield run


SENTENCES = (
    an_answer_is_the_state, failures_are_told, retries_follow_the_policy, retrying_ends_on_time, run_if_decides,
    why_it_cannot_be_evaluated_is_told, begun_only_when_it_may, only_answers_end_a_running_task, effects_happen_once,
    an_exit_ends_the_execution, leaves_and_containers,
)  # fmt: skip
