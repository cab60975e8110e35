"""What the outside says, at random: tasks, workers that evaluate, and people."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from engine.core.rendering import APPLYING, OUTPUTS, VALUES
from engine.model.commands import Evaluate
from engine.model.events import (
    AttemptFinished,
    AttemptStarted,
    Effects,
    Event,
    FlowsStarted,
    KillRequested,
    LabelsSet,
    PauseRequested,
    RestartRequested,
    ResumeRequested,
    StartForced,
    StatusChanged,
    TaskRunChanged,
    TimerFired,
)
from engine.model.execution import Execution, TaskRun
from engine.model.flow import Loop
from engine.model.state import State
from tests.simulation.invariants.step import View


@dataclass(frozen=True, kw_only=True)
class Temper:
    """How unkind the world is: chances per step, and how many requests of people it has in store."""

    crash: float = 0.0
    kill: float = 0.0
    repeat: float = 0.0
    requests: int = 0
    failures: float = 0.2
    effects: float = 0.06
    calls: float = 0.06


ENDINGS = (State.SUCCESS, State.WARNING, State.FAILED, State.KILLED, State.CANCELLED)


def answer(rng: random.Random, run: TaskRun | None, temper: Temper, *, told_to_stop: bool) -> dict[str, Any]:
    """How an attempt ends: the rest of an AttemptFinished."""
    if told_to_stop and rng.random() < 0.8:
        state = rng.choices((State.KILLED, State.FAILED), (9, 1))[0]
    else:
        shares = (1 - temper.failures, temper.failures, 0.1, 0.01)
        state = rng.choices((State.SUCCESS, State.FAILED, State.WARNING, State.KILLED), shares)[0]
    told: dict[str, Any] = {"state": state}
    if rng.random() < 0.1:
        told["log_file"] = f"kestra:///{rng.randint(1, 9)}.log"
    if state is State.FAILED:
        told["error"] = "chance" if rng.random() < 0.9 else None
        if rng.random() < 0.05:
            told["retry_after"] = 1.5
    elif run is not None:
        told["outputs"] = {"value": run.task_id}
        if state is not State.KILLED and rng.random() < temper.effects:
            told["effects"] = effects(rng)
    return told


def calls(rng: random.Random, attempt: tuple[str, int], at: datetime) -> FlowsStarted:
    """An attempt begins executions, and waits for them; perhaps not for ever."""
    due = at + timedelta(seconds=1) if rng.random() < 0.5 else None
    run_id, epoch = attempt
    begun = tuple(f"{run_id}-{epoch}-{number}" for number in range(rng.randint(1, 2)))
    return FlowsStarted(at=at, task_run_id=run_id, epoch=epoch, calls=begun, outputs={"begun": len(begun)}, due=due)


def effects(rng: random.Random) -> Effects:
    match rng.randrange(4):
        case 0:
            return Effects(labels={rng.choice("pq"): rng.choice("xyz")})
        case 1:
            return Effects(variables={"a": {rng.choice("bx"): rng.randint(1, 9)}})
        case 2:
            return Effects(unset=(rng.choice(("a", "a.b", "c", "no.such")),))
        case _:
            return Effects(ending=rng.choice(ENDINGS))


def stray(rng: random.Random, execution: Execution, at: datetime) -> Event:
    """What nobody should say: about an attempt that there has never been, a time that nobody waits for, or nothing."""
    waiting = [run.id for run in execution.in_order() if run.state in (State.RETRYING, State.PAUSED)]
    run_id = rng.choice((*waiting, *waiting, _some_run(rng, execution) or "none", "none"))
    run = execution.task_runs.get(run_id)
    epoch = run.epoch if run is not None else 0
    claimable = run is not None and run.due is None and run.state in (State.CREATED, State.RESTARTED, State.RETRYING)
    due = at - timedelta(hours=1) if run is None or run.due is None else run.due + timedelta(seconds=1)
    events: tuple[Event, ...] = (
        AttemptStarted(at=at, task_run_id=run_id, epoch=epoch + (2 if claimable else 1)),
        AttemptFinished(at=at, task_run_id=run_id, epoch=epoch + 1, state=State.SUCCESS),
        AttemptFinished(at=at, task_run_id=run_id, epoch=epoch + 2, state=State.SUCCESS, started_at=at),
        FlowsStarted(at=at, task_run_id=run_id, epoch=epoch + 1, calls=("another",)),
        TimerFired(at=at, task_run_id=run_id, due=due),
    )
    return rng.choice(events)


def evaluation(rng: random.Random, view: View, asked: Evaluate) -> tuple[Any, str | None]:
    """What a worker finds for an expression: its value, or why there is none."""
    if rng.random() < 0.15:
        return None, "the service is away"
    run = view.runs.get(asked.task_run_id) if asked.task_run_id is not None else None
    values: Any = rng.choice((["x", "y"], ["x", "x", 2], '["z"]', []))
    answers: Mapping[str, Any] = {
        VALUES: {"values": values, "from": {}} if run is not None and isinstance(view.task(run), Loop) else values,
        OUTPUTS: {"told": "yes"} if run is None else {"outputs": {"told": "yes"}, "isLast": rng.random() < 0.3},
        "breakWhen": {"outputs": {}, "isLast": rng.random() < 0.3},
        APPLYING: [rng.choice((True, False, "it is away")) for _ in view.flow.listeners],
        "folder": {"outputFiles": {}},
        "value": rng.choice(("a", "b", "c")),
        "pause": rng.choice(({"behavior": "WARN", "pauseDuration": "PT1S"}, {"behavior": "RESUME"})),
    }
    return answers.get(asked.name, rng.choice(("true", "false"))), None


def request(rng: random.Random, execution: Execution, at: datetime) -> Event:
    """What a person may ask of an execution that goes on."""
    events: tuple[Event, ...] = (
        PauseRequested(at=at),
        PauseRequested(at=at, by="Ada"),
        ResumeRequested(at=at, task_run_id=_some_run(rng, execution)),
        ResumeRequested(at=at, inputs={"approved": True}, by="Ada"),
        StartForced(at=at, by="Ada"),
        KillRequested(at=at),
    )
    return rng.choice((*events, request_after_the_end(rng, execution, at)))


def request_after_the_end(rng: random.Random, execution: Execution, at: datetime) -> Event:
    """What a person may ask of an execution that has ended."""
    if rng.random() < 0.3 and execution.task_runs:
        return TaskRunChanged(at=at, task_run_id=_some_run(rng, execution) or "none", state=rng.choice(tuple(State)))
    events: tuple[Event, ...] = (
        RestartRequested(at=at),
        RestartRequested(at=at, by="Ada"),
        StatusChanged(at=at, state=rng.choice(tuple(State))),
        LabelsSet(at=at, labels={rng.choice("pq"): "set"}),
        ResumeRequested(at=at),
        PauseRequested(at=at),
    )
    return rng.choice(events)


def _some_run(rng: random.Random, execution: Execution) -> str | None:
    ids = [run.id for run in execution.in_order()]
    return rng.choice(ids) if ids else None
