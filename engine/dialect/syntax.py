"""What is wrong with a text that is not YAML, in words about what was written rather than about the parser's state.

The parser's own message says where it gave up. The line that is wrong says why: so it is the line that is read here.
"""

from __future__ import annotations

import re
from typing import Any, NoReturn

import yaml

from engine.dialect.source import Source, Span
from engine.errors import FlowInvalid
from engine.model.diagnostic import Diagnostic, Edit

_NO_SPACE = re.compile(r"^(\s*(?:- +)*[A-Za-z][\w.-]*:)(?=[^\s/:])")
_KEY = re.compile(r"^(\s*(?:- +)*)([\w.\-/\"']+):(?:\s|$)")
_SECOND_COLON = re.compile(r"^(\s*(?:- +)*[\w.\-\"']+:\s+)(.+:(?:\s.*)?)$")
_SPECIAL_START = re.compile(r"^(\s*(?:- +)*(?:[\w.\-]+:\s+)?)([*&!%@`])(.*)$")


def unquoted_expression(source: Source, mark: Any, key: Any) -> NoReturn:
    """Refuse a value that starts with `{{` outside quotes. `key` is the event of the key it belongs to."""
    number, column = mark.line + 1, mark.column
    line = source.line(number)
    rest = line[column:].rstrip()
    name = getattr(key, "value", None)
    block = re.fullmatch(r"\s*(?:- +)*(?:[\w.\-]+:\s+)?", line[:column]) is not None
    subject = f'the value of "{name}"' if name else "this value"
    message = f"{subject} starts with {{{{ so YAML reads it as a mapping"
    if not block or "}}" not in rest:
        source.refuse("unquoted-expression", message, Span(number, column + 1, 2), hint="put the whole value in quotes")
    end = rest.rindex("}}") + 2
    bare = rest[:end] + re.sub(r"\s+#.*$", "", rest[end:])
    if bare[-1] in "\"'" and bare.count(bare[-1]) % 2:
        bare = bare[:-1]
    quoted = _quoted(bare)
    label = f"{name}: " if name and line[:column].rstrip().endswith(":") else ""
    source.refuse(
        "unquoted-expression",
        message,
        Span(number, column + 1, len(rest)),
        hint=f"quote it: {label}{quoted}",
        edit=Edit(
            line=number,
            column=column + 1,
            end_line=number,
            end_column=column + 1 + len(rest),
            text=quoted + rest[len(bare) :] if rest[len(bare) :].lstrip().startswith("#") else quoted,
        ),
    )


def explain(source: Source, error: yaml.MarkedYAMLError) -> FlowInvalid:
    """The finding for a text that the parser refuses."""
    problem = error.problem_mark or error.context_mark
    number = min(problem.line + 1, len(source.lines)) if problem else 1
    column = problem.column + 1 if problem and problem.line + 1 == number else 1
    context = error.context_mark.line + 1 if error.context_mark else number
    finding = (
        _unclosed(source, error, context)
        or _tab(source, number)
        or _special_start(source, number)
        or _missing_space(source, number, context)
        or _second_colon(source, number, error)
        or _after_quote(source, number, column)
        or _not_a_key(source, context, error)
        or _indentation(source, number, error)
        or source.diagnostic("yaml-syntax", f"this is not YAML: {error.problem}", Span(number, column))
    )
    return FlowInvalid(finding.message, [finding], hint=finding.hint)


def _unclosed(source: Source, error: yaml.MarkedYAMLError, context: int) -> Diagnostic | None:
    where, problem = error.context or "", error.problem or ""
    if error.context_mark is None:
        return None
    span = Span(context, error.context_mark.column + 1)
    if "quoted scalar" in where and "end of stream" in problem:
        return source.diagnostic("unclosed-quote", "the quote that opens here is never closed", span)
    if "escape" in problem and "quoted scalar" in where:
        place = Span(error.problem_mark.line + 1, error.problem_mark.column + 1) if error.problem_mark else span
        return source.diagnostic(
            "bad-escape",
            "a backslash in double quotes starts an escape, and this is none",
            place,
            hint="double the backslash, or use single quotes",
        )
    if "flow sequence" in where or "flow mapping" in where:
        bracket = "[" if "sequence" in where else "{"
        closing = "]" if bracket == "[" else "}"
        return source.diagnostic(
            "unclosed-bracket",
            f"the {bracket} that opens here is not closed as it should be",
            span,
            hint=f"separate the entries with commas and close with {closing}, or quote the value",
        )
    return None


