"""The types of an expression, from its tree, and what is wrong with it on the way.

Walks the same tree that is compiled. Always true: something is said only about what certainly exists, or certainly
does not; under `??`, `default`, `is defined`, and where such a test has been made, whatever may be missing is a hint.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from jinja2 import nodes

from engine.check.operations import Problem, called, filtered, may_be_null, operated, tested, untrusted
from engine.check.roots import Roots
from engine.check.trees import Steps, assignments, constant, literal_of, steps, written
from engine.check.types import (
    ANY,
    BOOL,
    TEXT,
    ListOf,
    MapOf,
    Missing,
    Record,
    Troubled,
    Type,
    element,
    has_method,
    kinds,
    leaf_fields,
    member,
    plain,
    union,
)
from engine.core.context import ROOTS
from engine.dialect.suggest import nearest
from engine.expressions.tags import parse
from engine.model.diagnostic import Severity

_GUARDS = ("op:??", "op:???", "default")
_TESTS = ("is:defined", "is:null", "is:empty")
_KINDS = {"inputs": "input", "vars": "variable", "outputs": "task", "tasks": "task"}
_FROM_USERS = ("inputs", "trigger")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to say about `name`, which stands at `offset`. `instead` is what to write in its place."""

    code: str
    message: str
    offset: int
    name: str = ""
    severity: Severity = Severity.ERROR
    hint: str | None = None
    instead: str | None = None


def infer(template: str, roots: Roots) -> list[Finding]:
    """All findings about a template. Raises ExpressionError for bad syntax."""
    body = parse(template).template.body
    reader = _Reader(roots, body)
    reader.statements(body)
    return reader.findings


