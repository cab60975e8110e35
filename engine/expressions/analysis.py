"""What can be known of a template without running it: the paths that it reads, and whether it calls out.

A path is followed through loops (`for x in outputs.a.rows`), `set`, `first` and `??`, to the variable of the
context that it really reads. A path that cannot be followed (the result of a function, say) gives no reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from engine.expressions.program import program

if TYPE_CHECKING:
    from jinja2 import nodes

#: A key, an index, or None: known only when it runs.
Segment = str | int | None


class Reference(Struct, frozen=True):
    """`outputs.a['b'][0]`: root `outputs`, segments ("a", "b", 0). Offsets are characters of the template."""

    root: str
    segments: tuple[Segment, ...]
    offset: int  #: of the root; of the place where it is used, when it comes by way of another variable
    offsets: tuple[int, ...]  #: of each segment
    guarded: bool  #: under `??`, `default` or `is defined`, or where such a test has been made: may be missing
    conditional: bool  #: in a branch that may not be taken

    @property
    def dynamic(self) -> bool:
        """Whether some segment is known only when it runs."""
        return None in self.segments


def references(template: str) -> tuple[Reference, ...]:
    """Every path that a template reads, in the order of the text. Raises ExpressionError for bad syntax."""
    if "{" not in template:
        return ()
    from engine.expressions.tags import parse

    reader = _Reader()
    reader.statements(parse(template).template.body)
    return tuple(sorted(reader.found, key=lambda reference: reference.offset))


def is_pure(template: str) -> bool:
    """Whether the result depends on nothing but the context, the time and the seed. ExpressionError for bad syntax."""
    return "{" not in template or program(template).pure


_GUARDS = ("op:??", "op:???", "default", "is:defined")
_TESTS = ("is:defined", "is:null", "is:empty")


class _Reader:
    """Walks a tree; `variables` maps what the template itself names to the path behind it, or None."""

    def __init__(self) -> None:
        self.found: list[Reference] = []
        self.variables: dict[str, Reference | None] = {}
        self.tested: list[Reference] = []  # paths whose being there has been tested
        self.guarded = False
        self.conditional = False

    def statements(self, body: list[nodes.Node]) -> None:
        for node in body:
            self.statement(node)

    def statement(self, node: nodes.Node) -> None:
        from jinja2 import nodes

        if isinstance(node, nodes.For):
            self.expression(node.iter)
            assert isinstance(node.target, nodes.Name)
            rows = self.path(node.iter)
            self.local({node.target.name: rows and _longer(rows, None, node.lineno), "loop": None}, node.body)
            self.branch(node.else_)
        elif isinstance(node, nodes.If):
            self.expression(node.test)
            with_tests = len(self.tested)
            self.tested += self.tests(node.test)
            self.branch(node.body)
            self.branch([*node.elif_, *node.else_])
            del self.tested[with_tests:]
        elif isinstance(node, nodes.Assign):
            self.expression(node.node)
            assert isinstance(node.target, nodes.Name)
            self.variables[node.target.name] = self.path(node.node)
        elif isinstance(node, nodes.Macro):
            self.local({name.name: None for name in node.args}, node.body)
        elif isinstance(node, nodes.FilterBlock):
            self.expression(node.filter)
            self.statements(node.body)
        elif isinstance(node, nodes.Output):
            for child in node.nodes:
                self.expression(child)

    def local(self, names: dict[str, Reference | None], body: list[nodes.Node]) -> None:
        outer = dict(self.variables)
        self.variables |= names
        self.branch(body)
        self.variables = outer

    def branch(self, body: list[nodes.Node]) -> None:
        outer, self.conditional = self.conditional, True
        self.statements(body)
        self.conditional = outer

    def expression(self, node: nodes.Node) -> None:
        from jinja2 import nodes

        if isinstance(node, (nodes.Name, nodes.Getattr, nodes.Getitem)):
            if (path := self.path(node)) is not None:
                self.found.append(self.judged(path))
            self.inside(node)
        elif isinstance(node, nodes.CondExpr):
            self.expression(node.test)
            self.under(self.tests(node.test), [node.expr1, node.expr2])
        elif isinstance(node, (nodes.And, nodes.Or)):
            self.expression(node.left)
            self.under(self.tests(node.left), [node.right])
        elif isinstance(node, nodes.Filter) and node.name in _GUARDS and node.node is not None:
            outer, self.guarded = self.guarded, True
            self.expression(node.node)
            self.guarded = outer
            self.under([], list(node.args))
        else:
            for child in node.iter_child_nodes(exclude=("node",) if isinstance(node, nodes.Call) else None):
                self.expression(child)

    def inside(self, node: nodes.Node) -> None:
        """The expressions in a path's subscripts, and what a path starts from when it is no variable."""
        from jinja2 import nodes

        while isinstance(node, (nodes.Getattr, nodes.Getitem)):
            if isinstance(node, nodes.Getitem):
                self.expression(node.arg)
            node = node.node
        if not isinstance(node, nodes.Name):
            self.expression(node)

    def under(self, tests: list[Reference], branches: list[nodes.Expr | None]) -> None:
        known = len(self.tested)
        self.tested += tests
        outer, self.conditional = self.conditional, True
        for branch in branches:
            if branch is not None:
                self.expression(branch)
        self.conditional = outer
        del self.tested[known:]

    def judged(self, path: Reference) -> Reference:
        tested = any(
            path.root == test.root and path.segments[: len(test.segments)] == test.segments for test in self.tested
        )
        return replace(path, guarded=self.guarded or tested, conditional=self.conditional)

    def tests(self, condition: nodes.Node) -> list[Reference]:
        """The paths whose being there a condition tests."""
        from jinja2 import nodes

        found = [condition] if isinstance(condition, nodes.Filter) else []
        tests = [node for node in [*found, *condition.find_all(nodes.Filter)] if node.name in _TESTS and node.node]
        paths = [self.path(node.node) for node in tests if node.node is not None]
        return [path for path in paths if path is not None]

    def path(self, node: nodes.Node | None) -> Reference | None:
        """The path that an expression is; None when it is something else, or starts from something unknown."""
        from jinja2 import nodes

        if isinstance(node, nodes.Name):
            if node.name not in self.variables:
                return Reference(node.name, (), node.lineno, (), False, False)
            alias = self.variables[node.name]
            return alias and replace(alias, offset=node.lineno, offsets=(node.lineno,) * len(alias.segments))
        if isinstance(node, nodes.Getattr):
            base = self.path(node.node)
            return base and _longer(base, node.attr, node.lineno)
        if isinstance(node, nodes.Getitem):
            base = self.path(node.node)
            key = node.arg.value if isinstance(node.arg, nodes.Const) else None
            return base and _longer(base, key if isinstance(key, (str, int)) else None, node.arg.lineno)
        if isinstance(node, nodes.Filter) and node.name in ("first", "op:??", "default"):
            base = self.path(node.node)
            return base and (_longer(base, 0, node.lineno) if node.name == "first" else base)
        return None


def _longer(path: Reference, segment: Segment, offset: int) -> Reference:
    return replace(path, segments=(*path.segments, segment), offsets=(*path.offsets, offset))