def _tab(source: Source, number: int) -> Diagnostic | None:
    line = source.line(number)
    indent = line[: len(line) - len(line.lstrip())]
    if "\t" not in indent:
        return None
    return source.diagnostic(
        "tab-indentation",
        "YAML does not allow tabs in the indentation",
        Span(number, indent.index("\t") + 1, indent.count("\t")),
        hint="use spaces",
        edit=Edit(line=number, column=1, end_line=number, end_column=len(indent) + 1, text=indent.replace("\t", "  ")),
    )


def _special_start(source: Source, number: int) -> Diagnostic | None:
    line = source.line(number)
    match = _SPECIAL_START.match(line)
    if match is None or not match[1].strip():
        return None
    value = (match[2] + match[3]).rstrip()
    column = len(match[1]) + 1
    quoted = _quoted(value)
    return source.diagnostic(
        "quote-needed",
        f"a value that starts with {match[2]} must be quoted",
        Span(number, column, len(value)),
        hint=f"write {match[1].strip()} {quoted}",
        edit=Edit(line=number, column=column, end_line=number, end_column=column + len(value), text=quoted),
    )


def _missing_space(source: Source, number: int, context: int) -> Diagnostic | None:
    for candidate in dict.fromkeys((context, number, number - 1)):
        line = source.line(candidate)
        if match := _NO_SPACE.match(line):
            column = match.end() + 1
            return source.diagnostic(
                "missing-space",
                "there is no space after the colon",
                Span(candidate, column),
                hint=f"write {match[1].strip()} {line[match.end() :].strip()}",
                edit=Edit(line=candidate, column=column, end_line=candidate, end_column=column, text=" "),
            )
    return None


def _second_colon(source: Source, number: int, error: yaml.MarkedYAMLError) -> Diagnostic | None:
    line = source.line(number)
    match = _SECOND_COLON.match(line)
    if match is None or "mapping values" not in (error.problem or ""):
        return None
    value = match[2].rstrip()
    return source.diagnostic(
        "quote-needed",
        "a value with a colon and a space in it must be quoted",
        Span(number, len(match[1]) + 1, len(value)),
        hint=f"write {match[1].strip()} {_quoted(value)}",
        edit=Edit(
            line=number,
            column=len(match[1]) + 1,
            end_line=number,
            end_column=len(match[1]) + 1 + len(value),
            text=_quoted(value),
        ),
    )


def _after_quote(source: Source, number: int, column: int) -> Diagnostic | None:
    before = source.line(number)[: column - 1].rstrip()
    if not before.endswith(('"', "'")) or not source.line(number)[column - 1 :].strip():
        return None
    return source.diagnostic(
        "text-after-quote",
        "the value ends with its closing quote, and there is more text",
        Span(number, column),
        hint="put the whole value in quotes; inside single quotes, write a quote twice",
    )


def _not_a_key(source: Source, number: int, error: yaml.MarkedYAMLError) -> Diagnostic | None:
    text = source.line(number).strip()
    if "':'" not in (error.problem or "") or not text:
        return None
    message = "this line is neither a key with a colon nor an item with a dash"
    return source.diagnostic("yaml-syntax", message, Span(number, source.line(number).index(text) + 1, len(text)))


def _indentation(source: Source, number: int, error: yaml.MarkedYAMLError) -> Diagnostic | None:
    line, problem = source.line(number), error.problem or ""
    if not any(words in problem for words in ("expected key", "mapping values", "'-' indicator")):
        return None
    if not _KEY.match(line) and not line.lstrip().startswith("- "):
        return None
    indent = len(line) - len(line.lstrip(" "))
    above = sorted({column for row in source.lines[: number - 1] for column in _columns(row)})
    hint = f"it is indented by {indent}; the lines above have keys and items at {', '.join(map(str, above))}"
    return source.diagnostic(
        "bad-indentation",
        "this line is not indented like its neighbours",
        Span(number, indent + 1, len(line.strip())),
        hint=hint if above else None,
    )


def _columns(line: str) -> list[int]:
    """Where a line's dashes and its key stand, counted from 0."""
    match = _KEY.match(line)
    indent = (
        match[1] if match else line[: len(line) - len(line.lstrip(" "))] if line.lstrip().startswith("- ") else None
    )
    if indent is None:
        return []
    return [index for index, char in enumerate(indent) if char == "-"] + ([len(indent)] if match else [])


def _quoted(value: str) -> str:
    if '"' in value or "\\" in value:
        return "'" + value.replace("'", "''") + "'"
    return f'"{value}"'
