"""How containers and executions end, wait and go on."""

from __future__ import annotations

from collections.abc import Iterator

from engine.model.duration import parse_duration
from engine.model.events import (
    EngineStarted,
    Evaluated,
    KillRequested,
    PauseRequested,
    RestartRequested,
    ResumeRequested,
    StatusChanged,
    TaskRunChanged,
    TimerFired,
)
from engine.model.execution import TaskRun
from engine.model.flow import Container, ForEach, If, LoopUntil, Pause, Switch, WorkingDirectory
from engine.model.state import State
from tests.simulation.invariants import reference
from tests.simulation.invariants.step import Step, View

#: Events after which a container may end otherwise than by what is in it.
_SPEAKS_FOR_ITSELF = (RestartRequested, TaskRunChanged)
_FAILS = "{{ nothing.at.all }}"


def containers_sum_up(step: Step) -> Iterator[object]:
    """A container ends as its tasks did: KILLED beats FAILED beats WARNING beats SUCCESS; `finally` counts, too."""
    if step.stops or isinstance(step.event, _SPEAKS_FOR_ITSELF):
        return
    for old, run in step.ended:
        task = step.after.task(run)
        if not isinstance(task, Container) or run.state is State.SKIPPED:
            continue
        state = reference.scope_end(step.after, run)
        allowed = {reference.softened(task, state)}
        failed = reference.softened(task, State.FAILED)
        if old is not None and old.state is State.KILLING:
            allowed = {State.KILLED}
        elif run.error is not None:
            allowed = {failed}  # what it asks at its beginning or its end could not be answered
        elif isinstance(task, LoopUntil) and task.fail_on_max_reached:
            allowed.add(failed)
        elif isinstance(task, Pause) and (run.outputs or {}).get("expires") == "CANCEL":
            allowed.add(State.CANCELLED)
        if run.state not in allowed:
            yield run, allowed
        if run.error is None and run.state is not State.KILLED and not reference.is_complete(step.after, run):
            yield run, "not all of it has run"


def executions_sum_up(step: Step) -> Iterator[object]:
    """An execution ends as its main tasks did; outputs that fail make it FAILED, and then it has none."""
    before, after = step.before.execution, step.after.execution
    if before.is_terminal or not after.is_terminal:
        return
    expected = reference.scope_end(step.after, None)
    killed = any(entry.state is State.KILLING for entry in after.history[len(before.history) - 1 :])
    if killed or after.ending is not None or before.ending is not None:
        expected = after.ending or State.KILLED
    elif not reference.is_complete(step.after, None):
        yield "not all of it has run"
    fails = bool(step.flow.outputs) and step.flow.outputs[0].value == _FAILS and expected is not State.KILLED
    if step.flow.outputs and isinstance(step.event, Evaluated) and step.event.name == "outputs":
        fails = fails or step.event.error is not None
    if after.state is not (State.FAILED if fails else expected):
        yield after.state, expected
    if (after.outputs is None) is (bool(step.flow.outputs) and not fails and after.state is not State.KILLED):
        yield after.outputs
    yield from (run for run in step.after.runs.values() if not run.is_terminal and not step.after.place(run).after)


def ended_means_ended(step: Step) -> Iterator[object]:
    """An execution that has its end keeps it: what comes after changes it no more."""
    before, after = step.before.execution, step.after.execution
    if before.is_terminal and not step.reopens and type(step.event) is not StatusChanged and after != before:
        same = ("state", "outputs", "error", "history")
        yield from (name for name in same if getattr(before, name) != getattr(after, name))
    if before.is_over and after.lingering and not step.reopens:
        yield after
    if after.lingering and not after.is_terminal:
        yield after
    if after.is_over:
        yield from (run for run in step.touched if not run.is_terminal)


def all_that_comes_after_has_run(step: Step) -> Iterator[object]:
    """An execution is over only when `afterExecution` has run, whole or to its first failure."""
    before, after = step.before.execution, step.after.execution
    if before.is_over or not after.is_over:
        return
    late = step.after.scope(None, None, "afterExecution")
    expected = len(step.flow.tree.enabled(None, "afterExecution"))
    stopped = any(run.state in (State.FAILED, State.KILLED) for run in late) or isinstance(step.event, KillRequested)
    if len(late) < expected and not stopped and not any(run.state is State.KILLED for run in step.after.runs.values()):
        yield late


