"""A world for one execution in which everything comes at the wrong moment, from a seed.

It does what the runtime does: claims what is queued, lets attempts work and answer, evaluates, fires timers, commits
now and then, and performs what must wait for a commit only then. And it does what the runtime hopes for never: it
crashes between any two steps and goes on from the rows that were written, repeats old answers, fires timers late, and
lets people ask for anything at any time. Every step is judged by `tests.simulation.invariants`.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from engine.core import Decision, Facts, decide
from engine.core.admission import waits_for_place
from engine.core.claims import may_start
from engine.core.refusal import refusal
from engine.model.commands import (
    AwaitFlows,
    Evaluate,
    QueueTask,
    RunTask,
    SetTimer,
    StartLater,
    StopFlows,
    StopTask,
)
from engine.model.events import (
    AttemptFinished,
    AttemptStarted,
    EngineStarted,
    Evaluated,
    Event,
    ExecutionStarted,
    KillRequested,
    PlaceRefused,
    ProcessStarted,
    ResumeRequested,
    TimerFired,
)
from engine.model.execution import Execution, StartedProcess, StateChange
from engine.model.flow import Flow
from engine.model.state import State
from engine.store import rows
from tests.simulation import answers
from tests.simulation.answers import Temper
from tests.simulation.invariants import judge, judge_commit, judge_rest
from tests.simulation.invariants.step import Step, View

START = datetime(2026, 1, 1, tzinfo=UTC)
#: What comes from outside by itself, and may come twice.
OUTSIDE = (ExecutionStarted, AttemptStarted, AttemptFinished, TimerFired)
#: More steps than any flow of the simulation needs.
LONGEST = 5000


@dataclass
class World:
    flow: Flow
    rng: random.Random
    temper: Temper
    facts: Facts = field(default_factory=Facts)

    def __post_init__(self) -> None:
        self.now = START
        ending = self.rng.choice((State.FAILED, State.CANCELLED)) if self.rng.random() < 0.02 else None
        due = START + timedelta(seconds=5) if self.rng.random() < 0.08 and ending is None else None
        history = (StateChange(State.CREATED, START),)
        self.execution = Execution(
            id="run", namespace="simulation", flow_id=self.flow.id, flow_revision=1, state=State.CREATED,
            history=history, due=due, ending=ending, labels={"given": "yes", "p": "given"},
        )  # fmt: skip
        self.view = View(self.flow, self.execution)
        self.story: list[str] = []
        self.requests = self.temper.requests
        self.tampered = False  #: a person has changed what a task run gave
        self._row = rows.execution_row(self.execution)
        self._rows: dict[str, tuple[Any, ...]] = {}
        self._unwritten: set[str] = set()
        self._late: list[Event] = []
        self._strays = random.Random(self.rng.random())  # they are not part of the story
        self._processes = random.Random(self._strays.random())
        self._forget()

    def _forget(self) -> None:
        """What an engine has in its memory, and nowhere else."""
        self.queues = False  #: for a place among the executions of its flow
        self.ready: list[str] = []
        self.timers: list[SetTimer | StartLater] = []
        self.working: dict[tuple[str, int], bool] = {}  #: attempts at work; whether they have been told to stop
        self.asked: list[Evaluate] = []
        self._after_commit: list[RunTask | StopTask | AwaitFlows | StopFlows | Evaluate] = []

    # -- the life of an execution

    def live(self) -> Execution:
        """Everything, until nothing can happen any more."""
        self.begin()
        for _ in range(LONGEST):
            if not self._disturb():
                choices = self._choices()
                if choices:
                    self.rng.choice(choices)()
                elif not self._rest():
                    return self.execution
            if self.rng.random() < 0.4:
                self.commit()
        raise AssertionError("every execution comes to an end")

    def _disturb(self) -> bool:
        """Something that nobody waits for, sometimes."""
        rng, temper = self.rng, self.temper
        if rng.random() < temper.crash:
            self.crash()
        elif rng.random() < temper.kill:
            self.ask(KillRequested(at=self.tick()))
        elif self._late and rng.random() < temper.repeat:
            self.decide(replace(self._late.pop(rng.randrange(len(self._late))), at=self.tick()))
        elif self.requests and rng.random() < 0.1:
            self.request(answers.request(rng, self.execution, self.tick()))
        else:
            return False
        return True

    def _choices(self) -> list[Callable[[], None]]:
        found: list[Callable[[], None]] = []
        if self.queues:
            found.append(self.begin)
        if self.ready:
            found.append(self._begin_work)
        if self.working:
            found.append(self._end_work)
        if self.asked:
            found.append(self._evaluate)
        if self.timers and (not found or self.rng.random() < 0.2):
            found.append(self._fire)
        return found

    def _rest(self) -> bool:
        """Nothing happens by itself any more: write it down, judge it, and let a person go on. False: it is over."""
        if self._after_commit:
            self.commit()
            return True
        judge_rest(self.execution, self.view)
        if not self.execution.is_over:
            pause = ResumeRequested(at=self.tick(), by="somebody")
            self.request(pause if self.rng.random() < 0.8 else answers.request(self.rng, self.execution, self.now))
            return True
        if self.requests:
            self.request(answers.request_after_the_end(self.rng, self.execution, self.tick()))
            return True
        for event in self._late:
            self.decide(replace(event, at=self.tick()))
        self.commit()
        return False

    # -- what happens by itself

    def begin(self) -> None:
        """The execution begins, if there is a place for it."""
        at, execution = self.tick(), self.execution
        due = execution.due is None or execution.due <= at
        self.queues = (
            self.flow.concurrency is not None and waits_for_place(execution) and due and self.rng.random() < 0.5
        )
        if self.queues:
            self.decide(PlaceRefused(at=at, holders=("another",)), repeatable=False)
        else:
            self.decide(ExecutionStarted(at=at))

    def _begin_work(self) -> None:
        """A worker, or the loop itself, takes a task run from the queue."""
        run_id = self.ready.pop(self.rng.randrange(len(self.ready)))
        run = self.execution.task_runs.get(run_id)
        if run is None:
            return
        if self.rng.random() < 0.7:
            self.decide(AttemptStarted(at=self.tick(), task_run_id=run_id, epoch=run.epoch + 1))
        elif may_start(self.flow, self.execution, run):  # a pure task, in one go
            answer = answers.answer(self.rng, run, self.temper, told_to_stop=False)
            began = self.tick()
            self.decide(
                AttemptFinished(at=self.tick(), started_at=began, task_run_id=run_id, epoch=run.epoch + 1, **answer)
            )

    def _end_work(self) -> None:
        key = self.rng.choice(list(self.working))
        if self._processes.random() < 0.1:
            self._start_process(key)
        run = self.execution.task_runs.get(key[0])
        if run is not None and run.calls is None and self.rng.random() < self.temper.calls:
            self.decide(answers.calls(self.rng, key, self.tick()), repeatable=False)
            return  # it has ended when these have
        told_to_stop = self.working.pop(key)
        answer = answers.answer(self.rng, run, self.temper, told_to_stop=told_to_stop)
        if answer["state"] is State.FAILED and self._processes.random() < 0.05:
            answer["survivors"] = (4711,)
        self.decide(AttemptFinished(at=self.tick(), task_run_id=key[0], epoch=key[1], **answer))

    def _start_process(self, key: tuple[str, int]) -> None:
        """An attempt tells of a process, perhaps too late."""
        epoch = key[1] + self._processes.choice((0, 0, 0, 1))
        process = StartedProcess(pid=epoch, started_at="boot/1", marker=key[0])
        self.ask(ProcessStarted(at=self.tick(), task_run_id=key[0], epoch=epoch, process=process))

    def _evaluate(self) -> None:
        asked = self.asked.pop(self.rng.randrange(len(self.asked)))
        value, error = answers.evaluation(self.rng, self.view, asked)
        self.decide(
            Evaluated(at=self.tick(), name=asked.name, task_run_id=asked.task_run_id, value=value, error=error),
            repeatable=False,
        )

    def _fire(self) -> None:
        timer = self.timers.pop(self.rng.randrange(len(self.timers)))
        self.now = max(self.now, timer.due)
        if isinstance(timer, StartLater):
            self.begin()
        else:
            self.decide(TimerFired(at=self.now, task_run_id=timer.task_run_id, due=timer.due))

    def request(self, event: Event) -> None:
        """A person asks for one of the things that they have in store."""
        self.requests = max(self.requests - 1, 0)
        self.ask(event)

    def ask(self, event: Event) -> None:
        """A person asks, and is told when it does not fit. What is refused would move nothing."""
        self.decide(event, refused=refusal(self.flow, self.execution, event, self.facts))

    # -- deciding, committing, crashing

    def decide(self, event: Event, *, refused: str | None = None, repeatable: bool = True) -> None:
        before = self.execution
        self.story.append(told(event, refused))
        decision = decide(self.flow, before, event, self.facts)
        self.tampered |= type(event).__name__ == "TaskRunChanged" and decision.execution is not before
        after = View(self.flow, decision.execution) if decision.execution is not before else self.view
        judge(Step(self.flow, self.view, event, after, decision, refused, self.tampered))
        if self.rng.random() < 0.1:
            again = decide(self.flow, before, event, self.facts)
            assert same(again, decision), "a decision that is taken again is the same"
        self.execution, self.view = decision.execution, after
        if repeatable and type(event) in OUTSIDE and self.rng.random() < 0.15:
            self._late.append(event)
            once_more = decide(self.flow, self.execution, event, self.facts)
            assert once_more.execution is self.execution, "what is said twice counts once"
        self._take(decision)
        if self._strays.random() < 0.3:
            stray = answers.stray(self._strays, self.execution, self.now)
            assert decide(self.flow, self.execution, stray, self.facts).execution is self.execution, (
                f"what nobody should say moves nothing: {told(stray, None)}"
            )

    def _take(self, decision: Decision) -> None:
        self._unwritten |= {run.id for run in decision.task_runs} | decision.removed
        for command in decision.commands:
            match command:
                case QueueTask():
                    self.ready.append(command.task_run_id)
                case SetTimer() | StartLater():
                    self.timers.append(command)
                case RunTask() | StopTask() | AwaitFlows() | StopFlows() | Evaluate():
                    self._after_commit.append(command)

    def commit(self) -> None:
        """Write what has changed, as decisions said, and do what had to wait for it."""
        judge_commit(self.execution, self.view)
        self._row = rows.execution_row(self.execution)
        for run_id in sorted(self._unwritten):
            run = self.execution.task_runs.get(run_id)
            if run is None:
                self._rows.pop(run_id, None)
            else:
                self._rows[run_id] = rows.task_run_row(run)
        self._unwritten = set()
        due, self._after_commit = self._after_commit, []
        for command in due:
            match command:
                case RunTask():
                    self.working[command.task_run_id, command.epoch] = False
                case AwaitFlows():
                    self.working.setdefault((command.task_run_id, command.epoch), False)
                case StopTask() | StopFlows():
                    key = (command.task_run_id, command.epoch)
                    if key in self.working:
                        self.working[key] = True
                case Evaluate():
                    self.asked.append(command)

    def crash(self) -> None:
        """The engine dies. Only what was written is left, and another one takes over."""
        # What ran within the loop itself dies with it, a worker's answer may still come.
        self._late = [event for event in self._late if getattr(event, "started_at", None) is None]
        self._late += [
            AttemptFinished(at=self.tick(), task_run_id=run_id, epoch=epoch, state=State.SUCCESS)
            for run_id, epoch in self.working
            if self.rng.random() < 0.3
        ]
        clean = not self._unwritten
        expected = replace(self.execution, tallies=None)
        self._forget()
        self._unwritten = set()
        self.execution = rows.read_execution(self._row, self._rows.values())
        if clean and rows.execution_row(expected) == self._row:
            assert self.execution == expected, "what was written is what is read"
        self.view = View(self.flow, self.execution)
        if not self.execution.is_over:
            self.decide(EngineStarted(at=self.tick(), survivors=self._survivors()))

    def _survivors(self) -> dict[str, tuple[int, ...]]:
        """What cannot be ended of the processes that were at work."""
        at_work = [run for run in self.execution.in_order() if run.attempts and run.attempts[-1].ended_at is None]
        return {run.id: (4711,) for run in at_work if self._processes.random() < 0.15}

    def tick(self) -> datetime:
        self.now += timedelta(milliseconds=self.rng.choice((1, 1, 10, 100)))
        return self.now


def same(one: Decision, other: Decision) -> bool:
    """Whether two decisions say the same."""
    if one.execution is other.execution:
        return one == other
    left, right = (replace(each.execution, tallies=None) for each in (one, other))
    return left == right and replace(one, execution=left) == replace(other, execution=left)


def told(event: Event, refused: str | None) -> str:
    """One line of the script of events."""
    fields = {name: getattr(event, name) for name in event.__struct_fields__ if name != "at"}
    plain = ", ".join(f"{name}={value!s}" for name, value in fields.items() if value is not None)
    at = (event.at - START).total_seconds()
    return f"{at:9.3f} {type(event).__name__}({plain})" + (f"   refused: {refused}" if refused else "")
