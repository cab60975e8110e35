"""Random flows, random answers, late and repeated events, kills and crashes: what always holds holds.

TEST_SEEDS says how many seeds are played (default 400); a failing one names itself.
"""

from __future__ import annotations

import os
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from engine.model.commands import RunTask
from engine.model.events import AttemptFinished, Event, KillRequested
from engine.model.execution import Execution, TaskRun
from engine.model.state import State
from tests.simulation import invariants
from tests.simulation.play import Play, succeed, told
from tests.simulation.random_flows import FlowMaker

SEEDS = int(os.environ.get("TEST_SEEDS", "400"))
CHUNKS = 8
#: Once found something; played for ever.
FOUND = (348, 1137, 3630, 5103, 6714, 8508, 8931, 9045)


@dataclass
class Chaos(Play):
    """Plays events in random order, some of them twice and late; commits now and then; crashes and kills."""

    rng: random.Random = field(default_factory=random.Random)
    kill_chance: float = 0.0
    crash_chance: float = 0.0

    def chaos(self) -> Execution:
        committed = self.execution
        late: list[Event] = []
        for _ in range(4000):
            if not self.waiting and not self.timers:
                break
            rng = self.rng
            if rng.random() < self.crash_chance:
                self.crash(committed)
                committed = self.execution
                continue
            if rng.random() < self.kill_chance:
                self.waiting.append(KillRequested(at=self.tick()))
            if late and rng.random() < 0.2:
                self.watched(late.pop(rng.randrange(len(late))))
                continue
            source: list[Any] = (
                self.timers if self.timers and (not self.waiting or rng.random() < 0.1) else self.waiting
            )
            event = source.pop(rng.randrange(len(source)))
            self.watched(event)
            if rng.random() < 0.15:
                late.append(event)
            if rng.random() < 0.4:
                committed = self.execution
        else:
            pytest.fail("the execution does not end")
        for event in late:
            self.watched(event)
        return self.execution

    def watched(self, event: Event) -> None:
        before = self.execution
        self.step(event)
        invariants.after_each_decision(before, self.execution, self.flow)
        answered = before.task_runs.get(event.task_run_id) if isinstance(event, AttemptFinished) else None
        if isinstance(event, AttemptFinished) and (answered is None or answered.epoch != event.epoch):
            assert self.execution is before, "the answer of an earlier attempt counts for nothing"

    def perform(self, command: object) -> None:
        super().perform(command)
        if isinstance(command, RunTask) and self.rng.random() < 0.1:
            answer = self.waiting[-1]
            assert isinstance(answer, AttemptFinished)
            self.waiting.append(answer)  # the same answer once more


def play(seed: int) -> Chaos:
    rng = random.Random(seed)
    flow = FlowMaker(seed).flow()

    def answer(run: TaskRun) -> Mapping[str, Any]:
        state = rng.choices((State.SUCCESS, State.FAILED, State.WARNING), (8, 2, 1))[0]
        return {**succeed(run), "state": state, "error": "chance" if state is State.FAILED else None}

    return Chaos(
        flow,
        answers=answer,
        rng=rng,
        kill_chance=0.02 if seed % 3 == 0 else 0.0,
        crash_chance=0.05 if seed % 2 == 0 else 0.0,
    )


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_whatever_happens_what_always_holds_holds(chunk: int) -> None:
    for seed in (*range(chunk, SEEDS, CHUNKS), FOUND[chunk]):
        chaos = play(seed)
        try:
            chaos.chaos()
            invariants.at_the_end(chaos)
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error}; its runs: {told(chaos.execution)}") from error


def test_the_same_seed_gives_the_same_run() -> None:
    first, second = play(12).chaos(), play(12).chaos()
    assert first == second
    assert dict(first.task_runs) == dict(second.task_runs)
