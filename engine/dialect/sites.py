"""Every task of a flow as it is written, with the containers and loops around it.

It is made from plain data, so it sees flows of every dialect alike, tasks of unknown types included. What counts as
a task is told by where it stands: in a list that containers keep their tasks in, under whatever name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine.dialect.document import Path

FLOW_BRANCHES = ("tasks", "errors", "finally", "afterExecution")
BRANCHES = (
    "tasks", "then", "else", "cases", "defaults", "errors", "finally",
    "onPause", "onWait", "onApprove", "onDeny", "task",
)  # fmt: skip
#: The branches of a ForEach that run once for all values, and not once for each.
AFTER_LOOP = ("errors", "finally")

_FLOW = ("io.kestra.plugin.core.flow", "io.kestra.core.tasks.flows")
PARALLEL = f"{_FLOW[0]}.Parallel"
FOR_EACH, LOOP = f"{_FLOW[0]}.ForEach", f"{_FLOW[0]}.Loop"
EACH_SEQUENTIAL = tuple(f"{prefix}.EachSequential" for prefix in _FLOW)
EACH_PARALLEL = tuple(f"{prefix}.EachParallel" for prefix in _FLOW)
OLD_LOOPS = (FOR_EACH, *EACH_SEQUENTIAL, *EACH_PARALLEL)
#: Containers whose task runs have outputs, for certain; those of the second row perhaps.
WITH_OUTPUTS = ("If", "Switch")
PERHAPS_WITH_OUTPUTS = ("LoopUntil", "WaitFor", "WorkingDirectory", "Worker", "Pause", "ForEachItem", "Subflow")


@dataclass(frozen=True, eq=False, slots=True)
class Site:
    """One task. `branch` is the property of its container that it stands in."""

    path: Path
    data: Mapping[str, Any]
    parent: Site | None
    branch: str

    @property
    def id(self) -> str:
        return str(self.data.get("id"))

    @property
    def type(self) -> str:
        return str(self.data.get("type"))

    @property
    def is_loop(self) -> bool:
        return self.type in (LOOP, *OLD_LOOPS)

    @property
    def around(self) -> list[Site]:
        """The containers around it, nearest first."""
        found, site = [], self.parent
        while site is not None:
            found.append(site)
            site = site.parent
        return found

    @property
    def laned(self) -> bool:
        """Whether it stands directly in a loop, and runs once for each of its values."""
        return (
            self.parent is not None
            and self.parent.is_loop
            and (self.parent.type == LOOP or self.branch not in AFTER_LOOP)
        )

    @property
    def loops(self) -> list[Site]:
        """The loops whose values lead to it, nearest first."""
        return [site.parent for site in (self, *self.around) if site.laned and site.parent is not None]


def sites(data: Any) -> list[Site]:
    """All tasks, containers before what is in them, in the order of the file."""
    if not isinstance(data, Mapping):
        return []
    found: list[Site] = []
    for branch in FLOW_BRANCHES:
        for path, task in _tasks_in(data.get(branch), (branch,), branch):
            _gather(Site(path, task, None, branch), found)
    listeners = data.get("listeners")
    for index, listener in enumerate(listeners if isinstance(listeners, list) else ()):
        below = listener.get("tasks") if isinstance(listener, Mapping) else None
        for path, task in _tasks_in(below, ("listeners", index, "tasks"), "tasks"):
            _gather(Site(path, task, None, "listeners"), found)
    return found


def triggers(data: Any) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """All triggers."""
    yield from entries(data, "triggers")


def entries(data: Any, name: str) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """The maps in one of the flow's own lists."""
    listed = data.get(name) if isinstance(data, Mapping) else None
    for index, item in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(item, Mapping):
            yield (name, index), item


def typed_maps(data: Any, path: Path = ()) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Every map that has a text `type`."""
    if isinstance(data, Mapping):
        if isinstance(data.get("type"), str):
            yield path, data
        for name, value in data.items():
            yield from typed_maps(value, (*path, name))
    elif isinstance(data, list):
        for index, item in enumerate(data):
            yield from typed_maps(item, (*path, index))


def texts(data: Any, path: Path) -> Iterator[tuple[Path, str, bool]]:
    """Every text with an expression in it, its path, and whether it is a key."""
    if isinstance(data, str):
        if "{{" in data or "{%" in data:
            yield path, data, False
    elif isinstance(data, Mapping):
        for name, value in data.items():
            if "{{" in name:
                yield (*path, name), name, True
            yield from texts(value, (*path, name))
    elif isinstance(data, list):
        for index, item in enumerate(data):
            yield from texts(item, (*path, index))


def _gather(site: Site, found: list[Site]) -> None:
    found.append(site)
    for branch in BRANCHES:
        for path, task in _tasks_in(site.data.get(branch), (*site.path, branch), branch):
            _gather(Site(path, task, site, branch), found)


def _tasks_in(value: Any, path: Path, branch: str) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _tasks_in(item, (*path, index), branch)
    elif isinstance(value, Mapping):
        if _is_task(value):
            yield path, value
        elif branch == "cases":
            for name, case in value.items():
                yield from _tasks_in(case, (*path, name), "case")
        elif branch == "tasks" and "type" not in value and isinstance(value.get("task"), Mapping):
            yield from _tasks_in(value["task"], (*path, "task"), "task")


def _is_task(value: Mapping[str, Any]) -> bool:
    return isinstance(value.get("type"), str) and "id" in value
