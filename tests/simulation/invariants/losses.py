"""What becomes of task runs whose engine died under them, and of their processes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile

from engine.model.commands import QueueTask
from engine.model.events import EngineStarted, ProcessStarted, ResumeRequested
from engine.model.execution import Attempt, TaskRun
from engine.model.flow import Container, WorkingDirectory
from engine.model.state import AttemptState, State
from tests.simulation.invariants.reference import softened
from tests.simulation.invariants.step import Step, View

#: So many deaths of engines in a row are too many.
DEATHS = 3
#: From the mildest word to the strictest.
WORDS = ("RERUN", "PAUSE", "FAIL")


def said(view: View, run: TaskRun) -> str:
    """The word of the task, or of the nearest container around it that has one."""
    around = [view.task(run), *(view.task(up) for up in view.up(run))]
    return next((task.on_lost for task in around if task.on_lost is not None), "RERUN")


def _lost(attempts: tuple[Attempt, ...]) -> bool:
    return bool(attempts) and attempts[-1].state is AttemptState.LOST


def _deaths(run: TaskRun) -> int:
    """How often in a row, since a person last restarted it."""
    begun = max((entry.at for entry in run.history if entry.state is State.RESTARTED), default=run.history[0].at)
    since = [attempt for attempt in run.attempts if attempt.started_at >= begun]
    return sum(1 for _ in takewhile(lambda each: each.state is AttemptState.LOST, reversed(since)))


def _end(view: View, run: TaskRun, word: str, *, alive: bool) -> State:
    """What a loss makes of a task run that nobody is stopping."""
    if alive or word == "FAIL" or (word == "RERUN" and _deaths(run) >= DEATHS):
        return softened(view.task(run), State.FAILED)
    return State.PAUSED if word == "PAUSE" else State.CREATED


def a_crash_loses_attempts(step: Step) -> Iterator[object]:
    """After a crash no attempt is open: what ran is LOST, and does as its `onLost` says, or has failed for good."""
    if not isinstance(step.event, EngineStarted):
        return
    for old in step.before.runs.values():
        run = step.after.runs.get(old.id)
        works = old.state in (State.RUNNING, State.KILLING) and old.calls is None
        if run is None or not works or isinstance(step.after.task(old), Container):
            continue
        alive = old.id in step.event.survivors
        if not _lost(run.attempts):
            yield run
        if old.state is State.KILLING or step.stops:
            expected = State.FAILED if alive else State.KILLED
        else:
            expected = _end(step.after, run, said(step.after, run), alive=alive)
        if run.state is not expected:
            yield run, expected


def a_folder_is_lost_as_a_whole(step: Step) -> Iterator[object]:
    """A folder that is lost does as the strictest word says of it and of what has begun in it."""
    if not isinstance(step.event, EngineStarted) or step.stops:
        return
    for old in step.before.runs.values():
        run = step.after.runs.get(old.id)
        if run is None or old.state is not State.RUNNING or not isinstance(step.after.task(old), WorkingDirectory):
            continue
        inside = [each for each in step.before.runs.values() if old in step.before.up(each)]
        words = {said(step.before, old), *(said(step.before, each) for each in inside if each.attempts)}
        alive = any(each.id in step.event.survivors for each in inside)
        expected = _end(step.after, run, max(words, key=WORDS.index), alive=alive)
        # It may begin at once, or fail to.
        began = expected is State.CREATED and (not run.is_terminal or _deaths(run) < DEATHS)
        if not _lost(run.attempts) or (run.state is not expected and not began):
            yield run, expected


def what_must_not_run_twice_does_not(step: Step) -> Iterator[object]:
    """After a loss a task with FAIL begins no attempt that no person restarts, one with PAUSE none without a word."""
    for old, run in step.changed:
        word = said(step.after, run)
        if word == "RERUN" or len(run.attempts) == len(old.attempts) or not _lost(old.attempts):
            continue
        states = [entry.state for entry in run.history if entry.at >= (old.attempts[-1].ended_at or entry.at)]
        asked = State.RESTARTED in states or (word == "PAUSE" and states[:2] == [State.PAUSED, State.CREATED])
        if not asked:
            yield run


def only_a_loss_pauses_a_task(step: Step) -> Iterator[object]:
    """A task that is no container waits only for a person's word about a loss, and then has one with PAUSE."""
    for run in step.touched:
        waits = run.state is State.PAUSED and not step.after.is_container(run)
        if waits and (not _lost(run.attempts) or said(step.after, run) != "PAUSE" or run.due is not None):
            yield run


def who_resumes_what_was_lost_lets_it_run_again(step: Step) -> Iterator[object]:
    """What was lost and is resumed waits for a worker, as the same piece of work: under the same epoch."""
    if not isinstance(step.event, ResumeRequested) or not step.moved:
        return
    queued = {command.task_run_id for command in step.decision.commands if isinstance(command, QueueTask)}
    for old, run in step.changed:
        waited = old.state is State.PAUSED and not step.after.is_container(run)
        if waited and (run.state is not State.CREATED or run.epoch != old.epoch or run.id not in queued):
            yield run


def a_process_is_that_of_the_attempt(step: Step) -> Iterator[object]:
    """A process is remembered with the attempt that runs, and changes nothing else; nobody else's is remembered."""
    event = step.event
    if not isinstance(event, ProcessStarted):
        return
    old = step.before.runs.get(event.task_run_id)
    fits = old is not None and old.epoch == event.epoch and old.state is State.RUNNING and old.calls is None
    if fits is not (step.refused is None) or (step.moved and not fits):
        yield event
    run = step.after.runs.get(event.task_run_id)
    if fits and (run is None or run.attempts[-1].process != event.process):
        yield run
    yield from (other for _, other in step.changed if other.id != event.task_run_id)


SENTENCES = (
    a_crash_loses_attempts, a_folder_is_lost_as_a_whole, what_must_not_run_twice_does_not, only_a_loss_pauses_a_task,
    who_resumes_what_was_lost_lets_it_run_again, a_process_is_that_of_the_attempt,
)  # fmt: skip