def paused_means_waiting(step: Step) -> Iterator[object]:
    """An execution is PAUSED if, and only if, a person holds it or all that is left in it waits."""
    execution = step.after.execution
    if not step.moved or execution.is_terminal or step.after.is_stopping or execution.state is State.CREATED:
        return
    waits = any(run.state is State.PAUSED for run in step.after.runs.values())
    works = any(_works(step.after, run) for run in step.after.runs.values())
    paused = execution.held or (waits and not works)
    if execution.state is not (State.PAUSED if paused else State.RUNNING):
        yield execution.state


def _works(view: View, run: TaskRun) -> bool:
    if isinstance(view.task(run), Container):
        return run.state is State.CREATED
    return not run.is_terminal and run.state is not State.PAUSED


def a_hold_lasts(step: Step) -> Iterator[object]:
    """What a person holds goes on only when a person says so."""
    before, after = step.before.execution, step.after.execution
    persons = (ResumeRequested, RestartRequested, TaskRunChanged, KillRequested)
    if before.held and not after.held and not isinstance(step.event, persons) and not step.after.is_stopping:
        yield step.event
    if isinstance(step.event, PauseRequested) and step.refused is None and not after.held:
        yield after.state
    if after.held and after.state is not State.PAUSED:
        yield after.state


def a_kill_is_final(step: Step) -> Iterator[object]:
    """A kill stops everything: what waits is KILLED at once, what runs is told to stop, and it ends KILLED."""
    if isinstance(step.event, KillRequested) and step.moved:
        after = step.after.execution
        if not (after.state is State.KILLING or after.is_terminal):
            yield after.state
        for run in step.after.runs.values():
            late = step.after.place(run).after and run.id not in step.before.runs
            if not run.is_terminal and run.state is not State.KILLING and not late:
                yield run
    before, after = step.before.execution, step.after.execution
    if before.state is State.KILLING and after.is_terminal and after.state is not (before.ending or State.KILLED):
        outputs_failed = before.ending is not None and step.flow.outputs and after.outputs is None
        if not outputs_failed:
            yield after.state


def pauses_end_as_told(step: Step) -> Iterator[object]:
    """A pause goes on when a person says so or when its time has come, and then as its `behavior` says."""
    for old, run in step.changed:
        task = step.after.task(run)
        if not isinstance(task, Pause) or old.state is not State.PAUSED or run.state is State.PAUSED:
            continue
        expires = (old.outputs or {}).get("expires")
        match step.event:
            case TimerFired():
                fails = expires in ("TIMEOUT", "FAIL")
                if run.id != step.event.task_run_id or old.due != step.event.due:
                    if not step.after.is_stopping and not step.after.execution.is_terminal:
                        yield run
                elif fails:
                    if run.is_terminal and run.state is not reference.softened(task, State.FAILED):
                        yield run, expires
                elif expires == "CANCEL":
                    if not step.stops and run.state is not State.CANCELLED:
                        yield run, expires
                elif run.state in (State.FAILED, State.CANCELLED) and not step.after.children.get(run.id):
                    yield run, expires
            case ResumeRequested():
                if "resumed" not in (run.outputs or {}) or (step.event.task_run_id or run.id) != run.id:
                    yield run
            case RestartRequested() | TaskRunChanged() | KillRequested():
                pass
            case _:
                if not step.after.is_stopping and not step.after.execution.is_terminal:
                    yield run


def a_resume_resumes(step: Step) -> Iterator[object]:
    """A resume that fits lets go what is held, or ends the first pause, or the one that is named."""
    event = step.event
    if not isinstance(event, ResumeRequested) or step.refused is not None:
        return
    if step.before.execution.held:
        if step.after.execution.held:
            yield step.after.execution
        return
    pauses = [run for run in step.before.runs.values() if run.state is State.PAUSED and _is_pause(step.before, run)]
    meant = [run for run in pauses if event.task_run_id in (None, run.id)]
    first = min(meant, key=lambda run: run.seq)
    resumed = step.after.runs.get(first.id)  # None: with it ended the round of the loop that it stood in
    if resumed is not None and resumed.state is State.PAUSED:
        yield resumed
    if resumed is not None and event.inputs is not None and (resumed.outputs or {}).get("onResume") != event.inputs:
        yield resumed


def _is_pause(view: View, run: TaskRun) -> bool:
    return isinstance(view.task(run), Pause)


