"""`decide`: the one place where an execution changes. Pure: no clock, no randomness, no I/O, no ids made up.

Two steps. *Apply*: the event moves what it names; one that is stale or repeated moves nothing, and the very same
execution comes back. *Settle*: containers start and end until nothing moves. What must be done outside is returned
as commands. A failure of the flow's own making (an expression, a missing case) is an outcome, never an exception.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.core.admission import execution_started, place_refused
from engine.core.attempts import attempt_finished, attempt_started, flows_started, process_started, timer_fired
from engine.core.claims import lets_start
from engine.core.draft import Decision, Draft
from engine.core.facts import Facts
from engine.core.pausing import pause_requested, resume_requested
from engine.core.recovery import engine_started
from engine.core.restarting import labels_set, restart_requested, start_forced, status_changed, task_run_changed
from engine.core.settle import go_on_closing, settle
from engine.core.sla import ASSERTION, deadline_passed, judge
from engine.core.starting import start
from engine.core.stopping import kill_requested
from engine.model.events import (
    AttemptFinished,
    AttemptStarted,
    DeadlinePassed,
    EngineStarted,
    Evaluated,
    Event,
    ExecutionStarted,
    FlowsStarted,
    KillRequested,
    LabelsSet,
    PauseRequested,
    PlaceRefused,
    ProcessStarted,
    RestartRequested,
    ResumeRequested,
    StartForced,
    StatusChanged,
    TaskRunChanged,
    TimerFired,
)
from engine.model.execution import Execution
from engine.model.flow import Flow
from engine.model.state import State

#: What a person may ask of an execution that has ended.
BY_PERSONS = frozenset({RestartRequested, TaskRunChanged, StatusChanged, LabelsSet})


def decide(flow: Flow, execution: Execution, event: Event, facts: Facts) -> Decision:
    """What `event` means for `execution`, a run of `flow`.

    Raises InvariantBroken when the engine itself is wrong, and nothing else.
    """
    if execution.is_over and type(event) not in BY_PERSONS:
        return Decision(execution)
    draft = Draft(flow, execution, facts, event.at)
    _APPLY[type(event)](draft, event)
    if flow.sla:
        judge(draft, event)
    settle(draft)
    return draft.decision()


def _evaluated(draft: Draft, event: Evaluated) -> None:
    if event.name.startswith(ASSERTION):
        return  # judged in any case
    if event.task_run_id is None:
        if not draft.execution.held:  # whoever resumes it asks again
            go_on_closing(draft, event)
        return
    run = draft.task_runs.get(event.task_run_id)
    if run is None or not lets_start(draft.flow, draft.execution, run):
        return
    if run.state is State.CREATED:
        start(draft, run, event)
    elif run.state is State.RUNNING:
        go_on_closing(draft, event)


_APPLY: dict[type[Event], Callable[[Draft, Any], None]] = {
    ExecutionStarted: execution_started,
    PlaceRefused: place_refused,
    DeadlinePassed: deadline_passed,
    AttemptStarted: attempt_started,
    AttemptFinished: attempt_finished,
    FlowsStarted: flows_started,
    ProcessStarted: process_started,
    Evaluated: _evaluated,
    TimerFired: timer_fired,
    KillRequested: kill_requested,
    PauseRequested: pause_requested,
    ResumeRequested: resume_requested,
    RestartRequested: restart_requested,
    TaskRunChanged: task_run_changed,
    StatusChanged: status_changed,
    StartForced: start_forced,
    LabelsSet: labels_set,
    EngineStarted: engine_started,
}
