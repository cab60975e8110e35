"""A template that is ready to run, as one of three programs; the two simple ones never load Jinja.

`{{ a.b }}` and text around such paths are most of what flows write: they are resolved directly. Everything else is
compiled. Programs hold nothing of an evaluation, so that one can serve all threads.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path as Folder
from typing import Any, Protocol, TypeVar

from engine.errors import ExpressionError
from engine.expressions.cache import Cache, Unit
from engine.expressions.evaluation import Evaluation, print_chunks, undefined_variable
from engine.expressions.faults import limit, locate
from engine.expressions.functions import NOTHING, Functions
from engine.expressions.limits import COMPILED, COMPILED_LARGE, MAX_SOURCE, MAX_TEXT, SMALL_SOURCE
from engine.expressions.resolve import attribute
from engine.expressions.values import printed

_PATH = re.compile(
    r"\{\{[ \t\n]*((?!(?:true|TRUE|false|FALSE|null|NULL|none|NONE|not|and|or|is|contains|equals|isIn)\b)"
    r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)[ \t\n]*\}\}",
    re.ASCII,
)
_SIMPLE = re.compile(r"(?:[^{]|\{(?![{%#])|" + _PATH.pattern + ")*", re.ASCII)


Collected = TypeVar("Collected")
_TOO_DEEP = "Data that is too deep or too large"


class Program(Protocol):
    """A template that is ready to run."""

    @property
    def pure(self) -> bool:
        """Whether the result depends on nothing but the context, the time and the seed."""

    def text(self, context: Mapping[str, Any], functions: Functions) -> str:
        """What the template prints."""

    def value(self, context: Mapping[str, Any], functions: Functions) -> Any:
        """The native value of a single expression; of any other template, its text."""


class Path:
    """`{{ outputs.a.value }}`. `start` is where the first name stands."""

    __slots__ = ("names", "root", "start", "template")
    pure = True

    def __init__(self, template: str, path: str, start: int) -> None:
        self.template = template
        self.start = start
        self.root, *self.names = path.split(".")

    def value(self, context: Mapping[str, Any], functions: Functions) -> Any:
        try:
            value = context[self.root]
            for name in self.names:
                # The short way is for a key of a plain dict; all else is for `attribute` to judge.
                value = value[name] if type(value) is dict and name in value else attribute(value, name, "")
            return value
        except (KeyError, ExpressionError):
            raise self.failure(context) from None

    def failure(self, context: Mapping[str, Any]) -> ExpressionError:
        """Walk the path again, slowly, to tell where it ends."""
        path, offset = self.root, self.start
        if self.root not in context:
            return locate(undefined_variable(self.root, context), self.template, offset)
        value = context[self.root]
        for name in self.names:
            offset = self.start + len(path) + 1
            try:
                value = attribute(value, name, path)
            except ExpressionError as error:
                return locate(error, self.template, offset)
            path = f"{path}.{name}"
        return locate(undefined_variable(path, context), self.template, offset)  # it was gone only for a moment

    def text(self, context: Mapping[str, Any], functions: Functions) -> str:
        value = self.value(context, functions)
        if type(value) is str:
            return value
        try:
            return printed(value)
        except ExpressionError as error:
            raise locate(error, self.template, self.start) from None
        except (RecursionError, MemoryError):
            raise locate(limit(_TOO_DEEP), self.template, self.start) from None


class Mixed:
    """Text with paths in it."""

    __slots__ = ("parts", "single", "template")
    pure = True

    def __init__(self, template: str, parts: list[str | Path]) -> None:
        self.template = template
        self.parts = parts
        paths = [part for part in parts if isinstance(part, Path)]
        blank = all(part.isspace() for part in parts if isinstance(part, str))
        self.single = paths[0] if blank and len(paths) == 1 else None

    def text(self, context: Mapping[str, Any], functions: Functions) -> str:
        texts = [part if isinstance(part, str) else part.text(context, functions) for part in self.parts]
        if sum(map(len, texts)) > MAX_TEXT:
            raise locate(limit(f"Text longer than {MAX_TEXT} characters"), self.template, 0)
        return "".join(texts)

    def value(self, context: Mapping[str, Any], functions: Functions) -> Any:
        return self.single.value(context, functions) if self.single else self.text(context, functions)


class Compiled:
    """Anything else."""

    __slots__ = ("pure", "root", "single", "template")

    def __init__(self, template: str, unit: Unit) -> None:
        from engine.expressions.operations import bound

        self.template = template
        self.root = bound(unit.code)
        self.single = unit.single
        self.pure = unit.pure

    def text(self, context: Mapping[str, Any], functions: Functions) -> str:
        return self.text_in(Evaluation(self.template, context, functions, render_within))

    def text_in(self, evaluation: Evaluation) -> str:
        return self.run(evaluation, print_chunks)

    def value(self, context: Mapping[str, Any], functions: Functions) -> Any:
        if self.single is None:
            return self.text(context, functions)
        return self.run(Evaluation(self.template, context, functions, render_within), list)[self.single]

    def run(self, evaluation: Evaluation, collect: Callable[[Iterator[Any]], Collected]) -> Collected:
        try:
            return collect(self.root(evaluation))
        except ExpressionError as error:
            raise locate(error, self.template, None) from error.__cause__
        except (RecursionError, MemoryError):
            raise locate(limit(_TOO_DEEP), self.template, 0) from None


def program(template: str) -> Program:
    """The program of a template. Raises ExpressionError when it is not one."""
    return _small(template) if len(template) <= SMALL_SOURCE else _large(template)


def _made(template: str) -> Program:
    if len(template) <= MAX_SOURCE and _SIMPLE.fullmatch(template):
        parts = _parts(template)
        if len(parts) == 1 and isinstance(parts[0], Path):
            return parts[0]
        return Mixed(template, parts)
    unit = _Disk.cache.get(template) if _Disk.cache else None
    if unit is None:
        from engine.expressions.compiler import compile_template

        unit = compile_template(template)
        if _Disk.cache:
            _Disk.cache.put(template, unit)
    return Compiled(template, unit)


class _Disk:
    """Where compiled templates outlive the process, if they do."""

    cache: Cache | None = None


def keep_compiled(folder: Folder) -> None:
    """From now on, look for compiled templates in a folder, and put them there."""
    _Disk.cache = Cache(folder)


# Two caches, so that what is kept is bounded in size as well as in number.
_small = lru_cache(maxsize=COMPILED)(_made)
_large = lru_cache(maxsize=COMPILED_LARGE)(_made)


def _parts(template: str) -> list[str | Path]:
    parts: list[str | Path] = []
    last = 0
    for match in _PATH.finditer(template):
        if match.start() > last:
            parts.append(template[last : match.start()])
        parts.append(Path(template, match.group(1), match.start(1)))
        last = match.end()
    if last < len(template):
        parts.append(template[last:])
    return parts


def render_within(evaluation: Evaluation, template: str) -> str:
    """Render a template that an expression made, on the budget of that expression."""
    found = program(template)
    if not isinstance(found, Compiled):
        return found.text(evaluation.variables, evaluation.functions)
    inner = Evaluation(template, evaluation.variables, evaluation.functions, render_within, evaluation)
    try:
        return found.text_in(inner)
    finally:
        evaluation.built, evaluation.drawn = inner.built, inner.drawn


def render(template: str, context: Mapping[str, Any], functions: Functions | None = None) -> str:
    """The text of a template. A text without `{` comes back as it is."""
    if "{" not in template:
        return template
    return program(template).text(context, functions or NOTHING)


def evaluate(template: str, context: Mapping[str, Any], functions: Functions | None = None) -> Any:
    """The native value of a template that is one expression, white space around it apart; else its text."""
    if "{" not in template:
        return template
    return program(template).value(context, functions or NOTHING)


def is_template(text: str) -> bool:
    """Whether a text has anything to render."""
    return "{" in text and ("{{" in text or "{%" in text or "{#" in text)


def check_syntax(template: str) -> None:
    """Raise ExpressionError, with its offset, when a text is no valid template."""
    if "{" in template:
        program(template)


def truthy(rendered: str) -> bool:
    """Whether a rendered condition holds: not when it is blank, false, null, 0 or -0."""
    return rendered.strip().lower() not in ("", "false", "null", "0", "-0")
