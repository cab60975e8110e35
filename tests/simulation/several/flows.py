"""Random flows that run each other, from a seed: each may run those that come after it."""

from __future__ import annotations

import random
from typing import Any

from engine.model.containers import ForEach, Parallel, Pause
from engine.model.flow import Flow, RunnableTask, Task
from engine.model.policy import Concurrency, Sla
from engine.model.properties import Retry
from tests.simulation.several.machine import Say, Several, Subflow, Work

NAMESPACE = "simulation"
COUNT = 3


class Maker:
    """Makes the flows of one world. Few of them, and few calls in each, keep a failing story readable."""

    def __init__(self, seed: int) -> None:
        self.rng = rng = random.Random(seed)
        self.made = 0
        #: Most worlds have more of one thing than others, so that it meets itself.
        self.retries, self.limits = rng.choice((0.1, 0.3, 0.8)), rng.choice((0.2, 0.6, 0.9))
        self.promises, self.timeouts = rng.choice((0.1, 0.3, 0.7)), rng.choice((0.1, 0.4))

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def flows(self) -> tuple[Flow, ...]:
        return tuple(self.flow(number) for number in range(COUNT))

    def flow(self, number: int) -> Flow:
        self.calls_left = 2
        tasks = tuple(self.task(number) for _ in range(self.rng.randint(1, 3)))
        flow = Flow(
            id=f"f{number}",
            namespace=NAMESPACE,
            tasks=tasks,
            errors=(self.task(number),) if self.chance(0.1) else (),
            after_execution=(self.work(),) if self.chance(0.15) else (),
            retry=self.retry() if self.chance(self.retries) else None,
            concurrency=self.concurrency() if self.chance(self.limits) else None,
            sla=(self.sla(tasks),) if self.chance(self.promises) else (),
        )
        return flow.written_as("made up")

    def retry(self) -> Retry:
        behavior = "CREATE_NEW_EXECUTION" if self.chance(0.8) else "RETRY_FAILED_TASK"
        return Retry(type="constant", interval="PT1S", max_attempt=self.rng.randint(2, 3), behavior=behavior)

    def concurrency(self) -> Concurrency:
        behavior = self.rng.choice(("QUEUE", "QUEUE", "QUEUE", "CANCEL", "FAIL"))
        return Concurrency(limit=self.rng.choice((1, 1, 2)), behavior=behavior)

    def sla(self, tasks: tuple[Task, ...]) -> Sla:
        behavior = self.rng.choice(("FAIL", "CANCEL", "NONE"))
        if self.chance(0.5):
            duration = self.rng.choice(("PT0.1S", "PT1.5S", "PT3S"))
            return Sla(id="quick", type="MAX_DURATION", behavior=behavior, duration=duration, labels={"late": "yes"})
        told = f"{{{{ outputs.{self.rng.choice(tasks).id}.value != 'bad' }}}}"
        holds = self.rng.choice((told, told, "{{ kv('key') != 'true' }}"))
        return Sla(id="true", type="EXECUTION_ASSERTION", behavior=behavior, assert_=holds)

    # -- tasks

    def task(self, number: int, depth: int = 0) -> Task:
        rng = self.rng
        if number + 1 < COUNT and self.calls_left and self.chance(0.65):
            self.calls_left -= 1
            return self.call(number)
        kind = rng.choice((self.work, self.work, self.say, self.pause, self.parallel, self.for_each))
        if kind in (self.parallel, self.for_each) and depth == 0:
            inner = tuple(self.task(number, depth + 1) for _ in range(2))
            return kind(inner)  # type: ignore[operator]
        return self.pause() if kind == self.pause else self.say() if kind == self.say else self.work()

    def own(self) -> dict[str, Any]:
        self.made += 1
        own: dict[str, Any] = {"id": f"t{self.made}"}
        if self.chance(0.1):
            own["allow_failure"] = True
        return own

    def work(self) -> Task:
        retry = {"retry": Retry(type="constant", interval="PT1S", max_attempt=2)} if self.chance(0.1) else {}
        failures = {"failures": self.rng.choice((0.0, 0.2, 0.5))}
        return RunnableTask(**self.own(), **retry, type=Work.TYPE, properties=failures)

    def say(self) -> Task:
        return RunnableTask(**self.own(), type=Say.TYPE)

    def pause(self) -> Task:
        waits = {"pause_duration": "PT2S"} if self.chance(0.6) else {}
        return Pause(**self.own(), type=Pause.TYPES[0], **waits)

    def parallel(self, inner: tuple[Task, ...]) -> Task:
        return Parallel(**self.own(), type=Parallel.TYPES[0], tasks=inner)

    def for_each(self, inner: tuple[Task, ...]) -> Task:
        limit = self.rng.choice((0, 1))
        return ForEach(
            **self.own(), type=ForEach.TYPES[0], values=("x", "y"), concurrency_limit=limit, tasks=inner[:1]
        )  # fmt: skip

    def call(self, number: int) -> Task:
        """A task that runs a flow, or several of one."""
        rng, own = self.rng, self.own()
        properties: dict[str, Any] = {
            "namespace": NAMESPACE,
            "flowId": f"f{rng.randint(number + 1, COUNT - 1)}",
            "wait": self.chance(0.8),
            "transmitFailed": self.chance(0.7),
            "inheritLabels": self.chance(0.2),
        }
        if self.chance(0.3):
            properties["restartBehavior"] = "NEW_EXECUTION"
        if self.chance(0.15):
            properties["scheduleDate"] = "2026-01-01T00:00:02Z"
        if self.chance(self.timeouts):
            own["timeout"] = rng.choice(("PT0.5S", "PT2.5S"))
        if self.chance(0.15):
            own["retry"] = Retry(type="constant", interval="PT1S", max_attempt=2)
        if self.chance(0.3):
            return RunnableTask(**own, type=Several.TYPE, properties={**properties, "count": rng.randint(1, 3)})
        return RunnableTask(**own, type=Subflow.TYPE, properties=properties)
