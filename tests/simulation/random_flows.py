"""Random flows of every container, from a seed. The same seed gives the same flow."""

from __future__ import annotations

import random
from typing import Any

from engine.model.flow import Dag, DagTask, Flow, ForEach, If, Parallel, Retry, RunnableTask, Sequential, Switch, Task

RETURN = "io.kestra.plugin.core.debug.Return"


class FlowMaker:
    """Makes one flow. `tasks_left` bounds its size, so that ids stay readable when a seed fails."""

    def __init__(self, seed: int, tasks_left: int = 14) -> None:
        self.rng = random.Random(seed)
        self.tasks_left = tasks_left
        self.made = 0

    def flow(self) -> Flow:
        rng = self.rng
        return Flow(
            id="random",
            namespace="simulation",
            tasks=self.tasks(1, 4, depth=0),
            errors=self.tasks(1, 2, depth=2) if rng.random() < 0.3 else (),
            retry=Retry(type="constant", interval="PT1S", max_attempt=2) if rng.random() < 0.2 else None,
        )

    def tasks(self, least: int, most: int, depth: int) -> tuple[Task, ...]:
        return tuple(self.task(depth) for _ in range(self.rng.randint(least, most)))

    def task(self, depth: int) -> Task:
        rng = self.rng
        self.made += 1
        self.tasks_left -= 1
        common: dict[str, Any] = {"id": f"t{self.made}", "type": RETURN}
        if rng.random() < 0.08:
            common["disabled"] = True
        if rng.random() < 0.1:
            common["run_if"] = rng.choice(["false", "true", "{{ nothing.at.all }}"])
        if rng.random() < 0.1:
            common["allow_failure"] = True
        if rng.random() < 0.1:
            common["retry"] = Retry(type="constant", interval="PT1S", max_attempt=rng.randint(1, 3))
        if depth >= 3 or self.tasks_left <= 0 or rng.random() < 0.55:
            return RunnableTask(**common)
        if rng.random() < 0.25:
            common["errors"] = self.tasks(1, 2, depth + 2)
        return self.container(common, depth + 1)

    def container(self, common: dict[str, Any], depth: int) -> Task:
        rng = self.rng
        match rng.choice(("sequential", "parallel", "dag", "if", "switch", "foreach")):
            case "sequential":
                return Sequential(**common, tasks=self.tasks(1, 3, depth))
            case "parallel":
                return Parallel(**common, tasks=self.tasks(1, 4, depth), concurrent=rng.choice((0, 0, 1, 2)))
            case "dag":
                return Dag(**common, tasks=self.dag_tasks(depth), concurrent=rng.choice((0, 0, 1, 2)))
            case "if":
                condition = rng.choice(("true", "false", "{{ nothing.at.all }}"))
                otherwise = {"else": self.tasks(1, 2, depth)} if rng.random() < 0.5 else {}
                return If(**common, condition=condition, then=self.tasks(1, 2, depth), **otherwise)
            case "switch":
                cases = {name: self.tasks(1, 2, depth) for name in ("a", "b")}
                defaults = self.tasks(1, 2, depth) if rng.random() < 0.5 else ()
                return Switch(**common, value=rng.choice(("a", "b", "c")), cases=cases, defaults=defaults)
            case _:
                values = tuple(rng.choice(("x", "y", "z", 1)) for _ in range(rng.randint(0, 4)))
                limit = rng.choice((0, 1, 1, 2))
                return ForEach(**common, values=values, concurrency_limit=limit, tasks=self.tasks(1, 2, depth))

    def dag_tasks(self, depth: int) -> tuple[DagTask, ...]:
        entries: list[DagTask] = []
        for task in self.tasks(1, 4, depth):
            earlier = [entry.task.id for entry in entries]
            needs = self.rng.sample(earlier, self.rng.randint(0, len(earlier)))
            entries.append(DagTask(task=task, depends_on=tuple(needs)))
        self.rng.shuffle(entries)
        return tuple(entries)
