"""The paths that an expression reads, each with the characters it stands in: `outputs.a[taskrun.value].x`.

Read from the tokens rather than from the tree, because an edit must know where a bracket closes. Always true: a name
that the template itself gives a meaning to (`for`, `set`, `macro`) is no path.
"""

from __future__ import annotations

from typing import NamedTuple

from engine.errors import ExpressionError
from engine.expressions.lexer import Token, tokenize

Place = tuple[int, int]


class Step(NamedTuple):
    """One step of a path. `key` is None when it is computed; `inner` is the path it is computed from, if it is one."""

    key: str | int | None
    start: int
    end: int
    inner: Use | None = None


class Use(NamedTuple):
    """A path, from its first character to its last."""

    root: str
    start: int
    end: int  #: of the root's name
    steps: tuple[Step, ...]

    @property
    def keys(self) -> tuple[str | int | None, ...]:
        return tuple(step.key for step in self.steps)


class Call(NamedTuple):
    """A function or a filter by its name; `end` is the end of the name, `closing` that of its arguments."""

    name: str
    start: int
    end: int
    closing: int
    is_filter: bool
    only: Use | None  #: its only argument, when that is a path


class Read(NamedTuple):
    """What a template reads."""

    uses: tuple[Use, ...]
    calls: tuple[Call, ...]
    texts: tuple[Place, ...]  #: where texts in quotes stand
    names: frozenset[str]  #: what the template itself names


NOTHING = Read((), (), (), frozenset())


def read(template: str) -> Read:
    """What a template reads; nothing, when it is no valid template."""
    if "{{" not in template and "{%" not in template:
        return NOTHING
    try:
        tokens = tokenize(template)
    except ExpressionError:
        return NOTHING
    scanner = _Scanner(tokens)
    scanner.scan()
    names = frozenset(scanner.names)
    uses = tuple(use for use in scanner.uses if use.root not in names)
    texts = tuple((token.offset, token.offset + len(token.value) + 2) for token in tokens if token.kind == "string")
    return Read(uses, tuple(scanner.calls), texts, names)


class _Scanner:
    """Goes over the tokens once; what stands in brackets is gone over in its turn."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.uses: list[Use] = []
        self.calls: list[Call] = []
        self.names: set[str] = set()

    def scan(self) -> None:
        self._between(0, len(self.tokens))

    def _between(self, index: int, end: int) -> None:
        while index < end:
            index = self._at(index)

    def _at(self, index: int) -> int:
        """Note what begins at a token; the index behind it."""
        token = self.tokens[index]
        if token.kind == "tag":
            return self._tag(index + 1)
        if token.kind != "name":
            return index + 1
        if self._is(index - 1, "|") or self._is(index + 1, "("):
            if not self._is(index - 1, "."):
                self._call(index, is_filter=self._is(index - 1, "|"))
            return index + 1
        if self._is(index - 1, ".", "is", "is not") or self._is(index + 1, "="):
            return index + 1  # an attribute of a result, a test, a named argument
        use, behind, brackets = self._path(index)
        self.uses.append(use)
        for opening, closing in brackets:
            self._between(opening, closing)
        return behind

    def _tag(self, index: int) -> int:
        """The names that a tag gives: `for x in`, `set x =`, the arguments of a macro."""
        word = self.tokens[index].value
        if word in ("for", "set") and self.tokens[index + 1].kind == "name":
            self.names.add(self.tokens[index + 1].value)
            return index + 2
        while word == "macro" and self.tokens[index].kind != "end":
            if self.tokens[index].kind == "name":
                self.names.add(self.tokens[index].value)
            index += 1
        return index + 1

    def _call(self, index: int, *, is_filter: bool) -> None:
        token = self.tokens[index]
        end = closing = token.offset + len(token.value)
        only = None
        if self._is(index + 1, "("):
            close = self._closing(index + 1)
            closing = self.tokens[close].offset + 1
            only = self._only(index + 2, close)
        self.calls.append(Call(token.value, token.offset, end, closing, is_filter, only))

    def _path(self, index: int) -> tuple[Use, int, list[tuple[int, int]]]:
        """The path that begins here, the index behind it, and what stands in its brackets."""
        root = self.tokens[index]
        steps: list[Step] = []
        brackets: list[tuple[int, int]] = []
        at = index + 1
        while True:
            start = self.tokens[at].offset
            if self._is(at, ".") and not self._is(at + 2, "("):
                name = self.tokens[at + 1]
                steps.append(Step(name.value, start, name.offset + len(name.value)))
                at += 2
            elif self._is(at, "["):
                close = self._closing(at)
                end = self.tokens[close].offset + 1
                steps.append(Step(self._literal(at + 1, close), start, end, self._only(at + 1, close)))
                brackets.append((at + 1, close))
                at = close + 1
            else:
                return Use(root.value, root.offset, root.offset + len(root.value), tuple(steps)), at, brackets

    def _literal(self, index: int, closing: int) -> str | int | None:
        token = self.tokens[index]
        if closing != index + 1 or token.kind not in ("string", "int"):
            return None
        return int(token.value) if token.kind == "int" else token.value

    def _only(self, index: int, closing: int) -> Use | None:
        """The path that is all there is between two brackets."""
        if self.tokens[index].kind != "name" or self._is(index + 1, "("):
            return None
        use, behind, _ = self._path(index)
        return use if behind == closing else None

    def _closing(self, index: int) -> int:
        """The bracket that closes the one at `index`; the lexer has seen to it that there is one."""
        depth = 0
        while True:
            token = self.tokens[index]
            if token.kind == "op":
                depth += (token.value in ("(", "[", "{")) - (token.value in (")", "]", "}"))
            if depth == 0:
                return index
            index += 1

    def _is(self, index: int, *operators: str) -> bool:
        token = self.tokens[index] if 0 <= index < len(self.tokens) else None
        return token is not None and token.kind == "op" and token.value in operators
