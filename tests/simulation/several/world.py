"""A world in which the real loop runs several executions, and everything comes at the wrong moment, from a seed.

It does what the threads around a loop do: hands in executions, does the work of the workers, lets time pass, asks what
people ask. And it does what nobody hopes for: the engine dies around a commit, and another one adopts all that is left;
the store refuses an execution; a worker's last effect is lost with its engine. Every commit is judged, and so is how
all stands when nothing is under way, by `tests.simulation.several.sentences`.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import timedelta

from engine.core import Facts
from engine.core.refusal import refusal
from engine.model.events import (
    Event,
    KillRequested,
    LabelsSet,
    PauseRequested,
    RestartRequested,
    ResumeRequested,
    StartForced,
    TaskRunChanged,
)
from engine.model.execution import Execution
from engine.model.flow import Flow
from engine.model.state import State
from engine.ports import ExecutionChange
from engine.runtime.loop import BATCH_SECONDS
from engine.runtime.messages import Wake
from engine.runtime.workers import Job
from tests.simulation.several.machine import Died, Flows, SlowClock, UnkindStore, adapters, new_loop
from tests.simulation.several.sentences import judge_commit, judge_halt, judge_rest
from tests.simulation.several.standing import Commit, Memory, Rest

#: More steps than any world needs.
LONGEST = 6000
#: What a loop says of itself when it gives something up is no news here.
logging.getLogger("engine.runtime.loop").addFilter(lambda record: record.levelno > logging.ERROR)


@dataclass(frozen=True, kw_only=True)
class Temper:
    """How unkind the world is: chances per step, and how many requests of people it has in store."""

    crash: float = 0.0
    poison: float = 0.0
    slow: float = 0.1
    requests: int = 0
    begun: int = 3


class World:
    def __init__(self, flows: Sequence[Flow], rng: random.Random, temper: Temper) -> None:
        self.rng, self.temper = rng, temper
        self.flows = Flows(flows)
        self.clock = SlowClock()
        self.store = UnkindStore(self._committed)
        self._given = adapters(self.store, self.clock, self.flows)
        self.stored: dict[str, Execution] = {}  #: as of the last commit
        self.memory = Memory()
        self.asked: list[Future[Execution]] = []
        self.story: list[str] = []
        self.left, self.requests = temper.begun, temper.requests
        self._open()

    # -- engines come and go

    def _open(self) -> None:
        """An engine takes over whatever is left, or what it is asked to."""
        self.loop, self.hands = new_loop(self._given, self.rng.choice((1, 2, 4)))
        self.memory.late.clear()
        left = self.store.unfinished()
        self.unattended = set(self.rng.sample(left, len(left) // 2)) if self.rng.random() < 0.3 else set()
        self.memory.late |= self.unattended
        for execution_id in left:
            if execution_id not in self.unattended:
                self._adopt(execution_id)

    def _adopt(self, execution_id: str) -> None:
        execution = self.store.execution(execution_id)
        assert execution is not None
        self.loop.adopt(self.flows.flow_of(execution), execution)

    def crash(self) -> None:
        """The engine dies. What its workers were at may have happened nevertheless; nobody hears of it."""
        self.tell("the engine dies")
        for job in self.hands.begun:
            if self.rng.random() < 0.3:
                self._work(job)
        self.store.dies = None
        self.asked.clear()
        self._open()

    # -- the life of all

    def live(self) -> None:
        for _ in range(LONGEST):
            if not self._disturb():
                choices = self._choices()
                if choices:
                    self.rng.choice(choices)()
                elif not self._rest():
                    return
            if self._waits() and self.rng.random() < 0.6:
                self.turn()
        raise AssertionError("everything comes to an end")

    def _disturb(self) -> bool:
        """Something that nobody waits for, sometimes."""
        rng, temper = self.rng, self.temper
        if rng.random() < temper.crash:
            self.store.dies = rng.choice(("before", "after"))
            self.turn()
            if self.store.dies is not None:
                self.crash()
        elif rng.random() < temper.poison and self.loop._active:
            self.store.poison = frozenset(rng.sample(sorted(self.loop._active), 1))
            self.turn()
            self.store.poison = frozenset()
        elif self.requests and self.stored and rng.random() < 0.1:
            self._request()
        else:
            return False
        return True

    def _choices(self) -> list[Callable[[], None]]:
        found: list[Callable[[], None]] = []
        if self._waits():
            found.append(self.turn)
        if self.hands.begun:
            found.append(self._do_work)
        if self.left:
            found.append(self._submit)
        if self.loop._timers.next_due is not None and (not found or self.rng.random() < 0.1):
            found.append(self._let_time_pass)
        return found

    def _waits(self) -> bool:
        """Whether the loop has something to do."""
        loop = self.loop
        return bool(loop._backlog or loop._inline or not loop._inbox.empty() or (loop._ready and self.hands.free > 0))

    def _rest(self) -> bool:
        """Nothing happens by itself any more: judge it, and have a person go on. False: all is over."""
        rest = Rest(self.flows.by_id, self.stored, self.memory, self.clock.now(), self.asked, self.loop.runs)
        lost = {each.id for each in rest.unfinished() if not self.loop.runs(each.id)}
        if not self.temper.poison:
            judge_halt(rest)
            assert lost <= self.unattended, f"what is taken over is not given up: {lost - self.unattended}"
        if lost:
            self.tell("what was left behind is taken over")
            for execution_id in sorted(lost):
                self.memory.late.add(execution_id)
                self._adopt(execution_id)
            return True
        judge_rest(rest)
        paused = [each for each in self.stored.values() if each.state is State.PAUSED]
        if paused:
            self._let_go(self.rng.choice(paused))
        elif self.requests and self.stored:
            self._request()
        return bool(paused) or self._waits()

    # -- what happens by itself

    def turn(self) -> None:
        """One turn of the loop. On a slow machine it stops before all that waits is decided."""
        slow = self.rng.random() < self.temper.slow
        self.clock.step = timedelta(seconds=BATCH_SECONDS if slow else 0.001)
        self.loop._inbox.put(Wake())  # so that it does not wait for anything
        try:
            self.loop._turn()
        except Died:
            self.crash()

    def _submit(self) -> None:
        flow = self.flows.by_id[self.rng.choice(sorted(self.flows.by_id))]
        self.left -= 1
        execution_id = f"{self.temper.begun - self.left:010d}{'0' * 16}"
        self.tell(f"begin {flow.id} as {execution_id}")
        created = self._given.creator.create(flow, execution_id=execution_id)
        self.asked.append(self.loop.submit(flow, created.execution))

    def _do_work(self) -> None:
        job = self.hands.begun.pop(self.rng.randrange(len(self.hands.begun)))
        self.tell(f"work on {job.key[0]} #{job.key[1]}")
        self._work(job)

    def _work(self, job: Job) -> None:
        self.memory.worked[job.key] += 1
        job.work()

    def _let_time_pass(self) -> None:
        due = self.loop._timers.next_due
        assert due is not None
        self.clock.reach(due)
        self.tell("time passes")
        self.turn()

    # -- what people do

    def _let_go(self, execution: Execution) -> None:
        at = self.clock.now()
        ways: tuple[Event, ...] = (ResumeRequested(at=at), RestartRequested(at=at), KillRequested(at=at))
        self._ask(execution, self.rng.choices(ways, (6, 2, 2))[0])

    def _request(self) -> None:
        at, rng = self.clock.now(), self.rng
        execution = rng.choice(list(self.stored.values()))
        runs = [run.id for run in execution.in_order()] or ["none"]
        state = rng.choice((State.SUCCESS, State.FAILED))
        events: tuple[Event, ...] = (
            RestartRequested(at=at),
            *[KillRequested(at=at)] * 3,
            PauseRequested(at=at),
            ResumeRequested(at=at),
            StartForced(at=at),
            LabelsSet(at=at, labels={"set": rng.choice("xyz")}),
            TaskRunChanged(at=at, task_run_id=rng.choice(runs), state=state),
        )
        fitting = [each for each in events if refusal(self.flows.flow_of(execution), execution, each, Facts()) is None]
        self.requests -= 1
        # What was refused as it stands may fit when it comes to be decided, and the other way round.
        self._ask(execution, rng.choice(fitting if fitting and rng.random() < 0.8 else events))

    def _ask(self, execution: Execution, event: Event) -> None:
        """As `engine.runtime.actions` asks: what nobody moves is taken over first, if what is asked fits it."""
        flow = self.flows.flow_of(execution)
        self.tell(f"{type(event).__name__} of {execution.id}")
        if not execution.is_over and not self.loop.runs(execution.id):
            if refusal(flow, execution, event, Facts()) is not None:
                return
            self.memory.late.add(execution.id)
            self._adopt(execution.id)
        if isinstance(event, StartForced):
            self.memory.forced.add(execution.id)
        elif isinstance(event, (RestartRequested, TaskRunChanged)):
            self.memory.tampered.add(execution.id)
        self.asked.append(self.loop.ask(flow, execution.id, event))
        if self.rng.random() < 3 * self.temper.crash:
            self.store.dies = "after"

    # -- what is seen

    def _committed(self, changes: Sequence[ExecutionChange]) -> None:
        for change in changes:
            self.tell(f"  stored {told(change.after)}")
        before = self.stored
        self.stored = before | {change.after.id: change.after for change in changes}
        lines = [line for change in changes for line in change.logs]
        calm = not (self.temper.crash or self.temper.poison)
        judge_commit(Commit(self.flows.by_id, before, self.stored, lines, self.memory, self.loop.runs, calm=calm))

    def tell(self, line: str) -> None:
        self.story.append(f"{self.clock.elapsed.total_seconds():9.3f} {line}")


def told(execution: Execution) -> str:
    """An execution in one line."""
    runs = " ".join(f"{run.task_id}:{run.state}#{run.epoch}" for run in execution.in_order())
    ending = f" to end {execution.ending}" if execution.ending is not None else ""
    return f"{execution.id} of {execution.flow_id} {execution.state}{ending} [{runs}]"
