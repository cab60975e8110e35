"""Trees to Python: Jinja's code generator, with Pebble's meaning where the two differ.

What is ours: names live in scopes at run time (a `set` in a loop writes through), everything that can fail is
called through the Evaluation with its character offset, operands that may fail come as lambdas, and chunks are left
as values, so that one compiled template gives both text and native values. What is Jinja's: the tree, the walk over
it, control flow, buffers, constants. tests/unit/expressions/test_jinja_hooks.py holds what this relies on.
"""

from __future__ import annotations

from types import CodeType

from jinja2 import Environment, nodes
from jinja2.compiler import CodeGenerator, Frame

from engine.expressions.cache import Unit
from engine.expressions.catalog import all_entries, lookup
from engine.expressions.entry import PREFIX
from engine.expressions.evaluation import print_chunks
from engine.expressions.faults import limit, locate
from engine.expressions.library.jq import is_path
from engine.expressions.operations import CALLS
from engine.expressions.operators import LAZY_OPERATORS
from engine.expressions.tags import parse

LAZY = {f"op:{symbol}" for symbol in LAZY_OPERATORS} | {PREFIX[e.kind] + e.name for e in all_entries() if e.lazy}
WITH_EVALUATION = {PREFIX[e.kind] + e.name for e in all_entries() if e.evaluation}


class Generator(CodeGenerator):
    """Writes the body of `root(context)`, where `context` is an Evaluation."""

    def enter_frame(self, frame: Frame) -> None:
        """Nothing is loaded up front: names are looked up when they are needed, and only then."""

    def leave_frame(self, frame: Frame, with_python_scope: bool = False) -> None:
        """Nothing was loaded."""

    # -- statements

    def visit_Output(self, node: nodes.Output, frame: Frame) -> None:  # noqa: N802
        for child in node.nodes:
            self.start_write(frame, child)
            self.visit(child, frame)
            self.end_write(frame)

    def visit_For(self, node: nodes.For, frame: Frame) -> None:  # noqa: N802
        assert isinstance(node.target, nodes.Name)
        items = self.temporary_identifier()
        self.writeline(f"{items} = context.items(", node)
        self.visit(node.iter, frame)
        self.write(f", {node.lineno})")
        self.writeline(f"for _ in context.loop({items}, {node.target.name!r}, {node.lineno}):")
        self.block(node.body, frame)
        if node.else_:
            self.writeline(f"if {items} == []:")
            self.block(node.else_, frame)

    def block(self, body: list[nodes.Node], frame: Frame) -> None:
        self.indent()
        self.blockvisit(body, frame)
        self.outdent()

    def visit_Assign(self, node: nodes.Assign, frame: Frame) -> None:  # noqa: N802
        assert isinstance(node.target, nodes.Name)
        self.writeline(f"context.assign({node.target.name!r}, ", node)
        self.visit(node.node, frame)
        self.write(")")

    def visit_Macro(self, node: nodes.Macro, frame: Frame) -> None:  # noqa: N802
        name = self.temporary_identifier()
        self.writeline(f"def {name}():", node)
        self.indent()
        inner = frame.inner()
        self.buffer(inner)
        self.blockvisit(node.body, inner)
        self.return_buffer_contents(inner, force_unescaped=True)
        self.outdent()
        self.writeline(f"context.macros[{node.name!r}] = ({name}, {{")
        for parameter, default in zip(node.args, node.defaults, strict=True):
            self.write(f"{parameter.name!r}: lambda: ")
            self.visit(default, frame)
            self.write(", ")
        self.write("})")

    # -- expressions

    def visit_Name(self, node: nodes.Name, frame: Frame) -> None:  # noqa: N802
        self.write(f"context.load({node.name!r}, {node.lineno})")

    def visit_Getattr(self, node: nodes.Getattr, frame: Frame) -> None:  # noqa: N802
        self.write("context.attribute(")
        self.visit(node.node, frame)
        self.write(f", {node.attr!r}, {node.lineno}, {path(node.node)!r})")

    def visit_Getitem(self, node: nodes.Getitem, frame: Frame) -> None:  # noqa: N802
        self.write("context.item(")
        self.visit(node.node, frame)
        self.write(", ")
        self.visit(node.arg, frame)
        self.write(f", {node.lineno}, {path(node.node)!r})")

    def visit_Call(self, node: nodes.Call, frame: Frame, forward_caller: bool = False) -> None:  # noqa: N802
        assert isinstance(node.node, nodes.Name)
        self.write(f"context.call({node.node.name!r}, {node.lineno}, [")
        for argument in node.args:
            self.visit(argument, frame)
            self.write(", ")
        self.write("], {")
        for keyword in node.kwargs:
            self.write(f"{keyword.key!r}: ")
            self.visit(keyword.value, frame)
            self.write(", ")
        self.write("})")

    def visit_Filter(self, node: nodes.Filter, frame: Frame) -> None:  # noqa: N802
        self.write(f"context.apply({self.filters[node.name]}, {node.lineno}")
        if node.name in WITH_EVALUATION:
            self.write(", context")
        lead = ", lambda: " if node.name in LAZY else ", "
        if node.node is not None:
            self.write(lead)
            self.visit(node.node, frame)
        elif not node.name.startswith("fn:"):
            self.write(f", concat({frame.buffer})")
        for argument in node.args:
            self.write(lead)
            self.visit(argument, frame)
        for keyword in node.kwargs:
            self.write(f", {keyword.key}={lead[2:]}")
            self.visit(keyword.value, frame)
        self.write(")")


class PebbleEnvironment(Environment):
    """Jinja's environment without loaders, globals or extensions; its filters are our operations."""

    code_generator_class = Generator
    concat = staticmethod(print_chunks)

    def __init__(self) -> None:
        # Jinja's constant folder would run filters while compiling, before there is any budget.
        super().__init__(autoescape=False, optimized=False)
        self.filters = CALLS
        self.globals = {}


ENVIRONMENT = PebbleEnvironment()


def path(node: nodes.Node) -> str:
    """`outputs.a[0]`: how a path reads in an error message; empty for anything but a path."""
    steps: list[str] = []
    while not isinstance(node, nodes.Name):
        if isinstance(node, nodes.Getattr):
            steps.append(f".{node.attr}")
        elif isinstance(node, nodes.Getitem):
            steps.append(f"[{node.arg.value!r}]" if isinstance(node.arg, nodes.Const) else "[..]")
        else:
            return ""
        node = node.node
    return node.name + "".join(reversed(steps))


def compile_template(template: str) -> Unit:
    """The code of the function that yields a template's chunks, and what is known of it."""
    try:
        tree = parse(template)
        module = ENVIRONMENT.compile(tree.template)
    except (RecursionError, MemoryError, SyntaxError):
        raise locate(limit("An expression that is too deep or too long"), template, 0) from None
    # The module also imports Jinja's runtime, which `root` has no use for.
    root = next(part for part in module.co_consts if isinstance(part, CodeType) and part.co_name == "root")
    pure = not any(_calls_out(node) for node in tree.template.find_all(nodes.Filter))
    return Unit(root, tree.single, pure)


def _calls_out(node: nodes.Filter) -> bool:
    called = node.name.removeprefix("fn:")
    entry = lookup("function" if called != node.name else "filter", called)
    if entry is None or entry.name != "jq":
        return entry is not None and entry.outside
    programs = [*node.args, *(keyword.value for keyword in node.kwargs)]
    return not all(isinstance(p, nodes.Const) and isinstance(p.value, str) and is_path(p.value) for p in programs)
