"""After a crash: the engine that ran the attempts is gone, the rows are true, and all commands follow from them.

Always true: nothing is run again of which a process is left, or whose `onLost` says that it must not be.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import takewhile

from msgspec.structs import replace

from engine.core.claims import waits_for_worker
from engine.core.closing import below
from engine.core.draft import Draft
from engine.core.ending import end_run
from engine.core.retry import that_count
from engine.core.sla import watch
from engine.core.starting import start
from engine.model.commands import AwaitFlows, QueueTask, SetTimer, StartLater, StopFlows
from engine.model.events import EngineStarted
from engine.model.execution import Attempt, TaskRun
from engine.model.flow import Container, WorkingDirectory
from engine.model.state import AttemptState, State
from engine.model.task import OnLost

Survivors = Mapping[str, tuple[int, ...]]


def engine_started(draft: Draft, event: EngineStarted) -> None:
    """Take the execution over."""
    if draft.state in (State.CREATED, State.RESTARTED, State.QUEUED):
        due = draft.execution.due or draft.at
        if due > draft.at or draft.flow.concurrency is not None or draft.execution.ending is not None:
            draft.command(StartLater(max(draft.at, due)))  # whether it may begin is asked as if it was new
            if draft.state is State.QUEUED:
                watch(draft)
            return
        draft.move_execution(State.RUNNING, due=None)
    if not draft.is_stopping:
        _lose_folders(draft, event.survivors)
    for run in draft.snapshot().in_order():
        if not run.is_terminal and run.calls is None and not isinstance(draft.task(run), Container):
            _lose_attempt(draft, run, event.survivors.get(run.id, ()))
    commands_anew(draft)


def _lose_folders(draft: Draft, survivors: Survivors) -> None:
    """The folder of a WorkingDirectory is gone with its engine: all of it is lost."""
    for run in draft.snapshot().in_order():
        if run.state is not State.RUNNING or not isinstance(draft.task(run), WorkingDirectory):
            continue
        if run.id not in draft.task_runs:
            continue  # it stood in the `errors` of a folder, and went with that
        inside = below(draft, run)
        policy = _strictest(on_lost_of(draft, each) for each in (run, *inside) if each is run or each.attempts)
        alive = tuple(pid for each in inside for pid in survivors.get(each.id, ()))
        draft.remove(inside)
        begun = Attempt(epoch=run.epoch, state=AttemptState.STARTED, started_at=run.history[-1].at)
        lost = _lost(draft, replace(run, attempts=(*run.attempts, begun)))
        again = draft.move(run, State.RUNNING, outputs=None, epoch=run.epoch + 1)
        _go_on_without(draft, again, lost, policy, alive)


def _lose_attempt(draft: Draft, run: TaskRun, alive: tuple[int, ...]) -> None:
    if run.state not in (State.RUNNING, State.KILLING):
        return
    lost = _lost(draft, run)
    if run.state is State.KILLING or draft.is_stopping:
        error = f"its engine died, and {still_run(alive)}" if alive else None
        if error is not None:
            draft.log("ERROR", error, run)
        draft.move(run, State.FAILED if alive else State.KILLED, error=error, attempts=lost)
    else:
        _go_on_without(draft, run, lost, on_lost_of(draft, run), alive)


def _go_on_without(
    draft: Draft, run: TaskRun, attempts: tuple[Attempt, ...], policy: OnLost, alive: tuple[int, ...]
) -> None:
    """What becomes of a task run whose last attempt was lost: it is never certain what that has done."""
    deaths = sum(1 for _ in takewhile(_is_lost, reversed(that_count(run, attempts))))
    error: str | None = None
    if alive:
        error = f"its engine died, and {still_run(alive)}"
    elif policy == "FAIL":
        error = "its engine died while this task ran, and its `onLost` is FAIL: it is not run again"
    elif policy == "RERUN" and deaths >= draft.facts.deaths_allowed:
        error = f"the engine died {deaths} times while this task ran"
    if error is not None:
        end_run(draft, run, State.FAILED, error=error, attempts=attempts)
        return
    lost = f"attempt {len(attempts)} was lost with its engine"
    if policy == "PAUSE":
        draft.log("WARN", f"{lost}; a person decides whether the task runs again (`onLost: PAUSE`)", run)
        draft.move(run, State.PAUSED, attempts=attempts)
    else:
        draft.log("WARN", f"{lost}; the task runs again", run)
        draft.move(run, State.CREATED, attempts=attempts)


def on_lost_of(draft: Draft, run: TaskRun) -> OnLost:
    """What a task run's own task says, or else the nearest container around it that says something."""
    place = draft.tree.places[run.task_id]
    while place.task.on_lost is None and place.parent is not None:
        place = draft.tree.places[place.parent.id]
    return place.task.on_lost or "RERUN"


def _strictest(policies: Iterable[OnLost]) -> OnLost:
    """In a folder that is lost as a whole nothing may run again unless all of it may."""
    return max(policies, key=("RERUN", "PAUSE", "FAIL").index)


def still_run(pids: Iterable[int]) -> str:
    """What to tell of processes that could not be ended."""
    return f"these processes of the task could not be ended, look at them: {', '.join(map(str, sorted(pids)))}"


def _is_lost(attempt: Attempt) -> bool:
    return attempt.state is AttemptState.LOST


def _lost(draft: Draft, run: TaskRun) -> tuple[Attempt, ...]:
    if not run.attempts or run.attempts[-1].state is not AttemptState.STARTED:
        return run.attempts
    return (*run.attempts[:-1], replace(run.attempts[-1], state=AttemptState.LOST, ended_at=draft.at))


def commands_anew(draft: Draft) -> None:
    """Give every command once more that follows from the state of the execution and its task runs."""
    watch(draft)
    for run in draft.snapshot().in_order():
        if run.is_terminal:
            continue
        if run.calls is not None and run.state in (State.RUNNING, State.KILLING):
            _await_anew(draft, run)
        elif run.state is State.CREATED:
            repeat(draft, run)
        elif run.due is not None:
            draft.command(SetTimer(run.id, run.due))
        elif waits_for_worker(run) and not isinstance(draft.task(run), Container):
            draft.command(QueueTask(run.id))
    draft.unsettle_all()


def repeat(draft: Draft, run: TaskRun) -> None:
    """Begin what is CREATED. Whether a task shall run is not asked again once it has."""
    if run.attempts and not isinstance(draft.task(run), Container):
        draft.command(QueueTask(run.id))
    else:
        start(draft, run)


def was_lost(run: TaskRun) -> bool:
    """Whether the last attempt of a task run died with its engine."""
    return bool(run.attempts) and run.attempts[-1].state is AttemptState.LOST


def _await_anew(draft: Draft, run: TaskRun) -> None:
    """No thread was lost with what waits for other executions."""
    assert run.calls is not None
    draft.command(AwaitFlows(run.id, run.epoch))
    if run.state is State.KILLING:
        draft.command(StopFlows(run.id, run.epoch, run.calls))
    elif run.due is not None:
        draft.command(SetTimer(run.id, run.due))
