"""Random flows of every construct, from a seed. The same seed gives the same flow."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Literal

from engine.model.conditions import ExecutionStatus, Expression
from engine.model.flow import (
    AllowFailure,
    Container,
    Dag,
    DagTask,
    EachParallel,
    EachSequential,
    Flow,
    FlowOutput,
    ForEach,
    If,
    Loop,
    LoopUntil,
    Parallel,
    Pause,
    Retry,
    RunnableTask,
    Sequential,
    Switch,
    Task,
    WaitFor,
    WorkingDirectory,
)
from engine.model.listeners import Listener
from engine.model.policy import Concurrency
from engine.model.state import State
from tests.simulation.invariants.step import FAILS, OUTSIDE

RETURN = "io.kestra.plugin.core.debug.Return"
DEEPEST = 3
BEHAVIORS: tuple[Literal["QUEUE", "CANCEL", "FAIL"], ...] = ("QUEUE", "QUEUE", "CANCEL", "FAIL")


class FlowMaker:
    """Makes one flow. `tasks_left` bounds its size, so that a failing seed stays readable.

    Unless `outside`, everything in it can be evaluated without a worker.
    """

    def __init__(self, seed: int, tasks_left: int = 14, *, outside: bool = True) -> None:
        self.outside = OUTSIDE if outside else "true"
        self.rng = random.Random(seed)
        self.losses = random.Random(f"{seed}/onLost")  # what is said of them changes nothing else
        self.tasks_left = tasks_left
        self.made = 0
        #: Most flows have one kind of container more often than others, so that it meets itself.
        self.favourite = self.rng.choice((None, *CONTAINERS))

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def flow(self) -> Flow:
        rng = self.rng
        outputs = (FlowOutput(id="told", value=rng.choice(("yes", "{{ flow.id }}", FAILS, self.outside))),)
        return Flow(
            id="random",
            namespace="simulation",
            tasks=self.tasks(2, 5, depth=0),
            errors=self.aside(0.3),
            finally_=self.aside(0.2),
            after_execution=self.aside(0.2),
            listeners=self.listeners() if self.chance(0.15) else (),
            outputs=outputs if self.chance(0.2) else (),
            retry=self.retry() if self.chance(0.15) else None,
            concurrency=Concurrency(limit=1, behavior=rng.choice(BEHAVIORS)) if self.chance(0.1) else None,
            variables={"a": {"b": 1}, "c": 2} if self.chance(0.5) else {},
        )

    def listeners(self) -> tuple[Listener, ...]:
        kind = ExecutionStatus.TYPES[0]
        failed, ended = (ExecutionStatus(type=kind, in_=(State.FAILED,)), ExecutionStatus(type=kind))
        told = Expression(type=Expression.TYPES[0], expression=self.outside)
        sets = ((), (failed,), (ended,), (ended, failed), (ended, told))
        return tuple(
            Listener(conditions=self.rng.choice(sets), tasks=self.tasks(1, 2, DEEPEST))
            for _ in range(self.rng.randint(1, 2))
        )

    def retry(self) -> Retry:
        rng = self.rng
        bounds: dict[str, Any] = {"max_attempt": rng.randint(1, 3)}
        if self.chance(0.2):
            bounds["max_duration"] = rng.choice(("PT1.5S", "PT5S"))
        if self.chance(0.2):
            bounds["warning_on_retry"] = True
        if self.chance(0.15):
            bounds["behavior"] = "CREATE_NEW_EXECUTION"
        match rng.choice(("constant", "exponential", "random")):
            case "constant":
                return Retry(type="constant", interval="PT1S", **bounds)
            case "exponential":
                longest = rng.choice((None, "PT1.5S"))
                return Retry(type="exponential", interval="PT1S", delay_factor=3.0, max_interval=longest, **bounds)
            case _:
                return Retry(type="random", min_interval="PT1S", max_interval="PT2S", **bounds)

    def aside(self, share: float, depth: int = DEEPEST - 1) -> tuple[Task, ...]:
        """Tasks that run beside the main ones, or none."""
        return self.tasks(1, 2, depth) if self.chance(share) else ()

    def tasks(self, least: int, most: int, depth: int) -> tuple[Task, ...]:
        return tuple(self.task(depth) for _ in range(self.rng.randint(least, most)))

    def task(self, depth: int, *, runnable: bool = False) -> Task:
        self.made += 1
        self.tasks_left -= 1
        own: dict[str, Any] = {"id": f"t{self.made}", "type": RETURN}
        if self.chance(0.08):
            own["disabled"] = True
        if self.chance(0.08):
            own["run_if"] = self.rng.choice(("false", "true", FAILS, self.outside))
        if self.chance(0.1):
            own["allow_failure"] = True
        if self.chance(0.1):
            own["allow_warning"] = True
        if self.chance(0.12):
            own["retry"] = self.retry()
        if self.losses.random() < 0.2:
            own["on_lost"] = self.losses.choice(("RERUN", "FAIL", "PAUSE"))
        if runnable or depth >= DEEPEST or self.tasks_left <= 0 or self.chance(0.5):
            return RunnableTask(**own)
        own |= {"errors": self.aside(0.25, depth + 2), "finally_": self.aside(0.2, depth + 2)}
        make = self.favourite if self.favourite is not None and self.chance(0.4) else self.rng.choice(CONTAINERS)
        kind, properties = make(self, depth + 1)
        return kind(**own | {"type": kind.TYPES[0]}, **properties)


#: A kind of container with properties of its own.
Made = tuple[type[Container], dict[str, Any]]


def sequential(maker: FlowMaker, depth: int) -> Made:
    return Sequential, {"tasks": maker.tasks(1, 3, depth)}


def allow_failure(maker: FlowMaker, depth: int) -> Made:
    return AllowFailure, {"tasks": maker.tasks(1, 3, depth)}


def working_directory(maker: FlowMaker, depth: int) -> Made:
    filled = {"input_files": {"a.txt": "text"}} if maker.made % 3 == 0 else {}
    read = {"output_files": ("*.txt",)} if maker.made % 4 == 0 else {}
    tasks = tuple(maker.task(depth, runnable=True) for _ in range(maker.rng.randint(1, 3)))
    return WorkingDirectory, {"tasks": tasks, **filled, **read}


def parallel(maker: FlowMaker, depth: int) -> Made:
    return Parallel, {"tasks": maker.tasks(2, 4, depth), "concurrent": maker.rng.choice((0, 0, 1, 2))}


def dag(maker: FlowMaker, depth: int) -> Made:
    entries: list[DagTask] = []
    for task in maker.tasks(2, 4, depth):
        earlier = [entry.task.id for entry in entries]
        needs = maker.rng.sample(earlier, maker.rng.randint(0, len(earlier)))
        entries.append(DagTask(task=task, depends_on=tuple(needs)))
    maker.rng.shuffle(entries)
    return Dag, {"tasks": tuple(entries), "concurrent": maker.rng.choice((0, 0, 1, 2))}


def if_(maker: FlowMaker, depth: int) -> Made:
    condition = maker.rng.choice(("true", "true", "false", "false", FAILS, maker.outside))
    return If, {"condition": condition, "then": maker.tasks(1, 2, depth), "else_": maker.aside(0.5, depth)}


def switch(maker: FlowMaker, depth: int) -> Made:
    cases = {name: maker.tasks(1, 2, depth) for name in ("a", "b")}
    value = maker.rng.choice(("a", "b", "c", maker.outside))
    return Switch, {"value": value, "cases": cases, "defaults": maker.aside(0.5, depth)}


def values(maker: FlowMaker) -> Any:
    """What a loop may go over: lists, some as text, some with values that repeat, and what is no list."""
    if maker.chance(0.2):
        return maker.rng.choice((maker.outside, FAILS, '["x", "y"]', "no list", ("x", None)))
    return tuple(maker.rng.choice(("x", "y", "z", 1)) for _ in range(maker.rng.randint(0, 4)))


def for_each(maker: FlowMaker, depth: int) -> Made:
    limit = maker.rng.choice((0, 1, 1, 2))
    return ForEach, {"values": values(maker), "concurrency_limit": limit, "tasks": maker.tasks(1, 2, depth)}


def loop(maker: FlowMaker, depth: int) -> Made:
    limit = maker.rng.choice((0, 1, 1, 2))
    options: dict[str, Any] = {"concurrency_limit": limit, "transmit_failed": maker.chance(0.7)}
    if maker.chance(0.3):
        options["outputs"] = (
            FlowOutput(id="told", value=maker.rng.choice(("{{ item.index }}", FAILS, maker.outside))),
        )
    if maker.chance(0.6):
        conditions = ("true", "{{ item.index >= 1 }}", "{{ item.index >= 1 }}", "false", FAILS, maker.outside)
        options["break_when"] = maker.rng.choice(conditions)
    return Loop, {"values": values(maker), "tasks": maker.tasks(1, 2, depth), **options}


def each_sequential(maker: FlowMaker, depth: int) -> Made:
    return EachSequential, {"value": values(maker), "tasks": maker.tasks(1, 2, depth)}


def each_parallel(maker: FlowMaker, depth: int) -> Made:
    limit = maker.rng.choice((0, 1, 2))
    return EachParallel, {"value": values(maker), "concurrent": limit, "tasks": maker.tasks(1, 2, depth)}


def loop_until(maker: FlowMaker, depth: int) -> Made:
    rng = maker.rng
    own = maker.made
    twice = f"{{{{ outputs.t{own}.iterationCount >= 2 }}}}"
    condition = rng.choice(("true", "false", "false", FAILS, maker.outside, twice))
    frequency: dict[str, Any] = {"interval": "PT1S", "max_iterations": rng.randint(1, 4)}
    if maker.chance(0.3):
        frequency["max_duration"] = rng.choice(("PT0.5S", "PT2S"))
    kind = rng.choice((LoopUntil, WaitFor))
    limits = kind.model_fields["check_frequency"].default_factory
    return kind, {
        "condition": condition,
        "check_frequency": limits(**frequency),  # type: ignore[misc,call-arg]
        "fail_on_max_reached": maker.chance(0.4),
        "tasks": maker.tasks(1, 2, depth),
    }


def pause(maker: FlowMaker, depth: int) -> Made:
    rng = maker.rng
    properties: dict[str, Any] = {}
    if maker.chance(0.5):
        properties["behavior"] = rng.choice(("RESUME", "WARN", "FAIL", "CANCEL", "UNKNOWN", maker.outside))
    if maker.chance(0.6):
        properties[rng.choice(("pause_duration", "delay"))] = rng.choice(("PT2S", "PT2S", "PT2S", "soon"))
    if maker.chance(0.3):
        properties["timeout"] = rng.choice(("PT1S", "PT3S"))
    if maker.chance(0.3):
        properties["on_pause"] = maker.task(depth)
    return Pause, {**properties, "tasks": maker.aside(0.3, depth)}


CONTAINERS: tuple[Callable[[FlowMaker, int], Made], ...] = (
    sequential, allow_failure, working_directory, parallel, dag, if_, switch, for_each, for_each, loop,
    each_sequential, each_parallel, loop_until, loop_until, pause, pause,
)  # fmt: skip
