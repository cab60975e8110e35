"""Tokens to an expression tree, by precedence climbing. The tree is made of stock `jinja2.nodes`.

Jinja allows no node classes of one's own, so every operator, function and test is a `nodes.Filter` with a reserved
name: `op:+`, `fn:now`, `is:empty`. A node's `lineno` holds the *character offset* it starts at: Jinja only carries
the number along, and every error is ours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn, TypeVar

from jinja2 import nodes

from engine.errors import ExpressionError
from engine.expressions.catalog import lookup
from engine.expressions.entry import PREFIX, Entry, Kind
from engine.expressions.faults import did_you_mean, locate
from engine.expressions.lexer import Token, tokenize
from engine.expressions.limits import MAX_NESTING

#: Binary operators. All are left associative; `|` and the tests take something else than an expression on the right.
PRECEDENCE = {
    "or": 10, "and": 15, "contains": 20, "isIn": 20, "not isIn": 20,
    "is": 30, "is not": 30, "==": 30, "equals": 30, "!=": 30, "<": 30, ">": 30, "<=": 30, ">=": 30,
    "+": 40, "-": 40, "*": 60, "/": 60, "%": 60, "|": 100, "~": 110, "..": 120, "??": 120, "???": 120,
}  # fmt: skip
UNARY = 500
T = TypeVar("T")
CONSTANTS = {
    "true": True, "TRUE": True, "false": False, "FALSE": False,
    "null": None, "NULL": None, "none": None, "NONE": None,
}  # fmt: skip


class ExpressionParser:
    """Parses expressions from a list of tokens; `TemplateParser` adds the tags."""

    def __init__(self, template: str) -> None:
        self.template = template
        self.tokens = tokenize(template)
        self.position = 0
        self.depth = 0
        self.macros: dict[str, nodes.Macro] = {}
        self.calls: list[nodes.Call] = []  # of names that are no function: macros, or mistakes

    # -- tokens

    @property
    def token(self) -> Token:
        return self.tokens[self.position]

    def advance(self) -> Token:
        token = self.tokens[self.position]
        self.position += 1
        return token

    def sees(self, *operators: str) -> bool:
        return self.token.kind == "op" and self.token.value in operators

    def skip(self, operator: str) -> bool:
        """Take the operator if it is the next token."""
        if self.sees(operator):
            self.position += 1
            return True
        return False

    def expect(self, operator: str) -> Token:
        if not self.sees(operator):
            self.unexpected(f"expected `{operator}`")
        return self.advance()

    def expect_name(self, what: str) -> Token:
        if self.token.kind != "name":
            self.unexpected(f"expected {what}")
        return self.advance()

    def fail(self, message: str, offset: int, *, code: str = "expression-syntax", hint: str | None = None) -> NoReturn:
        raise locate(ExpressionError(message, code=code, hint=hint), self.template, offset)

    def unexpected(self, expected: str = "", hint: str | None = None) -> NoReturn:
        token = self.token
        shown = "end of the expression" if token.kind in ("end", "eof", "text") else f"`{token.value}`"
        self.fail(f"Unexpected {shown}{', ' if expected else ''}{expected},", token.offset, hint=hint)

    # -- expressions

    def expression(self) -> nodes.Expr:
        """A whole expression, ternary included."""
        start = self.token.offset
        node = self.binary(0)
        if not self.skip("?"):
            return node
        yes = self.expression()
        self.expect(":")
        return nodes.CondExpr(self.operator("ternary", start, node), yes, self.expression(), lineno=start)

    def binary(self, lowest: int) -> nodes.Expr:
        self.depth += 1
        if self.depth > MAX_NESTING:
            self.fail(
                f"An expression nested more than {MAX_NESTING} levels deep", self.token.offset, code="expression-limit"
            )
        left = self.unary()
        while self.token.kind == "op" and PRECEDENCE.get(self.token.value, -1) >= lowest:
            left = self.operation(left, self.advance())
        self.depth -= 1
        return left

    def operation(self, left: nodes.Expr, token: Token) -> nodes.Expr:
        symbol, offset = token.value, token.offset
        if symbol == "|":
            return self.filter(left)
        if symbol in ("is", "is not"):
            return self.test(left, negated=symbol == "is not")
        right = self.binary(PRECEDENCE[symbol] + 1)
        if symbol in ("and", "or"):
            sides = self.operator("condition", offset, left), self.operator("condition", offset, right)
            return nodes.And(*sides, lineno=offset) if symbol == "and" else nodes.Or(*sides, lineno=offset)
        if symbol == "not isIn":
            return nodes.Not(self.operator("isIn", offset, left, right), lineno=offset)
        return self.operator("==" if symbol == "equals" else symbol, offset, left, right)

    def operator(self, symbol: str, offset: int, left: nodes.Expr, *right: nodes.Expr) -> nodes.Filter:
        return nodes.Filter(left, f"op:{symbol}", list(right), [], None, None, lineno=offset)

    def unary(self) -> nodes.Expr:
        if not self.sees("not", "-", "+"):
            return self.postfix()
        token = self.advance()
        operand = self.binary(UNARY)
        if token.value == "not":
            return nodes.Not(self.operator("condition", token.offset, operand), lineno=token.offset)
        return self.operator("negative" if token.value == "-" else "positive", token.offset, operand)

    def postfix(self) -> nodes.Expr:
        start = self.token
        node = self.primary()
        if self.sees("[", ".") and start.kind == "op" and start.value in "[{":
            self.unexpected(hint="Put the list or map in parentheses.")
        while True:
            if self.sees("."):
                self.advance()
                node = self.attribute(node)
            elif self.sees("["):
                offset = self.advance().offset
                node = nodes.Getitem(node, self.expression(), "load", lineno=offset)
                self.expect("]")
            else:
                return node

    def attribute(self, node: nodes.Expr) -> nodes.Expr:
        token = self.token
        if token.kind != "name" and not (token.kind == "op" and token.value.isidentifier()):
            self.unexpected("expected a name after the dot", "A list is read as `list[0]`, a key as `map['my-key']`.")
        self.advance()
        if not self.sees("("):
            return nodes.Getattr(node, token.value, "load", lineno=token.offset)
        positional, named = self.arguments()
        if named:
            self.fail(f"`{token.value}` takes no named arguments", named[0].lineno)
        return self.operator("method", token.offset, node, nodes.Const(token.value), *positional)

    def primary(self) -> nodes.Expr:
        token = self.token
        offset = token.offset
        if token.kind == "name":
            self.advance()
            if self.sees("("):
                return self.call(token)
            if token.value in CONSTANTS:
                return nodes.Const(CONSTANTS[token.value], lineno=offset)
            return nodes.Name(token.value, "load", lineno=offset)
        if token.kind in ("string", "float"):
            self.advance()
            return nodes.Const(float(token.value) if token.kind == "float" else token.value, lineno=offset)
        if token.kind == "int":
            self.advance()
            if len(token.value) > 19 or int(token.value) >= 1 << 63:
                self.fail("A number of more than 64 bits", offset)
            return nodes.Const(int(token.value), lineno=offset)
        if self.skip("("):
            node = self.expression()
            self.expect(")")
            return node
        if self.skip("["):
            return nodes.List(self.separated("]", self.expression), lineno=offset)
        if self.skip("{"):
            return nodes.Dict(self.separated("}", self.pair), lineno=offset)
        return self.unexpected()

    def separated(self, closing: str, item: Callable[[], T]) -> list[T]:
        items: list[T] = []
        while not self.skip(closing):
            if items:
                self.expect(",")
            items.append(item())
        return items

    def pair(self) -> nodes.Pair:
        offset = self.token.offset
        key = self.operator("key", offset, self.expression())
        self.expect(":")
        return nodes.Pair(key, self.expression(), lineno=offset)

    # -- names of the catalog

    def filter(self, left: nodes.Expr | None) -> nodes.Filter:
        token = self.expect_name("the name of a filter")
        return self.use("filter", token, left, *self.optional_arguments())

    def test(self, left: nodes.Expr, *, negated: bool) -> nodes.Expr:
        token = self.expect_name("the name of a test")
        test = self.use("test", token, left, *self.optional_arguments())
        return nodes.Not(test, lineno=token.offset) if negated else test

    def call(self, token: Token) -> nodes.Expr:
        positional, named = self.arguments()
        if lookup("function", token.value) is not None and token.value not in self.macros:
            return self.use("function", token, None, positional, named)
        call = nodes.Call(nodes.Name(token.value, "load"), positional, named, None, None, lineno=token.offset)
        self.calls.append(call)
        return call

    def use(
        self,
        kind: Kind,
        token: Token,
        left: nodes.Expr | None,
        positional: list[nodes.Expr],
        named: list[nodes.Keyword],
    ) -> nodes.Filter:
        entry = lookup(kind, token.value)
        if entry is None:
            self.unknown(kind, token)
        arguments, keywords = self.bind(entry, token, positional, named)
        return nodes.Filter(left, PREFIX[kind] + token.value, arguments, keywords, None, None, lineno=token.offset)

    def unknown(self, kind: Kind, token: Token) -> NoReturn:
        from engine.expressions.catalog import names, suggestion

        hint = suggestion(kind, token.value) or did_you_mean(token.value, [*names(kind), *self.macros])
        self.fail(f"Unable to find the {kind} `{token.value}`", token.offset, code=f"unknown-{kind}", hint=hint)

    def bind(
        self, entry: Entry, token: Token, positional: list[nodes.Expr], named: list[nodes.Keyword]
    ) -> tuple[list[nodes.Expr], list[nodes.Keyword]]:
        """Arguments as the Python function takes them. Surplus positional ones are ignored, as Pebble does."""
        known = {argument.name: argument for argument in entry.arguments}
        if not entry.variadic:
            positional = positional[: len(known)]
        given = {argument.name for argument in entry.arguments[: len(positional)]}
        keywords = []
        for keyword in named:
            if keyword.key not in known:
                hint = did_you_mean(keyword.key, known) or f"It has: {', '.join(known) or 'none'}."
                message = f"`{entry.name}` has no argument `{keyword.key}`,"
                self.fail(message, keyword.lineno, code="unknown-argument", hint=hint)
            if keyword.key in given:
                self.fail(f"The argument `{keyword.key}` is given twice", keyword.lineno)
            given.add(keyword.key)
            keywords.append(nodes.Keyword(known[keyword.key].parameter, keyword.value, lineno=keyword.lineno))
        if missing := [a.name for a in entry.arguments if a.required and a.name not in given]:
            self.fail(f"`{entry.name}` needs the argument `{missing[0]}`,", token.offset, code="missing-argument")
        return positional, keywords

    def optional_arguments(self) -> tuple[list[nodes.Expr], list[nodes.Keyword]]:
        return self.arguments() if self.sees("(") else ([], [])

    def arguments(self) -> tuple[list[nodes.Expr], list[nodes.Keyword]]:
        """`(a, b, name=c)`."""
        self.expect("(")
        positional: list[nodes.Expr] = []
        named: list[nodes.Keyword] = []

        def argument() -> None:
            following = self.tokens[self.position + 1]
            if self.token.kind == "name" and following.kind == "op" and following.value == "=":
                token = self.advance()
                self.advance()
                named.append(nodes.Keyword(token.value, self.expression(), lineno=token.offset))
            elif named:
                self.unexpected("expected a named argument: positional ones come first")
            else:
                positional.append(self.expression())

        self.separated(")", argument)
        return positional, named
