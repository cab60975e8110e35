"""Tags to statements: `if`, `for`, `set`, `macro`, `filter`, `block`. Gives the tree of a whole template.

Macros and blocks are hoisted to the front of the tree, because an expression may call one that is defined below.
"""

from __future__ import annotations

from typing import NoReturn

from jinja2 import nodes
from msgspec import Struct

from engine.expressions.faults import did_you_mean
from engine.expressions.limits import MAX_HEIGHT, MAX_NESTING
from engine.expressions.parser import ExpressionParser

TAGS = ("block", "filter", "for", "if", "macro", "raw", "set", "verbatim")
REMOVED = ("autoescape", "cache", "embed", "extends", "flush", "from", "import", "include", "parallel")


class Tree(Struct, frozen=True):
    """`single` is the place of the only expression in a template that is nothing else (but for white space)."""

    template: nodes.Template
    single: int | None


def parse(template: str) -> Tree:
    """The tree of a template. Raises ExpressionError."""
    return TemplateParser(template).parse()


class TemplateParser(ExpressionParser):
    """One template, from its first character to its last."""

    def parse(self) -> Tree:
        body = self.body()
        if self.token.kind != "eof":
            self.stray_tag()
        for call in self.calls:
            name = call.node
            assert isinstance(name, nodes.Name)
            if name.name not in self.macros:
                self.unknown("function", self.tokens[0]._replace(value=name.name, offset=call.lineno))
        template = nodes.Template([*self.macros.values(), *body], lineno=0)
        self.check_height(template)
        return Tree(template, _single(body))

    def check_height(self, template: nodes.Template) -> None:
        level: list[nodes.Node] = [template]
        for _ in range(MAX_HEIGHT):
            level = [child for node in level for child in node.iter_child_nodes()]
            if not level:
                return
        self.fail(
            f"An expression of more than {MAX_HEIGHT} steps",
            level[0].lineno,
            code="expression-limit",
            hint="Split it into several, with `set` or variables.",
        )

    def body(self, *closing: str) -> list[nodes.Node]:
        """Statements up to one of the closing tags, which is left to the caller, or to the end."""
        output: list[nodes.Expr] = []
        body: list[nodes.Node] = []
        while self.token.kind != "eof":
            token = self.advance()
            if token.kind == "text":
                output.append(nodes.TemplateData(token.value, lineno=token.offset))
            elif token.kind == "print":
                output.append(self.expression())
                self.end()
            else:
                if self.token.kind == "name" and self.token.value in closing:
                    self.position -= 1
                    break
                statement = self.statement()
                if statement is None:
                    continue
                if isinstance(statement, nodes.Expr):
                    output.append(statement)
                    continue
                if output:
                    body.append(nodes.Output(output, lineno=output[0].lineno))
                    output = []
                body.append(statement)
        if output:
            body.append(nodes.Output(output, lineno=output[0].lineno))
        return body

    def end(self) -> None:
        if self.token.kind != "end":
            self.unexpected(hint="Text is joined with `~`, and a filter follows `|`.")
        self.advance()

    def statement(self) -> nodes.Stmt | nodes.Expr | None:
        """A tag, after its `{%`."""
        if self.token.kind != "name" or self.token.value not in TAGS:
            self.position -= 1
            self.stray_tag()
        name = self.advance()
        self.depth += 1
        if self.depth > MAX_NESTING:
            self.fail(f"Tags nested more than {MAX_NESTING} levels deep", name.offset, code="expression-limit")
        statement: nodes.Stmt | nodes.Expr | None = getattr(self, f"tag_{name.value}")(name.offset)
        self.depth -= 1
        return statement

    def stray_tag(self) -> NoReturn:
        self.advance()
        token = self.token
        if token.value in REMOVED:
            self.fail(f"The tag `{token.value}` does not exist here:", token.offset, code="unknown-tag")
        hint = "Write `elseif`." if token.value in ("elif", "elsif") else did_you_mean(token.value, TAGS)
        if token.value.startswith("end") or token.value in ("else", "elseif"):
            hint = "Nothing is open here that it could belong to."
        self.fail(f"Unexpected tag `{token.value}`", token.offset, code="unknown-tag", hint=hint)

    def close(self, opening: str, offset: int) -> None:
        """`{% endxyz %}`."""
        if self.token.kind == "eof":
            self.fail(f"`{opening}` that is never closed,", offset, hint=f"Close it: {{% end{opening} %}}.")
        self.advance()
        self.advance()
        if self.token.kind == "name":
            self.advance()  # endblock and endmacro may repeat the name
        self.end()

    def closing_tag(self) -> str:
        """The name of the closing tag that `body` stopped at; empty at the end of the template."""
        return self.tokens[self.position + 1].value if self.token.kind == "tag" else ""

    def tag_if(self, offset: int) -> nodes.If:
        branches = [self.branch(offset)]
        while self.closing_tag() == "elseif":
            self.advance()
            branches.append(self.branch(self.advance().offset))
        else_: list[nodes.Node] = []
        if self.closing_tag() == "else":
            self.position += 2
            self.end()
            else_ = self.body("endif")
        self.close("if", offset)
        first, *others = branches
        first.elif_, first.else_ = others, else_
        return first

    def branch(self, offset: int) -> nodes.If:
        test = self.operator("condition", offset, self.expression())
        self.end()
        return nodes.If(test, self.body("elseif", "else", "endif"), [], [], lineno=offset)

    def tag_for(self, offset: int) -> nodes.For:
        target = self.expect_name("the name of the loop's variable")
        if self.token.value != "in":
            self.unexpected("expected `in`")
        self.advance()
        iterated = self.expression()
        self.end()
        body = self.body("else", "endfor")
        else_: list[nodes.Node] = []
        if self.closing_tag() == "else":
            self.position += 2
            self.end()
            else_ = self.body("endfor")
        self.close("for", offset)
        variable = nodes.Name(target.value, "store", lineno=target.offset)
        return nodes.For(variable, iterated, body, else_, None, False, lineno=offset)

    def tag_set(self, offset: int) -> nodes.Assign:
        target = self.expect_name("the name of a variable")
        self.expect("=")
        value = self.expression()
        self.end()
        return nodes.Assign(nodes.Name(target.value, "store", lineno=target.offset), value, lineno=offset)

    def tag_macro(self, offset: int) -> None:
        name = self.expect_name("the macro's name")
        parameters: list[nodes.Name] = []
        defaults: list[nodes.Expr] = []

        def parameter() -> None:
            token = self.expect_name("the name of a parameter")
            parameters.append(nodes.Name(token.value, "param", lineno=token.offset))
            defaults.append(self.expression() if self.skip("=") else nodes.Const(None, lineno=token.offset))

        self.expect("(")
        self.separated(")", parameter)
        self.end()
        body = self.body("endmacro")
        self.close("macro", offset)
        if name.value in self.macros:
            self.fail(f"The macro `{name.value}` is defined twice", name.offset)
        self.macros[name.value] = nodes.Macro(name.value, parameters, defaults, body, lineno=offset)

    def tag_block(self, offset: int) -> nodes.Expr:
        name = self.advance().value
        self.end()
        body = self.body("endblock")
        self.close("block", offset)
        self.macros[f"block {name}"] = nodes.Macro(f"block {name}", [], [], body, lineno=offset)
        return nodes.Filter(None, "fn:block", [nodes.Const(name)], [], None, None, lineno=offset)

    def tag_raw(self, offset: int) -> NoReturn:
        # A well-formed one never gets here: the lexer takes it out.
        self.fail("This tag takes nothing,", offset, hint="Write `{% raw %}` or `{% verbatim %}`.")

    tag_verbatim = tag_raw

    def tag_filter(self, offset: int) -> nodes.FilterBlock:
        applied = self.filter(None)
        while self.skip("|"):
            applied = self.filter(applied)
        self.end()
        body = self.body("endfilter")
        self.close("filter", offset)
        return nodes.FilterBlock(body, applied, lineno=offset)


def _single(body: list[nodes.Node]) -> int | None:
    if len(body) != 1 or not isinstance(body[0], nodes.Output):
        return None
    values = [(at, node) for at, node in enumerate(body[0].nodes) if not isinstance(node, nodes.TemplateData)]
    texts = [node.data for node in body[0].nodes if isinstance(node, nodes.TemplateData)]
    return values[0][0] if len(values) == 1 and not any(text.strip() for text in texts) else None
