"""Every expression of a flow, judged where it stands.

What the engine renders is read here, in the places where it renders it; text that nobody renders is left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from engine.check.inference import Finding, infer
from engine.check.outline import Node, Outline
from engine.check.roots import Declared, Place, Roots, Site
from engine.dialect import TypeIndex
from engine.dialect.document import Document, Path
from engine.dialect.source import Span
from engine.dialect.templates import PROSE, RAW, span_in, unparsed
from engine.errors import ExpressionError, PenstockError
from engine.expressions import is_template, language
from engine.model.diagnostic import Diagnostic, Edit, Severity
from engine.model.flow import Container, Loop, LoopUntil, Task, WaitFor, WorkingDirectory
from engine.model.listeners import Trigger
from engine.sdk.shapes import as_written, shapes_of

#: Properties of the engine's own that are rendered, by the name in YAML.
_STEERING = frozenset({"runIf", "when", "timeout"})
_CONTAINER_STEERING = _STEERING | {
    "condition", "value", "values", "outputs", "breakWhen", "pauseDuration", "delay", "behavior",
    "inputFiles", "outputFiles", "namespaceFiles", "cache",
}  # fmt: skip
#: What a container evaluates when the tasks in it have ended.
_AT_END: Mapping[type[Container], frozenset[str]] = {
    LoopUntil: frozenset({"condition"}),
    WaitFor: frozenset({"condition"}),
    Loop: frozenset({"outputs", "breakWhen"}),
    WorkingDirectory: frozenset({"outputFiles"}),
}
_COMMON = frozenset(field.alias or name for name, field in Task.model_fields.items())
_DECLARED = ("defaults", "expression", "condition")
#: What of a trigger is rendered whatever its type; of a type that is known, all else is too.
_IN_TRIGGERS = ("conditions", "scheduleConditions", "when", "inputs", "labels")
_AS_WRITTEN = frozenset({"cron", "timezone"})


@dataclass(frozen=True, slots=True)
class Written:
    """A text with an expression in it. `at_most` bounds how bad a finding in it can be."""

    path: Path
    text: str
    is_key: bool
    site: Site
    at_most: Severity = Severity.ERROR


def check_expressions(document: Document, rendered: Iterable[Written], declared: Declared) -> Iterator[Diagnostic]:
    """All findings about the types of expressions, in no order."""
    chosen = language(document.data.get("expressions"))
    for written in rendered:
        try:
            if not chosen.is_common(written.text):
                continue  # its types are nobody's business: nothing is said that might be wrong
            findings = infer(written.text, Roots(declared, written.site))
        except ExpressionError as error:
            if PROSE.intersection(written.path) or written.is_key:  # all others the dialect has told of
                yield unparsed(document, written.path, written.text, error, chosen)
            continue
        for finding in findings:
            yield diagnostic(document, written, finding)


def written_in(data: Mapping[str, Any], outline: Outline, types: TypeIndex) -> Iterator[Written]:
    """Every text that the engine renders, and whose names it decides."""
    yield from _in_tasks(data, outline, types)
    yield from _elsewhere(data)


def _in_tasks(data: Mapping[str, Any], outline: Outline, types: TypeIndex) -> Iterator[Written]:
    for place, tasks in _task_lists(data):
        for path, text, is_key in texts(tasks, place):
            node = outline.at(path)
            if node is None or not _is_stray(node, path):
                if node is not None and not _is_rendered(node, path, types):
                    continue
            elif path[-1] in PROSE:
                continue
            known = node if node is not None and not _is_stray(node, path) else None
            idle = node is not None and node.disabled
            worst = Severity.WARNING if idle else Severity.ERROR
            yield Written(path, text, is_key, Site(Place.TASK, known, _is_at_end(known, path)), worst)


def _task_lists(data: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
    for section in ("tasks", "errors", "finally", "afterExecution"):
        yield (section,), data.get(section)
    for path, listener in _entries(data, "listeners"):
        yield (*path, "tasks"), listener.get("tasks")


def _is_stray(node: Node, path: Path) -> bool:
    """Whether a place inside a container belongs to a task in it that could not be read."""
    return node.container is not None and _property(node, path) not in _COMMON | _CONTAINER_STEERING


def _is_at_end(node: Node | None, path: Path) -> bool:
    return node is not None and node.container is not None and _property(node, path) in _AT_END.get(node.container, ())


def _property(node: Node, path: Path) -> str:
    return str(path[len(node.path)]) if len(path) > len(node.path) else ""


def _is_rendered(node: Node, path: Path, types: TypeIndex) -> bool:
    name = _property(node, path)
    if node.container is not None:
        return name in _CONTAINER_STEERING and not (name == "outputs" and path[-1] in PROSE)
    return name in _STEERING or (name not in _COMMON and name not in static_properties(node.type, types))


def static_properties(type_: str, types: TypeIndex) -> frozenset[str]:
    """The properties of a task type that are taken as they are written."""
    try:
        model: type[BaseModel] = types.properties(type_)
    except (PenstockError, KeyError):
        return frozenset()
    return frozenset(name for name, shape in shapes_of(model).items() if shape is as_written)


def _elsewhere(data: Mapping[str, Any]) -> Iterator[Written]:
    inputs = data.get("inputs")
    yield from _named(data, "outputs", ("value",), Place.END)
    yield from _named(data, "listeners", ("conditions",), Place.EXECUTION)
    yield from _in_triggers(data)
    yield from _named(data, "sla", ("assert",), Place.EXECUTION)
    yield from _named(data, "checks", ("when", "condition"), Place.START)
    for index, declared in enumerate(inputs if isinstance(inputs, Sequence) else ()):
        for path, text, is_key in texts(declared, ("inputs", index)):
            if path[-1] in _DECLARED or "defaults" in path:
                yield Written(path, text, is_key, Site(Place.START))
    for section in (RAW, "pluginDefaults", "taskDefaults"):
        for path, text, is_key in texts(data.get(section), (section,)):
            yield Written(path, text, is_key, Site(Place.ANYWHERE), Severity.WARNING)


def _in_triggers(data: Mapping[str, Any]) -> Iterator[Written]:
    """What stands in triggers. Only the keys of what they give to an execution are rendered."""
    from engine.model.triggers import TRIGGER_TYPES

    for entry_path, entry in _entries(data, "triggers"):
        model = TRIGGER_TYPES.get(str(entry.get("type")))
        place = _place_of(model)
        names = entry.keys() - PROSE - _AS_WRITTEN if model is not None else entry.keys() & set(_IN_TRIGGERS)
        for name in sorted(names, key=str):
            for path, text, is_key in texts(entry[name], (*entry_path, name)):
                if not ((is_key and name not in ("inputs", "labels")) or path[-1] in PROSE):
                    yield Written(path, text, is_key, Site(place))


def _place_of(trigger: type[Trigger] | None) -> Place:
    """What a trigger is about; one of a type that is not known may be about anything."""
    from engine.model.triggers import HttpTrigger, TimedTrigger, Webhook

    if trigger is None:
        return Place.TRIGGER
    if issubclass(trigger, TimedTrigger):
        return Place.SCHEDULE
    return Place.CALL if issubclass(trigger, Webhook | HttpTrigger) else Place.TRIGGER


def _named(data: Mapping[str, Any], section: str, names: Iterable[str], place: Place) -> Iterator[Written]:
    """What stands in some properties of each entry of a section. Only the outputs of a flow have keys of their own."""
    for entry_path, entry in _entries(data, section):
        for name in names:
            for path, text, is_key in texts(entry.get(name), (*entry_path, name)):
                if place is Place.END or not (is_key or path[-1] in PROSE):
                    yield Written(path, text, is_key, Site(place))


def _entries(data: Mapping[str, Any], section: str) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """The maps that a section lists, each with its path."""
    listed = data.get(section)
    for index, entry in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(entry, Mapping):
            yield (section, index), entry


def texts(data: Any, path: Path) -> Iterator[tuple[Path, str, bool]]:
    """Every text with an expression in it, its path, and whether it is a key."""
    if isinstance(data, str):
        if is_template(data):
            yield path, data, False
    elif isinstance(data, Mapping):
        for key, value in data.items():
            if is_template(key):
                yield (*path, key), key, True
            yield from texts(value, (*path, key))
    elif isinstance(data, list):
        for index, item in enumerate(data):
            yield from texts(item, (*path, index))


def diagnostic(document: Document, written: Written, finding: Finding) -> Diagnostic:
    """A finding about a text, at its place in the file."""
    start = finding.offset
    if written.text[start : start + 1] in ("'", '"'):
        start += 1  # a key in quotes
    named = finding.name and written.text.startswith(finding.name, start)
    if written.is_key:
        span = document.span(written.path, key=True)
    else:
        span = span_in(document, written.path, written.text, start)
        last = span_in(document, written.path, written.text, start + len(finding.name)) if named else span
        span = Span(span.line, span.column, max(1, last.column - span.column) if last.line == span.line else 1)
    severity = finding.severity
    if severity is Severity.ERROR:
        severity = written.at_most
    shown = document.source.line(span.line)[span.column - 1 : span.column - 1 + span.width]
    edit = None
    if finding.instead is not None and shown == finding.name:
        end = span.column + span.width
        edit = Edit(line=span.line, column=span.column, end_line=span.line, end_column=end, text=finding.instead)
    return document.source.diagnostic(
        finding.code, finding.message, span, hint=finding.hint, severity=severity, edit=edit
    )
