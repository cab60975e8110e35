"""Questions about the tree of an expression that need no types. A node's `lineno` is a character offset."""

from __future__ import annotations

from collections.abc import Iterator

from jinja2 import nodes

from engine.check.types import Text, Type, scalar

#: A path: its first name, then keys and indexes; None for one that is known only when it runs.
Steps = tuple[str | int | None, ...]


def assignments(node: nodes.Node) -> Iterator[str]:
    """The names that a template itself gives a value to, once for each time."""
    for part in (node, *node.find_all(nodes.Stmt)):
        if isinstance(part, nodes.Assign | nodes.For) and isinstance(part.target, nodes.Name):
            yield part.target.name


def constant(value: object) -> Type:
    """The type of a literal."""
    return scalar(value) or Text((str(value),))


def steps(node: nodes.Node) -> Steps:
    """The path that an expression is; empty when it is something else."""
    found: list[str | int | None] = []
    while not isinstance(node, nodes.Name):
        if isinstance(node, nodes.Getattr):
            found.append(node.attr)
        elif isinstance(node, nodes.Getitem):
            key = node.arg.value if isinstance(node.arg, nodes.Const) else None
            found.append(key if isinstance(key, str | int) else None)
        else:
            return ()
        node = node.node
    return (node.name, *reversed(found))


def written(node: nodes.Node) -> str:
    """`outputs.a[0]`: how a path reads in a message; empty for anything but a path."""
    root, *rest = steps(node) or ("",)
    texts = []
    for step in rest:
        if isinstance(step, str):
            texts.append(f".{step}" if step.isidentifier() else f"['{step}']")
        else:
            texts.append("[...]" if step is None else f"[{step}]")
    return f"{root}{''.join(texts)}"


def literal_of(node: nodes.Filter) -> nodes.Const | None:
    """The text of a comparison with a literal text."""
    sides = [node.node, *node.args]
    return next((side for side in sides if isinstance(side, nodes.Const) and isinstance(side.value, str)), None)
