"""What follows what: a flow's order as a networkx graph, made when it is first needed and kept with the flow's tree.

An edge a -> b says that b may start only after a has ended. networkx is imported here and only here, so a flow
without a Dag never pays for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from engine.model.flow import Dag
from engine.model.tree import Tree

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
