"""A loop on a store in memory, with task types made for the tests."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from engine.core import Facts
from engine.dialect import load
from engine.errors import ExpressionError, PluginBroken
from engine.expressions import Functions
from engine.model.execution import Execution, StateChange
from engine.model.flow import Flow
from engine.model.state import State
from engine.runtime.cipher import InstanceCipher
from engine.runtime.clock import SystemClock
from engine.runtime.creation import Creator
from engine.runtime.ids import new_id
from engine.runtime.library import Library
from engine.runtime.loop import Loop
from engine.runtime.outside import Asker
from engine.runtime.world import World
from engine.sdk import FileAccess, Output, RetryLater, RunContext, Secret, Task, TaskFailed
from engine.sdk.memory_files import MemoryFiles
from engine.store import MemoryStore


class Say(Task, type="t.Say", effect="pure"):
    """Gives a text."""

    text: Any = None

    def run(self, ctx: RunContext) -> dict[str, Any]:
        return {"value": self.text}


class Work(Task, type="t.Work"):
    """Does on a thread what the test put under `what`."""

    ACTIONS: ClassVar[dict[str, Callable[[RunContext], Any]]] = {}
    what: str
    password: Secret | None = None

    def run(self, ctx: RunContext) -> Any:
        return self.ACTIONS[self.what](ctx)


TYPES: dict[str, type[Task]] = {"t.Say": Say, "t.Work": Work}


class Types:
    """Fulfils TypeIndex and TaskTypes."""

    def canonical(self, type_: str) -> str | None:
        return type_ if type_ in TYPES else None if not type_.startswith("io.") else type_

    def names(self) -> list[str]:
        return list(TYPES)

    def missing(self, type_: str) -> str | None:
        return None

    def properties(self, type_: str) -> type[Task]:
        return self.task_class(type_)

    def task_class(self, type_: str) -> type[Task]:
        if type_ not in TYPES:
            raise PluginBroken(f"no type {type_}")
        return TYPES[type_]

    def effect(self, type_: str) -> str:
        return self.task_class(type_).EFFECT


class Bench:
    """What a test holds: the store, the loop, and a way to run a flow to its end."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.storage = MemoryFiles()
        self.types = Types()
        self.secrets = {"KEY": "s3cr3t-value"}
        self.resumed: list[tuple[str, Any]] = []
        self.loop = self.new_loop()

    def functions(self, asker: Asker) -> Functions:
        def secret(key: str, **_: object) -> str:
            if key not in self.secrets:
                raise ExpressionError(f"there is no secret `{key}`")
            asker.mask(self.secrets[key])
            return self.secrets[key]

        return Functions(now=SystemClock().now, seed=asker.seed, secret=secret)

    def files(self, asker: Asker) -> FileAccess:
        return FileAccess(self.storage, namespace=asker.namespace, folder=asker.folder)

    def new_loop(self, workers: int = 4) -> Loop:
        clock, cipher = SystemClock(), InstanceCipher(base64.b64encode(bytes(32)).decode(), Path("unused"))
        world = World(
            store=self.store,
            types=self.types,  # type: ignore[arg-type]
            clock=clock,
            facts=Facts(),
            cipher=cipher,
            flows=Library(lambda: self.store, self.types, (), clock),  # type: ignore[arg-type]
            creator=Creator(
                clock=clock, facts=Facts(), functions=self.functions, cipher=lambda: cipher, files=lambda: self.storage
            ),
            resume=lambda execution_id, inputs: self.resumed.append((execution_id, inputs)),
            outside=self,
        )
        loop = Loop(world, workers=workers)
        loop.start()
        return loop

    def flow(self, tasks: str) -> Flow:
        return load(f"id: f\nnamespace: n\ntasks:\n{tasks}", file="f.yaml", types=self.types)  # type: ignore[arg-type]

    def begin(self, tasks: str | Flow) -> str:
        flow = tasks if isinstance(tasks, Flow) else self.flow(tasks)
        created = (StateChange(State.CREATED, SystemClock().now()),)
        execution = Execution(
            id=new_id(), namespace="n", flow_id="f", flow_revision=1, state=State.CREATED, history=created
        )
        self.news, _ = self.loop.followers.add(execution.id)
        return self.loop.submit(flow, execution).result(10).id

    def end(self) -> Execution:
        while True:
            news = self.news.get(timeout=20)
            if isinstance(news, BaseException):
                raise news
            if news.after.is_terminal:
                return news.after

    def run(self, tasks: str | Flow) -> Execution:
        self.begin(tasks)
        return self.end()

    def lines(self, execution: Execution) -> list[str]:
        return [f"{line.level} {line.message}" for line in self.store.logs(execution.id)]


@pytest.fixture
def bench() -> Iterator[Bench]:
    held = Bench()
    yield held
    held.loop.stop(grace=0.0)
    Work.ACTIONS.clear()


@pytest.fixture
def actions() -> dict[str, Callable[[RunContext], Any]]:
    return Work.ACTIONS


__all__ = ["Bench", "Output", "RetryLater", "TaskFailed", "threading"]