def loops_until_the_condition_holds(step: Step) -> Iterator[object]:
    """A LoopUntil makes another round until its condition holds or a limit is reached; each replaces the one before."""
    for old, run in step.changed:
        task = step.after.task(run)
        if not isinstance(task, LoopUntil) or isinstance(step.event, _SPEAKS_FOR_ITSELF):
            continue
        was, made = ((each.outputs or {}).get("iterationCount", 0) for each in (old, run))
        limits = task.check_frequency
        if was and (made != was or (run.state is State.PAUSED and old.state is not State.PAUSED)):
            begun = max(entry.at for entry in run.history if entry.state in (State.CREATED, State.RESTARTED))
            late = limits.max_duration is not None and step.event.at > begun + parse_duration(limits.max_duration)
            full = limits.max_iterations is not None and was >= limits.max_iterations
            due = step.event.at + parse_duration(limits.interval)
            if made != was + 1 or late or full or task.condition == "true" or run.due != due:
                yield run
            if run.state is not State.PAUSED or step.after.children.get(run.id):
                yield run, step.after.children.get(run.id)
        if run.state is State.SUCCESS and task.condition == "false" and run.error is None and not step.stops:
            begun = max(entry.at for entry in run.history if entry.state in (State.CREATED, State.RESTARTED))
            full = limits.max_iterations is not None and made >= limits.max_iterations
            late = limits.max_duration is not None and step.event.at > begun + parse_duration(limits.max_duration)
            if not (full or late):
                yield run
            if task.fail_on_max_reached and not (task.allow_failure and task.allow_warning):
                yield run


def choices_are_kept(step: Step) -> Iterator[object]:
    """An If without `else` whose condition is false is a success; a Switch without match and `defaults` has failed."""
    for _, run in step.ended:
        task = step.after.task(run)
        if run.state is State.SKIPPED or step.stops or isinstance(step.event, _SPEAKS_FOR_ITSELF):
            continue
        began = any(entry.state is State.RUNNING for entry in run.history)
        if isinstance(task, Switch) and task.value == "c" and not task.defaults and run.error is None and began:
            yield run
        if isinstance(task, If) and task.condition == "false" and run.outputs and run.outputs["evaluationResult"]:
            yield run
        empty = isinstance(task, ForEach) and task.values == () and not task.finally_
        if empty and not run.error and run.state is not State.SUCCESS:
            yield run


def restart_keeps_what_is_good(step: Step) -> Iterator[object]:
    """A restart keeps all ids, drops what ran beside, and runs again only what did not end well."""
    if not isinstance(step.event, RestartRequested) or not step.moved:
        return
    before, after = step.before.execution, step.after.execution
    if after.id != before.id or after.attempt_number != before.attempt_number + 1:
        yield after.attempt_number
    if after.held or after.ending is not None or (after.error is not None and not after.is_terminal):
        yield after
    bad = (State.FAILED, State.KILLED, State.PAUSED)
    for old in step.before.runs.values():
        run = step.after.runs.get(old.id)
        if step.before.is_aside(old):
            if run is not None:
                yield run
            continue
        whole = any(isinstance(step.before.task(up), WorkingDirectory) for up in step.before.up(old))
        anew = any(_begun_anew(step, up) for up in step.before.up(old))
        if run is None:
            if not anew and not whole:
                yield old
        elif old.is_terminal and old.state not in bad and run is not old and not step.before.is_container(old):
            yield old, run
        elif old.state in bad and run is old and not whole:
            yield old


def _begun_anew(step: Step, old: TaskRun) -> bool:
    """Whether a restart has put this container back to its beginning."""
    run = step.after.runs.get(old.id)
    if run is None:
        return True
    return any(entry.state is State.CREATED for entry in run.history[len(old.history) :])


def a_takeover_is_no_news(step: Step) -> Iterator[object]:
    """Taking over after a crash ends nothing but what was at work, and starts only what was about to start."""
    if isinstance(step.event, EngineStarted):
        for old, run in step.changed:
            if old.state is State.PAUSED and run.state is not State.PAUSED and not step.after.is_stopping:
                yield run
            if old.state is State.RETRYING and run is not old and not run.is_terminal:
                yield run


SENTENCES = (
    containers_sum_up, executions_sum_up, ended_means_ended, all_that_comes_after_has_run, paused_means_waiting,
    a_hold_lasts, a_kill_is_final, pauses_end_as_told, a_resume_resumes, loops_until_the_condition_holds,
    choices_are_kept, restart_keeps_what_is_good, a_takeover_is_no_news,
)  # fmt: skip
