"""Template text to tokens. Every token knows the character it starts at.

Pebble's rules, where they differ from what one expects: only the text's own quote can be escaped (`'\\n'` stays as
it is), `"#{x}"` interpolates inside double quotes (given on as `("" ~ (x) ~ "")`), a dash after `{{` trims only
before white space (`{{-1}}` is minus one), and `}}` inside brackets or text does not end an expression.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, NoReturn

from engine.errors import ExpressionError
from engine.expressions.faults import locate
from engine.expressions.limits import MAX_NESTING, MAX_SOURCE, MAX_TOKENS

Kind = Literal["text", "print", "tag", "end", "name", "int", "float", "string", "op", "eof"]


class Token(NamedTuple):
    """`value` is a text's unescaped content, an operator's or name's spelling, else the source itself."""

    kind: Kind
    value: str
    offset: int


_OPEN = re.compile(r"\{\{|\{%|\{#")
_VERBATIM = re.compile(r"-?\s*(verbatim|raw)\s*(-?)%\}")
_SPACE = re.compile(r"\s+")
_ATOM = re.compile(
    r"(?P<float>\d+\.\d+)|(?P<int>\d+)[lL]?"
    r"|(?P<op>(?:is not|not isIn|isIn|is|and|or|not|contains|equals)\b"
    r"|\?\?\?|\?\?|\.\.|==|!=|<=|>=|[-+*/%~|<>?:.,()\[\]{}=])"
    r"|(?P<name>[A-Za-z_]\w*)",
    re.ASCII,
)
_CLOSING = {"(": ")", "[": "]", "{": "}"}


def tokenize(template: str) -> list[Token]:
    """All tokens of a template, ending with `eof`. Raises ExpressionError."""
    if len(template) > MAX_SOURCE:
        error = ExpressionError(f"A template of more than {MAX_SOURCE} characters", code="expression-limit")
        raise locate(error, template, 0)
    return _Lexer(template).tokens()


class _Lexer:
    def __init__(self, template: str) -> None:
        self.template = template
        self.at = 0
        self.out: list[Token] = []
        self.trim = False  # the tag before ended with a dash
        self.depth = 0  # texts within texts

    def fail(self, message: str, offset: int, hint: str | None = None) -> NoReturn:
        raise locate(ExpressionError(message, code="expression-syntax", hint=hint), self.template, offset)

    def add(self, kind: Kind, value: str, offset: int) -> None:
        if len(self.out) >= MAX_TOKENS:
            raise locate(ExpressionError("Too many expressions", code="expression-limit"), self.template, offset)
        self.out.append(Token(kind, value, offset))

    def tokens(self) -> list[Token]:
        while self.at < len(self.template):
            opening = _OPEN.search(self.template, self.at)
            if opening is None:
                self.text(self.at, len(self.template), trim_end=False)
                break
            self.text(self.at, opening.start(), trim_end=self.dashed(opening.end()))
            self.at = opening.end()
            if opening.group() == "{#":
                self.comment(opening.start())
            elif opening.group() == "{%" and (verbatim := _VERBATIM.match(self.template, self.at)):
                self.verbatim(verbatim, opening.start())
            else:
                self.expression("print" if opening.group() == "{{" else "tag", opening.start())
        self.add("eof", "", len(self.template))
        return self.out

    def dashed(self, at: int) -> bool:
        return self.template.startswith("-", at) and self.template[at + 1 : at + 2].isspace()

    def text(self, start: int, end: int, *, trim_end: bool) -> None:
        content = self.template[start:end]
        if self.trim:
            content = content.lstrip()
        if trim_end:
            content = content.rstrip()
        self.trim = False
        if content:
            self.add("text", content, start)
        self.at = end

    def comment(self, start: int) -> None:
        end = self.template.find("#}", self.at)
        if end < 0:
            self.fail("A comment that is never closed,", start, "Close it with `#}`.")
        self.trim = self.template.startswith("-", end - 1)
        self.at = end + 2

    def verbatim(self, opening: re.Match[str], start: int) -> None:
        closing = re.compile(r"\{%(-?)\s*end" + opening.group(1) + r"\s*(-?)%\}").search(self.template, opening.end())
        if closing is None:
            self.fail(f"`{opening.group(1)}` that is never closed,", start, f"Close it: {{% end{opening.group(1)} %}}.")
        self.trim = bool(opening.group(2))
        self.text(opening.end(), closing.start(), trim_end=bool(closing.group(1)))
        self.trim = bool(closing.group(2))
        self.at = closing.end()

    def expression(self, kind: Literal["print", "tag"], start: int) -> None:
        """From after the opening to past the closing delimiter."""
        self.add(kind, "", start)
        if self.dashed(self.at):
            self.at += 1
        closing = "}}" if kind == "print" else "%}"
        self.atoms(closing, start)
        if self.template.startswith("-", self.at):
            self.trim = True
            self.at += 1
        self.add("end", closing, self.at)
        self.at += 2

    def atoms(self, closing: str, start: int) -> None:
        """Tokens up to `closing` outside all brackets; `at` is left in front of it (and of its dash)."""
        brackets: list[str] = []
        while True:
            if space := _SPACE.match(self.template, self.at):
                self.at = space.end()
            if not brackets and self.template.startswith((closing, "-" + closing), self.at):
                return
            if self.at >= len(self.template):
                self.fail("An expression that is never closed,", start, f"Close it with `{closing}`.")
            self.atom(brackets)

    def atom(self, brackets: list[str]) -> None:
        char = self.template[self.at]
        if char in "\"'":
            self.string(char)
            return
        match = _ATOM.match(self.template, self.at)
        if match is None:
            self.fail(f"Unexpected character `{char}`", self.at)
        kind = match.lastgroup or "op"
        value = match.group(kind)
        if kind == "op" and value in _CLOSING:
            brackets.append(_CLOSING[value])
        elif kind == "op" and value in ")]}" and (not brackets or brackets.pop() != value):
            self.fail(f"Unexpected `{value}`", self.at)
        self.add(kind, value, self.at)  # type: ignore[arg-type]  # the groups are named after the kinds
        self.at = match.end()

    def string(self, quote: str) -> None:
        start = self.at
        self.at += 1
        content: list[str] = []
        interpolated = False
        while True:
            char = self.template[self.at : self.at + 1]
            if not char:
                self.fail("A text that is never closed,", start, f"Close it with {quote}.")
            if char == "\\" and self.at + 1 < len(self.template):
                following = self.template[self.at + 1]
                content.append(following if following == quote else char + following)
                self.at += 2
            elif char == quote:
                self.at += 1
                break
            elif quote == '"' and self.template.startswith("#{", self.at):
                self.interpolate("".join(content), start, first=not interpolated)
                content, interpolated = [], True
            else:
                content.append(char)
                self.at += 1
        self.add("string", "".join(content), start)
        if interpolated:
            self.add("op", ")", start)

    def interpolate(self, before: str, start: int, *, first: bool) -> None:
        self.depth += 1
        if self.depth > MAX_NESTING:
            told = ExpressionError(f"Text nested more than {MAX_NESTING} levels deep", code="expression-limit")
            raise locate(told, self.template, start)
        if first:
            self.add("op", "(", start)
        self.add("string", before, start)
        self.add("op", "~", self.at)
        self.add("op", "(", self.at)
        self.at += 2
        self.atoms("}", start)
        if self.template[self.at] != "}":
            self.fail("Unexpected `-`", self.at)
        self.add("op", ")", self.at)
        self.add("op", "~", self.at)
        self.at += 1
        self.depth -= 1
