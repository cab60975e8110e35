"""What follows what: a flow's order as a networkx graph, made when it is first needed and kept with the flow's tree.

An edge a -> b says that b may start only after a has ended. networkx is imported here and only here, so a flow
without a Dag never pays for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from engine.model.flow import Container, Dag, EachParallel, EachSequential, ForEach, Loop, Parallel
from engine.model.tree import AFTER, ERRORS, FINALLY, MAIN, ON_PAUSE, Tree

if TYPE_CHECKING:
    import networkx


def dependencies(tree: Tree, dag: Dag) -> networkx.DiGraph[str]:
    """The graph of a Dag's enabled tasks, by their ids. A dependency on a disabled task counts as ended: no edge."""
    graph = tree.derived.get(dag.id)
    if graph is None:
        graph = tree.derived[dag.id] = _graph(tree, dag)
    return cast("networkx.DiGraph[str]", graph)


def _graph(tree: Tree, dag: Dag) -> networkx.DiGraph[str]:
    import networkx

    enabled = {task.id for task in tree.enabled(dag.id, "tasks")}
    graph: networkx.DiGraph[str] = networkx.DiGraph()
    # Nodes in the order of the file: it decides what starts first among those that are ready together.
    graph.add_nodes_from(entry.task.id for entry in dag.tasks if entry.task.id in enabled)
    for entry in dag.tasks:
        if entry.task.id in enabled:
            graph.add_edges_from((need, entry.task.id) for need in entry.depends_on if need in enabled)
    return graph


#: The lists of one container, or of a flow, in the order in which they run; listeners come last.
_GROUPS = (ON_PAUSE, MAIN, ERRORS, FINALLY, AFTER)


def followers(tree: Tree, task_id: str) -> set[str]:
    """The siblings of a task that may run only after it: of its own list, and all of the lists after that one."""
    place = tree.places[task_id]
    siblings = [other for other in tree.places.values() if other.parent is place.parent]
    after = {other.task.id for other in siblings if _rank(other.group) > _rank(place.group)}
    if place.group == MAIN and isinstance(place.parent, Parallel | EachParallel):
        return after
    if place.group == MAIN and isinstance(place.parent, Dag):
        import networkx

        graph = dependencies(tree, place.parent)
        return after | (networkx.descendants(graph, task_id) if task_id in graph else set())
    same = [other.task.id for other in siblings if other.branch == place.branch]
    return after | set(same[same.index(task_id) + 1 :])


def _rank(group: str) -> tuple[int, str]:
    return (_GROUPS.index(group) if group in _GROUPS else len(_GROUPS), group)


def goes_one_by_one(loop: Container | None) -> bool:
    """Whether a loop begins a round only when the one before it has ended."""
    if isinstance(loop, ForEach | Loop):
        return loop.concurrency_limit == 1
    return isinstance(loop, EachSequential) or (isinstance(loop, EachParallel) and loop.concurrent == 1)
