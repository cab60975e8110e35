"""The front door of the dialect: `parse` finds all that is wrong with a flow at once, `load` wants nothing wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct, field

from engine.dialect import rules
from engine.dialect.build import Builder
from engine.dialect.defaults import own_defaults, with_defaults
from engine.dialect.document import Document, Path, read
from engine.dialect.report import report
from engine.dialect.source import Span, decode
from engine.dialect.templates import check_templates
from engine.dialect.types import TypeIndex
from engine.dialect.violations import described
from engine.errors import FlowInvalid
from engine.model.diagnostic import Diagnostic, Severity
from engine.model.flow import Flow, PluginDefault, Task


class Parsed(Struct, frozen=True, kw_only=True):
    """What a text says. `flow` is None as soon as one diagnostic is an error."""

    flow: Flow | None
    diagnostics: list[Diagnostic]  #: in the order of the file
    document: Document | None = None  #: where everything stands; None when the text could not be read
    tasks: list[tuple[Path, Task]] = field(default_factory=list)  #: every task with its place

    @property
    def errors(self) -> list[Diagnostic]:
        return [finding for finding in self.diagnostics if finding.severity is Severity.ERROR]


def parse(
    source: str | bytes, *, file: str = "<input>", types: TypeIndex, defaults: Sequence[PluginDefault] = ()
) -> Parsed:
    """Read a flow. Never raises for what is written: every finding is a diagnostic.

    `file` is the name that diagnostics carry; `defaults` are the instance-wide plugin defaults.
    """
    try:
        document = read(decode(source, file))
    except FlowInvalid as error:
        return Parsed(flow=None, diagnostics=list(error.diagnostics))
    data = document.data
    if not isinstance(data, Mapping):
        return Parsed(flow=None, diagnostics=[_not_a_flow(document)], document=document)
    builder = Builder(document, types)
    builder.findings.extend(document.problems)
    data = builder.respelled(data, (), "taskDefaults", "pluginDefaults")
    filled = with_defaults(data, [*own_defaults(data), *defaults], types)
    flow = builder.flow(filled)
    check_templates(builder, data)
    rules.check(builder, data)
    diagnostics = sorted(dict.fromkeys(builder.findings), key=lambda finding: (finding.line, finding.column))
    if any(finding.severity is Severity.ERROR for finding in diagnostics):
        flow = None
    return Parsed(flow=flow, diagnostics=diagnostics, document=document, tasks=builder.tasks)


def load(
    source: str | bytes, *, file: str = "<input>", types: TypeIndex, defaults: Sequence[PluginDefault] = ()
) -> Flow:
    """The flow that a text describes. Raises FlowInvalid whose message is the readable report."""
    parsed = parse(source, file=file, types=types, defaults=defaults)
    if parsed.flow is None:
        raise FlowInvalid(report(parsed.errors), parsed.diagnostics)
    return parsed.flow


def _not_a_flow(document: Document) -> Diagnostic:
    hint = "a flow starts with id:, namespace: and tasks:"
    if document.data is None:
        return document.source.diagnostic("empty-file", "there is no flow in this file", Span(1, 1), hint=hint)
    message = f"a flow must be a map, but this is {described(document.data)}"
    return document.source.diagnostic("not-a-flow", message, document.span(()), hint=hint)
