"""A world for the core alone: it performs the commands of each decision by a script, and never sleeps.

`Play` keeps the execution, checks after every decision that the ledger equals one rebuilt from the task runs, and
can crash: then everything since the last commit is forgotten, and a new engine takes over by one event.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from engine.core import Facts, decide
from engine.core.ledger import rebuild
from engine.model.commands import Evaluate, QueueTask, RunTask, SetTimer, StopTask, WriteLog
from engine.model.events import (
    AttemptFinished,
    AttemptStarted,
    EngineStarted,
    Event,
    ExecutionStarted,
    FlowsStarted,
    TimerFired,
)
from engine.model.execution import Execution, StateChange, TaskRun
from engine.model.flow import Flow
from engine.model.state import State

START = datetime(2026, 1, 1, tzinfo=UTC)

#: What a task answers: from its task run to the rest of an AttemptFinished. With `calls`, ids of executions, it has
#: begun these and waits for them; they have ended when it ends. With `lost` its engine dies instead.
Answers = Callable[[TaskRun], Mapping[str, Any]]


def succeed(run: TaskRun) -> Mapping[str, Any]:
    """Every task succeeds and gives its id and loop value."""
    return {"state": State.SUCCESS, "outputs": {"value": run.task_id + (f"-{run.value}" if run.value else "")}}


@dataclass
class Play:
    flow: Flow
    answers: Answers = succeed
    inputs: Mapping[str, Any] = field(default_factory=dict)
    facts: Facts = field(default_factory=Facts)

    def __post_init__(self) -> None:
        self.now = START
        self.execution = Execution(
            id="run",
            namespace=self.flow.namespace,
            flow_id=self.flow.id,
            flow_revision=1,
            state=State.CREATED,
            history=(StateChange(State.CREATED, START),),
            inputs=self.inputs,
        )
        self.waiting: list[Event] = [ExecutionStarted(at=START)]
        self.timers: list[TimerFired] = []
        self.logs: list[str] = []
        self.started: list[tuple[str, int]] = []  #: attempts whose effects may have happened
        self.stopped: list[str] = []
        self.evaluations: list[Evaluate] = []
        self.dies = False  #: with the end of this step

    def step(self, event: Event) -> None:
        """Decide one event and put what follows from it into `waiting`."""
        before = self.execution
        decision = decide(self.flow, before, event, self.facts)
        self.execution = decision.execution
        assert self.execution is before or decision.task_runs or self.execution != before
        if self.execution.tallies is not None:
            fresh = rebuild(self.flow, self.execution)
            kept = self.execution.tallies
            assert dict(fresh.tallies) == dict(kept.tallies), "the tallies are those of the task runs"
            assert dict(fresh.index) == dict(kept.index), "the index is that of the task runs"
        for command in decision.commands:
            self.perform(command)
        if self.dies:
            self.dies = False
            self.crash(self.execution)

    def perform(self, command: object) -> None:
        match command:
            case QueueTask():
                run = self.execution.task_runs[command.task_run_id]
                self.waiting.append(AttemptStarted(at=self.tick(), task_run_id=run.id, epoch=run.epoch + 1))
            case RunTask():
                run = self.execution.task_runs[command.task_run_id]
                self.started.append((run.id, command.epoch))
                answer = dict(self.answers(run))
                if answer.get("lost"):
                    self.dies = True
                    return
                about = {"task_run_id": run.id, "epoch": command.epoch}
                if "calls" in answer:
                    self.waiting.append(FlowsStarted(at=self.tick(), calls=answer.pop("calls"), **about))
                self.waiting.append(AttemptFinished(at=self.tick(), **about, **answer))
            case StopTask():
                self.stopped.append(command.task_run_id)
            case SetTimer():
                self.timers.append(TimerFired(at=command.due, task_run_id=command.task_run_id, due=command.due))
            case Evaluate():
                self.evaluations.append(command)
            case WriteLog():
                self.logs.append(f"{command.level} {command.message}")

    def tick(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now

    def run(self) -> Execution:
        """Play to the end, events in the order in which they came, timers when nothing else waits."""
        while self.waiting or self.timers:
            if self.waiting:
                self.step(self.waiting.pop(0))
            else:
                timer = self.timers.pop(0)
                self.now = max(self.now, timer.due)
                self.step(timer)
        return self.execution

    def crash(self, committed: Execution) -> None:
        """The engine dies: only what was committed is left. Another one takes over."""
        bare = {name: getattr(committed, name) for name in Execution.__struct_fields__ if name != "tallies"}
        self.execution = Execution(**bare)
        self.waiting = [EngineStarted(at=self.tick())]
        self.timers = []


def told(execution: Execution) -> list[str]:
    """The task runs in order, as `id STATE` or `id[value] STATE`."""
    return [
        f"{run.task_id}{f'[{run.value}]' if run.value is not None else ''} {run.state}" for run in execution.in_order()
    ]
