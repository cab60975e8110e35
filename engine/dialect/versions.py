"""Which of Kestra's dialects a flow is written in: 1.x, or 2.0. Every flow runs here, whichever it is.

A dialect is told by what only one of the two accepts. What both read (`Subflow`, `fromJson()`, the input types BOOL
and SELECT, `finally`) tells nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from msgspec import Struct

from engine.dialect.document import Document, Path
from engine.dialect.sites import OLD_LOOPS, entries, sites, texts, triggers, typed_maps
from engine.dialect.source import Span
from engine.dialect.templates import span_in
from engine.dialect.uses import read
from engine.model.diagnostic import Diagnostic, Severity

Dialect = Literal["1.x", "2.0"]
Written = Literal["1.x", "2.0", "either", "mixed"]
V1: Dialect = "1.x"
V2: Dialect = "2.0"
#: The code of the finding that tells a dialect. `either` has none: there is nothing to tell.
WRITTEN: Mapping[str, Written] = {"older-dialect": V1, "newer-dialect": V2, "mixed-dialects": "mixed"}


class Evidence(Struct, frozen=True, kw_only=True):
    """One construct that only one dialect has, and where it stands."""

    dialect: Dialect
    construct: str  #: as it is written: `runIf`, `json()`
    span: Span


_CORE = r"io\.kestra\.plugin\.core"
_OLD = r"io\.kestra\.core\.tasks"
#: Types that only one dialect has.
_TYPES: tuple[tuple[Dialect, re.Pattern[str]], ...] = (
    (V1, re.compile("|".join(re.escape(name) for name in OLD_LOOPS))),
    (V1, re.compile(rf"(?:{_CORE}\.flow|{_OLD}\.flows)\.(?:ForEachItem|Template)")),
    (
        V1,
        re.compile(rf"{_CORE}\.(?:debug\.Echo|log\.Fetch|execution\.(?:Count|Resume)|trigger\.Toggle|storage\.Purge)"),
    ),
    (V1, re.compile(rf"{_CORE}\.state\.\w+")),
    (V1, re.compile(rf"{_OLD}\.(?:states\.\w+|debugs\.Echo|storages\.Purge|executions\.(?:Counts|Resume))")),
    (V1, re.compile(rf"{_CORE}\.condition\.\w+|io\.kestra\.core\.models\.conditions\.types\.\w+")),
    (V1, re.compile(r"io\.kestra\.plugin\.notifications\.\w+\.\w+")),
    (V2, re.compile(rf"{_CORE}\.(?:flow\.Loop|flow\.Approval|storage\.PurgeStorage|trigger\.McpToolTrigger)")),
)
#: Properties that only one dialect has, by what they belong to.
_FLOW: Mapping[str, Dialect] = {
    "pluginDefaults": V1, "taskDefaults": V1, "listeners": V1, "workerGroup": V1,
    "quotas": V2, "policyRefs": V2, "workerSelector": V2,
}  # fmt: skip
_TASK: Mapping[str, Dialect] = {
    "runIf": V1, "workerGroup": V1, "pluginDefaultsRef": V1, "when": V2, "workerSelector": V2, "policyRefs": V2,
}  # fmt: skip
_SCRIPT: Mapping[str, Dialect] = {"runner": V1, "docker": V1}
_TRIGGER: Mapping[str, Dialect] = {
    "conditions": V1, "scheduleConditions": V1, "preconditions": V1, "multipleConditions": V1, "workerGroup": V1,
    "when": V2, "dependsOn": V2, "minSatisfied": V2, "workerSelector": V2, "policyRefs": V2,
}  # fmt: skip
_CHECK: Mapping[str, Dialect] = {"condition": V1, "when": V2}
_INPUT_TYPES = ("BOOLEAN", "ENUM")
_FUNCTIONS: Mapping[str, Dialect] = {
    "json": V1, "currentEachOutput": V1,
    **dict.fromkeys(
        (
            "loopOutputs", "subflow", "isWeekend", "isPublicHoliday", "isDayWeekInMonth", "isLastWorkingDay",
            "dayOfWeek", "dayOfMonth", "monthOfYear", "hourOfDay", "isDateBetween", "isDateAfter", "isDateBefore",
        ),
        V2,
    ),
}  # fmt: skip


def evidence(document: Document) -> list[Evidence]:
    """All that tells the dialect of a document, in the order of the file."""
    if not isinstance(document.data, Mapping):
        return []
    found = [*_in_properties(document), *_in_types(document), *_in_words(document), *_in_expressions(document)]
    return sorted(found, key=lambda one: (one.span.line, one.span.column))


def dialect_of(found: list[Evidence]) -> Written:
    """What the evidence comes to."""
    told = {one.dialect for one in found}
    return "mixed" if len(told) > 1 else "either" if not told else told.pop()


def dialect_note(document: Document) -> Diagnostic | None:
    """Which dialect a document is written in, as a finding that is no complaint; None when nothing tells."""
    found = evidence(document)
    match dialect_of(found):
        case "either":
            return None
        case "mixed":
            return _mixed(document, found)
        case written:
            names = ", ".join(dict.fromkeys(one.construct for one in found))
            message = f"this flow is written for Kestra {written}: {names}"
            code = next(code for code, dialect in WRITTEN.items() if dialect == written)
            return document.source.diagnostic(code, message, found[0].span, severity=Severity.INFO)


def _mixed(document: Document, found: list[Evidence]) -> Diagnostic:
    first = {one.dialect: one for one in reversed(found)}
    told = [f"{one.construct} in line {one.span.line} is {dialect}" for dialect, one in sorted(first.items())]
    return document.source.diagnostic(
        "mixed-dialects",
        f"this flow mixes two dialects: {', '.join(told)}",
        max(first.values(), key=lambda one: (one.span.line, one.span.column)).span,
        hint="it runs here; `penstock migrate --to 2.0` or `--to 1.x` gives it one",
        severity=Severity.INFO,
    )


def _in_properties(document: Document) -> Iterator[Evidence]:
    data = document.data
    owners: list[tuple[Path, Mapping[str, Any], Mapping[str, Dialect]]] = [((), data, _FLOW)]
    for site in sites(data):
        owners.append((site.path, site.data, _TASK))
        if site.type.startswith("io.kestra.plugin.scripts."):
            owners.append((site.path, site.data, _SCRIPT))
    owners += [(path, trigger, _TRIGGER) for path, trigger in triggers(data)]
    owners += [(path, check, _CHECK) for path, check in entries(data, "checks")]
    for path, owner, table in owners:
        for name in owner.keys() & table.keys():
            span = document.span((*path, name), key=True)
            yield Evidence(dialect=table[name], construct=name, span=span)


def _in_types(document: Document) -> Iterator[Evidence]:
    for path, typed in typed_maps(document.data):
        for dialect, pattern in _TYPES:
            if pattern.fullmatch(typed["type"]):
                name = typed["type"].rpartition(".")[2]
                yield Evidence(dialect=dialect, construct=name, span=document.span((*path, "type")))


def _in_words(document: Document) -> Iterator[Evidence]:
    for name in ("inputs", "outputs"):
        for path, declared in entries(document.data, name):
            for key in ("type", "itemType"):
                if declared.get(key) in _INPUT_TYPES:
                    yield Evidence(dialect=V1, construct=declared[key], span=document.span((*path, key)))
    for path, trigger in triggers(document.data):
        yield from _canceled(document, trigger, path)
    for site in sites(document.data):
        if site.data.get("state") == "CANCELED":
            yield Evidence(dialect=V1, construct="CANCELED", span=document.span((*site.path, "state")))


def _canceled(document: Document, data: Any, path: Path) -> Iterator[Evidence]:
    if data == "CANCELED":
        yield Evidence(dialect=V1, construct="CANCELED", span=document.span(path))
    elif isinstance(data, Mapping):
        for name, value in data.items():
            yield from _canceled(document, value, (*path, name))
    elif isinstance(data, list):
        for index, item in enumerate(data):
            yield from _canceled(document, item, (*path, index))


def _in_expressions(document: Document) -> Iterator[Evidence]:
    if document.data.get("expressions", "kestra") != "kestra":
        return
    for path, text, is_key in texts(document.data, ()):
        found = read(text)
        for call in found.calls:
            if call.name in found.names or (call.is_filter and call.name != "json"):
                continue
            dialect = _FUNCTIONS.get(call.name)
            if dialect is None:
                continue
            span = document.span(path, key=True) if is_key else span_in(document, path, text, call.start)
            construct = f"| {call.name}" if call.is_filter else f"{call.name}()"
            yield Evidence(dialect=dialect, construct=construct, span=span._replace(width=len(call.name)))
