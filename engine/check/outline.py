"""Where every task of a flow stands, broken ones included: the checker's own tree.

It is made from what the dialect could read, not from a valid flow, so that one mistake hides no other. A task of a
type that nobody knows is in no branch: it is a name that exists, and no more is known of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from engine.dialect import Parsed, TypeIndex
from engine.dialect.document import Document, Path
from engine.model.flow import CONTAINERS, Container, Dag, Loop, Task
from engine.model.tree import MAIN, group_of

_CONTAINERS: Mapping[str, type[Container]] = {name: container for container in CONTAINERS for name in container.TYPES}


@dataclass(eq=False, slots=True, kw_only=True)
class Node:
    """One task. `task` is None when it is not valid by itself."""

    id: str
    path: Path
    container: type[Container] | None  #: what kind of container it is
    type: str
    task: Task | None
    parent: Node | None
    branch: str  #: as in `engine.model.tree.Place`
    index: int  #: its place in the branch
    disabled: bool  #: it, or a container around it
    needs: Mapping[str, tuple[str, ...]]  #: of a Dag: what each of its tasks waits for

    @property
    def laned(self) -> bool:
        """Whether it runs once for each value of the loop that it stands in directly."""
        return (
            self.parent is not None
            and self.parent.container is not None
            and self.parent.container.LOOPS
            and (group_of(self.branch) == MAIN or self.parent.container is Loop)
        )

    @property
    def valued(self) -> bool:
        """Whether its runs are told by their values. A round of a Loop is a world of its own, and needs none."""
        return self.laned and self.parent is not None and self.parent.container is not Loop

    @property
    def line(self) -> list[Node]:
        """The containers around it, outermost first, and itself."""
        nodes: list[Node] = []
        node: Node | None = self
        while node is not None:
            nodes.append(node)
            node = node.parent
        return nodes[::-1]

    @property
    def loops(self) -> list[Node]:
        """The loops whose values lead to it, outermost first."""
        return [node.parent for node in self.line if node.laned and node.parent is not None]


class Outline:
    """All tasks. `strays` are ids of tasks that have no place."""

    def __init__(self, parsed: Parsed, types: TypeIndex) -> None:
        assert parsed.document is not None
        self.by_path: dict[Path, Node] = {}
        self.by_id: dict[str, Node] = {}
        for path, task in parsed.tasks:
            node = self._node(parsed.document, path, task, types)
            self.by_path[path] = node
            self.by_id.setdefault(node.id, node)
        self._data: Mapping[str, Any] = parsed.document.data

    @cached_property
    def strays(self) -> frozenset[str]:
        found = _typed_maps({key: value for key, value in self._data.items() if key not in ("inputs", "triggers")})
        return frozenset(str(task["id"]) for task in found) - self.by_id.keys()

    @cached_property
    def types(self) -> frozenset[str]:
        """The types of all tasks, as they are written."""
        return frozenset(str(task["type"]) for task in _typed_maps(self._data))

    def at(self, path: Path) -> Node | None:
        """The innermost task that a place in the file belongs to."""
        return next((self.by_path[path[:cut]] for cut in range(len(path), 0, -1) if path[:cut] in self.by_path), None)

    def _node(self, document: Document, path: Path, task: Task, types: TypeIndex) -> Node:
        data = document.data_at(path)
        data = data if isinstance(data, Mapping) else {}
        written = str(data.get("type", ""))
        broken = (task.id, task.type) == ("broken", "broken")
        parent = self.at(path[:-1])
        branch, index = _position(path[len(parent.path) if parent else 0 :])
        return Node(
            id=str(data.get("id", "")) if broken else task.id,
            path=path,
            type=types.canonical(written) or written if broken else task.type,
            container=_CONTAINERS.get(written) if broken else type(task) if isinstance(task, Container) else None,
            task=None if broken else task,
            parent=parent,
            branch=branch,
            index=index,
            disabled=(data.get("disabled") is True if broken else task.disabled)
            or (parent is not None and parent.disabled),
            needs={entry.task.id: entry.depends_on for entry in task.tasks} if isinstance(task, Dag) else {},
        )


def _position(steps: Path) -> tuple[str, int]:
    """`("cases", "x", 1)` is the second task of the branch `cases.x`."""
    names = [str(step) for step in steps[: 2 if steps[0] in ("cases", "listeners") else 1]]
    return ".".join(names), next((step for step in steps[len(names) :] if isinstance(step, int)), 0)


def _typed_maps(data: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(data, Mapping):
        if "id" in data and "type" in data:
            yield data
        data = list(data.values())
    if isinstance(data, Sequence) and not isinstance(data, str):
        for item in data:
            yield from _typed_maps(item)
