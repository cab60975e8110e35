"""What the loop is given in place of a machine: a clock that is set by hand, workers without threads, a store that
fails when it is told to, and tasks whose answers follow from their ids.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from pydantic import Field

from engine.core import Facts
from engine.errors import NotFound, PluginBroken, StoreError, TaskFailed
from engine.expressions import Functions
from engine.model.execution import Execution
from engine.model.flow import Flow
from engine.ports import ExecutionChange
from engine.runtime import loop as loop_module
from engine.runtime.cipher import InstanceCipher
from engine.runtime.creation import Creator
from engine.runtime.loop import Loop
from engine.runtime.outside import Asker
from engine.runtime.workers import Job, Workers
from engine.runtime.world import World as Adapters
from engine.sdk import Effect, FileAccess, RunContext, StartFlows, Task
from engine.sdk.memory_files import MemoryFiles
from engine.store import MemoryStore
from plugins.core.for_each_item import ForEachItemExecutable
from plugins.core.subflow import Subflow
from tests.simulation.play import START


class Died(BaseException):
    """The engine is gone, between two steps of a turn."""


class SlowClock:
    """Goes on by `step` whenever it is looked at."""

    def __init__(self) -> None:
        self.elapsed = timedelta()
        self.step = timedelta(milliseconds=1)

    def now(self) -> datetime:
        self.elapsed += self.step
        return START + self.elapsed

    def monotonic(self) -> float:
        return self.elapsed.total_seconds()

    def reach(self, moment: datetime) -> None:
        self.elapsed = max(self.elapsed, moment - START)


class Hands(Workers):
    """Workers without threads: what they are to do waits until the world has it done."""

    def __init__(self, size: int, lend: Callable[[int], None]) -> None:
        super().__init__(size, lend)
        self.begun: list[Job] = []

    def submit(self, job: Job) -> None:
        self._jobs[job.key] = job
        self.begun.append(job)


class UnkindStore(MemoryStore):
    """Shows every commit to `committed`. Dies around the next one, or refuses some executions, when it is told to."""

    def __init__(self, committed: Callable[[Sequence[ExecutionChange]], None]) -> None:
        super().__init__()
        self._committed = committed
        self.dies: str | None = None  #: "before" or "after"
        self.poison: frozenset[str] = frozenset()

    def commit(self, changes: Sequence[ExecutionChange]) -> None:
        if self.dies == "before":
            raise Died
        if any(change.after.id in self.poison for change in changes):
            raise StoreError("this is poison")
        super().commit(changes)
        self._committed(changes)
        if self.dies == "after":
            raise Died


class Work(Task, type="simulation.Work"):
    """Fails by chance, which is drawn from the task run's id."""

    failures: float = 0.2

    def run(self, ctx: RunContext) -> dict[str, Any]:
        ctx.check_cancelled()
        rng = random.Random(f"{ctx.task_run_id}/{ctx.attempt}")
        if rng.random() < self.failures:
            raise TaskFailed("chance")
        return {"value": rng.choice(("good", "good", "bad"))}


class Say(Work, type="simulation.Say", effect="pure"):
    """The same within the loop."""

    failures: float = 0.1


class Several(ForEachItemExecutable, type="simulation.Several"):
    """Runs a flow several times; there is no file to be split."""

    splits: str = ""
    count: int = Field(default=2, ge=1)

    def run(self, ctx: RunContext) -> StartFlows:
        return StartFlows(
            calls=[self.call({}) for _ in range(self.count)],
            outputs=lambda ids: {"numberOfBatches": len(ids)},
            wait=self.wait,
            restart_failed=self.restart_behavior == "RETRY_FAILED",
        )


TYPES: dict[str, type[Task]] = {kind.TYPE: kind for kind in (Work, Say, Several, Subflow)}


class Types:
    """Fulfils TaskTypes."""

    def task_class(self, type_: str) -> type[Task]:
        if type_ not in TYPES:
            raise PluginBroken(f"no type {type_}")
        return TYPES[type_]

    def effect(self, type_: str) -> Effect:
        return self.task_class(type_).EFFECT


class Flows:
    """Fulfils FlowSource."""

    def __init__(self, flows: Sequence[Flow]) -> None:
        self.by_id = {flow.id: flow for flow in flows}

    def find(self, namespace: str, flow_id: str, revision: int | None = None) -> Flow:
        if flow_id not in self.by_id:
            raise NotFound(f"there is no flow {namespace}/{flow_id}")
        return self.by_id[flow_id]

    def flow_of(self, execution: Execution) -> Flow:
        return self.by_id[execution.flow_id]


class Reach:
    """What expressions may call: a key that is there."""

    def __init__(self, clock: SlowClock) -> None:
        self._clock = clock
        self._files = MemoryFiles()

    def functions(self, asker: Asker) -> Functions:
        return Functions(now=self._clock.now, seed=asker.seed, kv=lambda key, **_: "true")

    def files(self, asker: Asker) -> FileAccess:
        return FileAccess(self._files, namespace=asker.namespace, folder=asker.folder)


@cache
def _cipher() -> InstanceCipher:
    return InstanceCipher(base64.b64encode(bytes(32)).decode(), Path("unused"))


def adapters(store: MemoryStore, clock: SlowClock, flows: Flows) -> Adapters:
    reach = Reach(clock)
    creator = Creator(clock=clock, facts=Facts(), functions=reach.functions, cipher=_cipher, files=MemoryFiles)
    return Adapters(
        store=store, types=Types(), clock=clock, facts=Facts(), cipher=_cipher(), flows=flows, creator=creator,
        resume=lambda execution_id, inputs: None, outside=reach,
    )  # fmt: skip


def new_loop(given: Adapters, workers: int) -> tuple[Loop, Hands]:
    """A loop that has no thread: whoever has it calls its turns."""
    with mock.patch.object(loop_module, "Workers", Hands):
        loop = Loop(given, workers)
    hands = loop._workers
    assert isinstance(hands, Hands)
    return loop, hands