class _Reader:
    def __init__(self, roots: Roots, body: Sequence[nodes.Node]) -> None:
        self.findings: list[Finding] = []
        self._roots = roots
        self._variables: dict[str, Type] = {}
        self._sealed = False  # inside a macro, which sees its arguments only
        self._guarded = False
        self._conditional = False
        self._tested: list[Steps] = []
        assigned = [name for part in body for name in assignments(part)]
        self._assigned = frozenset(assigned)
        self._reassigned = {name for name in assigned if assigned.count(name) > 1}
        self._known: dict[str, Type | None] = {}

    # -- statements

    def statements(self, body: Sequence[nodes.Node]) -> None:
        for node in body:
            self._statement(node)

    def _statement(self, node: nodes.Node) -> None:
        match node:
            case nodes.For(target=nodes.Name(name=name)):
                rows = self.typed(node.iter)
                if kinds(rows) and not kinds(rows) & {"list", "map"} and not may_be_null(rows):
                    self._problem(Problem("wrong-operand", "a loop needs a list or a map"), node.iter.lineno)
                with self._local({name: element(rows), "loop": ANY}), self._branch():
                    self.statements(node.body)
                with self._branch():
                    self.statements(node.else_)
            case nodes.If():
                self.typed(node.test)
                with self._branch(self._tests(node.test)):
                    self.statements(node.body)
                    self.statements([*node.elif_, *node.else_])
            case nodes.Assign(target=nodes.Name(name=name)):
                found = self.typed(node.node)
                self._variables[name] = ANY if name in self._reassigned else found
            case nodes.Macro():
                names = dict.fromkeys((argument.name for argument in node.args), ANY)
                sealed, self._sealed = self._sealed, not node.name.startswith("block ")
                with self._local(names), self._branch():
                    self.statements(node.body)
                self._sealed = sealed
            case nodes.FilterBlock():
                self.typed(node.filter)
                self.statements(node.body)
            case nodes.Output():
                for child in node.nodes:
                    self.typed(child)

    @contextmanager
    def _local(self, names: Mapping[str, Type]) -> Iterator[None]:
        outer = dict(self._variables)
        self._variables |= names
        yield
        self._variables = outer

    @contextmanager
    def _branch(self, tests: Sequence[Steps] = ()) -> Iterator[None]:
        outer, known, self._conditional = self._conditional, len(self._tested), True
        self._tested += tests
        yield
        self._conditional = outer
        del self._tested[known:]

    # -- expressions

    def typed(self, node: nodes.Node | None) -> Type:
        """The type of an expression."""
        match node:
            case nodes.Const(value=value):
                return constant(value)
            case nodes.Name():
                return self._name(node)
            case nodes.Getattr():
                return self._field(node, node.attr, node.lineno, subscript=False)
            case nodes.Getitem(arg=nodes.Const(value=str() | int() as key)) if not isinstance(key, bool):
                return self._field(node, key, node.arg.lineno, subscript=True)
            case nodes.Getitem():
                return self._element(node)
            case nodes.Filter():
                return self._filter(node)
            case nodes.CondExpr():
                self.typed(node.test)
                with self._branch(self._tests(node.test)):
                    return union([self.typed(node.expr1), self.typed(node.expr2)])
            case nodes.And() | nodes.Or():
                self.typed(node.left)
                with self._branch(self._tests(node.left)):
                    self.typed(node.right)
                return BOOL
            case nodes.Not():
                self.typed(node.node)
                return BOOL
            case nodes.List():
                items = tuple(self.typed(item) for item in node.items)
                return ListOf(union(items) if items else ANY, items)
            case nodes.Dict():
                return self._map(node)
            case nodes.Call():
                for argument in (*node.args, *(keyword.value for keyword in node.kwargs)):
                    self.typed(argument)
                return TEXT
        return TEXT if isinstance(node, nodes.TemplateData) else ANY

    def _name(self, node: nodes.Name) -> Type:
        if node.name in self._variables:
            return self._variables[node.name]
        if self._sealed or node.name in self._assigned:
            return ANY
        if node.name not in self._known:
            self._known[node.name] = self._roots.get(node.name)
        found = self._known[node.name]
        if found is None:
            self._unknown_root(node)
            return ANY
        return found

    def _field(self, node: nodes.Getattr | nodes.Getitem, name: str | int, offset: int, *, subscript: bool) -> Type:
        base = self.typed(node.node)
        if isinstance(base, MapOf) and base.task and (base.keys is None or str(name) not in base.keys):
            fields = leaf_fields(base)
            if str(name) in fields or (base.keys is not None and isinstance(member(base, name), Missing)):
                self._without_value(node, base, str(name), offset)
                return ANY
        found = member(base, name, subscript=subscript)
        if isinstance(found, Missing):
            self._missing(node, str(name), offset, found)
            return ANY
        if isinstance(found, Troubled):
            trouble = found.trouble
            if trouble.severity is Severity.ERROR or not (self._may_be_missing(node) or self._conditional):
                told = Finding(trouble.code, trouble.message, offset, str(name), trouble.severity, trouble.hint)
                self._add(told, node)
        return plain(found)

    def _element(self, node: nodes.Getitem) -> Type:
        self.typed(node.arg)
        base = self.typed(node.node)
        if isinstance(base, MapOf):
            return plain(base.value)
        return base.item if isinstance(base, ListOf) else ANY

    def _map(self, node: nodes.Dict) -> Type:
        fields: dict[str, Type] = {}
        known = True
        for pair in node.items:
            key = pair.key.node if isinstance(pair.key, nodes.Filter) else pair.key
            value = self.typed(pair.value)
            if isinstance(key, nodes.Const):
                fields[str(key.value)] = value
            else:
                self.typed(key)
                known = False
        return Record(fields, open=not known)

    def _filter(self, node: nodes.Filter) -> Type:
        name = node.name
        if name in _GUARDS:
            return self._guard(node)
        if name == "is:defined":
            self._under_guard(node.node)
            return BOOL
        if name == "op:-" and self._dashed(node):
            return ANY
        value = self.typed(node.node) if node.node is not None else TEXT
        arguments = [self.typed(part) for part in (*node.args, *(keyword.value for keyword in node.kwargs))]
        if name.startswith("fn:"):
            self._function(node)
            return called(name, arguments)
        if name == "op:method":
            return self._method(node, value)
        if name.startswith("op:"):
            literal = isinstance(node.node, nodes.Const) and bool(node.args) and isinstance(node.args[0], nodes.Const)
            found, problem = operated(name[3:], value, arguments[0] if arguments else None)
            problem = None if literal else problem
        else:
            found, problem = tested(name, value) if name.startswith("is:") else filtered(name, value)
        if problem is not None:
            self._operand(node, problem)
        return found

    def _guard(self, node: nodes.Filter) -> Type:
        value = self._under_guard(node.node)
        with self._branch():
            return union([value, *(self.typed(argument) for argument in node.args)])

    def _under_guard(self, node: nodes.Node | None) -> Type:
        outer, self._guarded = self._guarded, True
        found = self.typed(node)
        self._guarded = outer
        return found

    def _function(self, node: nodes.Filter) -> None:
        if node.name in ("fn:render", "fn:renderOnce") and node.args and self._from_user(node.args[0]):
            message = "this renders text that comes from whoever starts the flow: what is written there is executed"
            hint = "print it without render(), or list the texts that are allowed"
            self._problem(Problem("render-user-text", message, Severity.WARNING, hint), node.lineno)

    def _from_user(self, node: nodes.Node) -> bool:
        """Whether text of a user is part of what an expression gives. A subscript only chooses."""
        if isinstance(node, nodes.Getattr | nodes.Getitem | nodes.Name):
            path = steps(node)
            muted, self.findings = self.findings, []
            found = self.typed(node)
            self.findings = muted
            own = not path or path[0] in self._variables
            return not own and path[0] in _FROM_USERS and untrusted(found)
        return any(self._from_user(child) for child in node.iter_child_nodes())

    def _method(self, node: nodes.Filter, value: Type) -> Type:
        name = node.args[0]
        found = kinds(value)
        assert isinstance(name, nodes.Const)
        if found and not any(has_method(kind, name.value) for kind in found):
            self._add(
                Finding("unknown-field", f'there is no method "{name.value}" here', node.lineno, name.value), node
            )
        return ANY

    # -- what is tested

    def _tests(self, condition: nodes.Node) -> list[Steps]:
        """The paths whose being there a condition tests."""
        own = [condition] if isinstance(condition, nodes.Filter) else []
        tests = [node for node in [*own, *condition.find_all(nodes.Filter)] if node.name in _TESTS]
        return [path for node in tests if node.node is not None and (path := steps(node.node))]

    def _may_be_missing(self, node: nodes.Node) -> bool:
        path = steps(node)
        return self._guarded or any(path[: len(known)] == known for known in self._tested)

    # -- findings

    def _add(self, finding: Finding, node: nodes.Node) -> None:
        severity = finding.severity
        if self._may_be_missing(node):
            severity = Severity.HINT
        elif self._conditional and severity is Severity.ERROR:
            severity = Severity.WARNING
        if finding.instead is not None and not finding.instead.isidentifier() and not isinstance(node, nodes.Getitem):
            finding = replace(finding, instead=None)
        self.findings.append(replace(finding, severity=severity))

    def _problem(self, problem: Problem, offset: int, name: str = "") -> None:
        finding = Finding(problem.code, problem.message, offset, name, problem.severity, problem.hint)
        self._add(finding, nodes.Const(None))
        self.findings[-1] = replace(self.findings[-1], instead=problem.instead if name else None)

    def _operand(self, node: nodes.Filter, problem: Problem) -> None:
        literal = literal_of(node) if problem.code == "constant-comparison" else None
        if literal is not None:
            self._problem(problem, literal.lineno, literal.value)
        else:
            self._problem(problem, node.lineno)

    def _unknown_root(self, node: nodes.Name) -> None:
        name = node.name
        if name in ROOTS:
            message = "the flow has no inputs" if name == "inputs" else f'there is no "{name}" here'
            self._add(Finding("unknown-variable", message, node.lineno, name), node)
            return
        meant = self._meant(name)
        hint = f'did you mean "{meant}"?' if meant else "it is neither a variable of expressions nor set here"
        self._add(Finding("unknown-variable", f'expressions know no "{name}"', node.lineno, name, hint=hint), node)
        self.findings[-1] = replace(self.findings[-1], instead=meant)

    def _meant(self, name: str) -> str | None:
        """The root, or what stands below one, that a name is a slip of."""
        records = {root: record for root, record in self._roots.declared.items() if record is not None}
        exact = next((f"{root}.{name}" for root, record in records.items() if name in record.fields), None)
        if exact or (close := nearest(name, self._roots.names)):
            return exact or close
        below = {root: nearest(name, record.fields) for root, record in records.items()}
        return next((f"{root}.{close}" for root, close in below.items() if close), None)

    def _without_value(self, node: nodes.Getattr | nodes.Getitem, base: MapOf, name: str, offset: int) -> None:
        message = f'the task "{base.task}" runs once for each value, and "{name}" is none of them'
        if base.keys is None:
            message = f'the task "{base.task}" runs once for each value: it is not said for which one'
        close = nearest(name, base.keys or ())
        hint = f'did you mean "{close}"?' if close else f"write {written(node.node)}[taskrun.value], or name a value"
        severity = Severity.ERROR if base.keys is not None else Severity.WARNING
        self._add(Finding("loop-value", message, offset, name, severity, hint, close), node)

    def _missing(self, node: nodes.Getattr | nodes.Getitem, name: str, offset: int, missing: Missing) -> None:
        root = node.node.name if isinstance(node.node, nodes.Name) else None
        known = sorted(missing.known)
        close = nearest(name, known)
        hint = missing.hint
        if root in _KINDS and root not in self._variables:
            code, message = "unknown-reference", f'the flow has no {_KINDS[root]} "{name}"'
        else:
            code, message = "unknown-field", f'{written(node.node) or "this"} has no "{name}"'
        if close is not None:
            hint = f'did you mean "{close}"?'
        elif hint is None and 0 < len(known) <= 8:
            hint = f"it has {', '.join(known)}"
        self._add(Finding(code, message, offset, name, hint=hint, instead=close), node)

    def _dashed(self, node: nodes.Filter) -> bool:
        """`outputs.ask-me.value`: an id with a dash, read as a subtraction."""
        left, right = node.node, node.args[0]
        if not isinstance(left, nodes.Getattr) or not isinstance(left.node, nodes.Name):
            return False
        tail = next(iter(steps(right)), None)
        base = self.typed(left.node)
        name = f"{left.attr}-{tail}"
        if not isinstance(tail, str) or not isinstance(base, Record) or name not in base.fields:
            return False
        if tail in self._variables or self._roots.get(tail) is not None:
            return False
        root = left.node.name
        hint = f"an id with a dash is written {root}['{name}']"
        message = f'the flow has no {_KINDS.get(root, "value")} "{left.attr}"'
        if left.attr in base.fields:
            message = f'expressions know no "{tail}"'
        self._add(Finding("unknown-reference", message, left.lineno, left.attr, hint=hint), left)
        return True
