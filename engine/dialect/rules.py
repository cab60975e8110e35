"""What must hold between the parts of a flow, beyond what each part must look like by itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from engine.dialect.build import Builder
from engine.dialect.conditions import check_conditions
from engine.dialect.declarations import check_inputs
from engine.dialect.document import Path
from engine.dialect.policies import check_sla
from engine.dialect.suggest import did_you_mean, nearest
from engine.dialect.timing import check_cache, check_retry, check_timeout, check_waiting
from engine.dialect.triggers import check_triggers
from engine.model.flow import Dag, ForEachItem, RunnableTask, Task

#: Words that the REST paths of flows and executions already use in the place of an id.
RESERVED_IDS = frozenset({
    "pause", "resume", "force-run", "change-status", "kill", "executions", "search", "source", "disable", "enable",
})  # fmt: skip
_SUBFLOW = "io.kestra.plugin.core.flow.Subflow"
_SYSTEM = "system."
_READ_ONLY = "system.readOnly"


def check(builder: Builder, data: Mapping[str, Any]) -> None:
    """Note every broken rule."""
    if str(data.get("id")) in RESERVED_IDS:
        builder.add("reserved-id", f'"{data["id"]}" is reserved and cannot be the id of a flow', ("id",))
    _check_labels(builder, data.get("labels"))
    _check_unique(builder, "task", ((*path, "id") for path, _ in builder.tasks))
    for section, subject in (("inputs", "input"), ("outputs", "output"), ("triggers", "trigger"), ("sla", "promise")):
        entries = data.get(section)
        count = len(entries) if isinstance(entries, list) else 0
        _check_unique(builder, subject, ((section, index, "id") for index in range(count)))
    check_inputs(builder, data.get("inputs"), ("inputs",))
    check_triggers(builder)
    check_conditions(builder)
    check_sla(builder, data.get("sla"))
    check_retry(builder, data.get("retry"), ("retry",))
    for path, task in builder.tasks:
        check_timeout(builder, task.timeout or builder.document.data_at((*path, "timeout")), (*path, "timeout"))
        retry = task.retry.model_dump(by_alias=True) if task.retry else builder.document.data_at((*path, "retry"))
        check_retry(builder, retry, (*path, "retry"))
        check_waiting(builder, task, path)
        check_cache(builder, task, path)
        _check_recursion(builder, data, task, path)
        if isinstance(task, Dag):
            _check_dag(builder, task, path)
        elif isinstance(task, ForEachItem):
            _check_made(builder, task)


def _check_unique(builder: Builder, subject: str, places: Iterable[Path]) -> None:
    first: dict[str, Path] = {}
    for path in places:
        name = builder.document.data_at(path)
        if not isinstance(name, str):
            continue
        if name in first:
            line = builder.document.span(first[name]).line
            builder.add("duplicate-id", f'the {subject} id "{name}" is already used in line {line}', path)
        first.setdefault(name, path)


def _check_made(builder: Builder, container: ForEachItem) -> None:
    """No task may have the id of one that goes without saying."""
    made = {task.id for task in container.tasks}
    for path, _ in builder.tasks:
        name = builder.document.data_at((*path, "id"))
        if name in made:
            message = f'the task id "{name}" is already used for a part of "{container.id}"'
            builder.add("duplicate-id", message, (*path, "id"))


def _check_labels(builder: Builder, labels: Any) -> None:
    for name, path in _label_names(labels):
        if isinstance(name, str) and name.startswith(_SYSTEM) and name != _READ_ONLY:
            message = f'the label "{name}" is refused: names that start with "{_SYSTEM}" belong to the engine'
            builder.add("reserved-label", message, path, key=True)


def _label_names(labels: Any) -> Iterator[tuple[Any, Path]]:
    if isinstance(labels, Mapping):
        yield from ((name, ("labels", name)) for name in labels)
    elif isinstance(labels, list):
        for index, entry in enumerate(labels):
            if isinstance(entry, Mapping):
                yield entry.get("key"), ("labels", index, "key")


def _check_recursion(builder: Builder, data: Mapping[str, Any], task: Task, path: Path) -> None:
    """A flow that runs itself may never end. What an expression names is known only when it runs."""
    if isinstance(task, ForEachItem):
        called: list[Any] = [task.namespace, task.flow_id]
    elif isinstance(task, RunnableTask) and task.type == _SUBFLOW:
        called = [task.properties.get(name) for name in ("namespace", "flowId")]
    else:
        return
    if called == [data.get("namespace"), data.get("id")]:
        builder.add("recursive-call", f'"{task.id}" runs the very flow that it stands in', (*path, "flowId"))


def _check_dag(builder: Builder, dag: Dag, path: Path) -> None:
    ids = {entry.task.id for entry in dag.tasks}
    graph: dict[str, list[str]] = {}
    for index, entry in enumerate(dag.tasks):
        for position, name in enumerate(entry.depends_on):
            if name not in ids:
                message = f'"{entry.task.id}" depends on "{name}", which is not a task of this Dag'
                place = (*path, "tasks", index, "dependsOn", position)
                builder.add("unknown-dependency", message, place, hint=did_you_mean(nearest(name, ids)))
        graph[entry.task.id] = [name for name in entry.depends_on if name in ids]
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        cycle = " -> ".join(error.args[1][::-1])
        message = f"these tasks wait for each other and none can start: {cycle}"
        builder.add("dependency-cycle", message, (*path, "tasks"), key=True)
