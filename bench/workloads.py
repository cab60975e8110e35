"""What is measured: each workload is a flow, how often it is run, and the floor that its figure stands beside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import yaml

RETURN = {"type": "io.kestra.plugin.core.debug.Return", "format": "value {{ flow.id }}"}
INSTANT = {"type": "bench.Instant"}
Tasks = list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Workload:
    """`batch` is how many task runs the floor writes in one transaction: 64, or 1 where each must await the last.

    `writes` is how often a task run is written: once if it starts and ends together, twice with a claim before it.
    """

    name: str
    title: str
    tasks: Tasks
    executions: int = 1
    together: bool = False
    batch: int = 64
    writes: int = 1
    slow: bool = False

    @property
    def source(self) -> str:
        return yaml.safe_dump({"id": self.name, "namespace": "bench", "tasks": self.tasks}, sort_keys=False)


def chain(count: int, task: dict[str, Any]) -> Tasks:
    return [{"id": f"task_{number}", **task} for number in range(count)]


def parallel(count: int, task: dict[str, Any]) -> Tasks:
    return [{"id": "all", "type": "io.kestra.plugin.core.flow.Parallel", "tasks": chain(count, task)}]


def for_each(count: int, task: dict[str, Any]) -> Tasks:
    values = f"{{{{ range(1, {count}) }}}}"
    loop = "io.kestra.plugin.core.flow.ForEach"
    return [{"id": "each", "type": loop, "values": values, "concurrencyLimit": 0, "tasks": chain(1, task)}]


def dag(count: int, edges: int, task: dict[str, Any]) -> Tasks:
    """Each task waits for some of those before it, near and far; the last for as many as make up the number."""
    each = edges // count
    needs = [sorted({number * step // (each + 1) for step in range(1, each + 1)} - {number}) for number in range(count)]
    missing = edges - sum(map(len, needs))
    needs[-1] += [number for number in range(count - 1) if number not in needs[-1]][:missing]
    tasks = [
        {"task": {"id": f"task_{number}", **task}, "dependsOn": [f"task_{need}" for need in needs[number]]}
        for number in range(count)
    ]
    return [{"id": "graph", "type": "io.kestra.plugin.core.flow.Dag", "tasks": tasks}]


def loop(count: int, task: dict[str, Any]) -> Tasks:
    values = f"{{{{ range(1, {count}) }}}}"
    outputs = [{"id": "value", "type": "STRING", "value": "{{ outputs.task_0.value }}"}]
    type_ = "io.kestra.plugin.core.flow.Loop"
    return [
        {
            "id": "each",
            "type": type_,
            "values": values,
            "concurrencyLimit": 0,
            "outputs": outputs,
            "tasks": chain(1, task),
        }
    ]


def _shapes(name: str, title: str, shape: Callable[[int, dict[str, Any]], Tasks]) -> tuple[Workload, Workload]:
    waits = 1 if shape is chain else 64
    return (
        Workload(name=f"return_{name}", title=f"1,000 Return {title}", tasks=shape(1000, RETURN)),
        Workload(
            name=f"thread_{name}",
            title=f"1,000 tasks in threads {title}",
            tasks=shape(1000, INSTANT),
            writes=2,
            batch=waits,
        ),
    )


_TWO = chain(2, RETURN)
WORKLOADS: dict[str, Workload] = {
    workload.name: workload
    for workload in (
        *_shapes("chain", "in a chain", chain),
        *_shapes("parallel", "in a Parallel", parallel),
        Workload(name="one_by_one", title="200 executions of 2 tasks, in turn", tasks=_TWO, executions=200, batch=2),
        Workload(
            name="together", title="200 executions of 2 tasks, by 64 clients", tasks=_TWO, executions=200, together=True
        ),
        Workload(name="each_1000", title="ForEach over 1,000 values", tasks=for_each(1000, RETURN)),
        Workload(name="dag", title="a Dag of 1,000 with 5,000 edges", tasks=dag(1000, 5000, RETURN)),
        Workload(name="loop_10000", title="Loop over 10,000 values", tasks=loop(10_000, RETURN), slow=True),
        Workload(name="each_10000", title="ForEach over 10,000 values", tasks=for_each(10_000, RETURN), slow=True),
    )
}
