"""What expressions read and does not exist anywhere: inputs, variables, tasks.

Only names that a flow alone decides are judged. What a trigger sees, what a plugin adds to its own expressions and
what a task's outputs hold is not known here, so nothing is said about it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from engine.dialect.document import Document, Path
from engine.dialect.suggest import nearest
from engine.dialect.templates import RAW, span_in, templates
from engine.errors import ExpressionError
from engine.expressions import Reference, references
from engine.model.diagnostic import Diagnostic, Severity

#: What an expression may start with: everywhere, or in some tasks and triggers only.
ROOTS = frozenset({
    "flow", "task", "taskrun", "execution", "inputs", "outputs", "tasks", "vars", "labels", "trigger", "schedule",
    "parent", "parents", "envs", "globals", "workerTaskrun", "workingDir", "outputDir", "response", "item", "items",
    "iteration", "count", "loop",
})  # fmt: skip
#: Task types that add variables while the flow runs.
_SETS_VARIABLES = ("SetVariables", "UnsetVariables")


class _Names(Struct, frozen=True):
    """What there is to be read, and whether that is all."""

    inputs: frozenset[str]
    variables: frozenset[str]
    tasks: frozenset[str]
    variables_are_known: bool


def unknown_references(document: Document, data: Mapping[str, Any]) -> Iterator[Diagnostic]:
    """The references to what no part of the flow declares."""
    names = _names(data)
    for path, text in templates(data):
        if path[0] in ("triggers", "pluginDefaults", "taskDefaults"):
            continue
        try:
            found = references(text)
        except ExpressionError:
            continue  # the dialect has said so
        for reference in found:
            yield from _judged(document, path, text, reference, names)


def _names(data: Mapping[str, Any]) -> _Names:
    """Read from the data, not from the flow: a task that is broken is still a task that was meant."""
    inputs, variables = data.get("inputs"), data.get("variables")
    declared = [entry for entry in inputs if isinstance(entry, Mapping)] if isinstance(inputs, list) else []
    tasks = list(_typed_maps({key: value for key, value in data.items() if key not in ("inputs", "triggers")}))
    return _Names(
        inputs=frozenset(str(entry.get("id", entry.get("name"))) for entry in declared),
        variables=frozenset(variables if isinstance(variables, Mapping) else ()),
        tasks=frozenset(str(task["id"]) for task in tasks),
        variables_are_known=not any(str(task["type"]).endswith(_SETS_VARIABLES) for task in tasks),
    )


def _typed_maps(data: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(data, Mapping):
        if "id" in data and "type" in data:
            yield data
        data = list(data.values())
    if isinstance(data, list):
        for item in data:
            yield from _typed_maps(item)


def _judged(document: Document, path: Path, text: str, reference: Reference, names: _Names) -> Iterator[Diagnostic]:
    first = reference.segments[0] if reference.segments else None
    if isinstance(first, str):
        match reference.root:
            case "inputs" if not any(name == first or name.startswith(f"{first}.") for name in names.inputs):
                yield _unknown(document, path, text, reference, "input", first, names.inputs)
            case "vars" if names.variables_are_known and first not in names.variables:
                yield _unknown(document, path, text, reference, "variable", first, names.variables)
            case "outputs" | "tasks" if first not in names.tasks:
                yield _unknown(document, path, text, reference, "task", first, names.tasks)
    root = nearest(reference.root, ROOTS) if reference.root not in ROOTS else None
    if root is not None and not reference.guarded and reference.segments:
        yield document.source.diagnostic(
            "unknown-variable",
            f'expressions know no "{reference.root}"',
            span_in(document, path, text, reference.offset)._replace(width=len(reference.root)),
            severity=Severity.WARNING,
            hint=f'did you mean "{root}"?',
        )


def _unknown(
    document: Document, path: Path, text: str, reference: Reference, kind: str, name: str, known: Iterable[str]
) -> Diagnostic:
    span = span_in(document, path, text, reference.offsets[0])
    if reference.guarded:
        severity = Severity.HINT
    elif reference.conditional or path[0] == RAW:
        severity = Severity.WARNING
    else:
        severity = Severity.ERROR
    return document.source.diagnostic(
        "unknown-reference",
        f'the flow has no {kind} "{name}"',
        span._replace(width=len(name)),
        severity=severity,
        hint=_hint(reference.root, name, sorted(known)),
    )


def _hint(root: str, name: str, known: Sequence[str]) -> str | None:
    dashed = next((other for other in known if other.startswith(f"{name}-")), None)
    if dashed:
        return f"an id with a dash is written {root}['{dashed}']"
    close = nearest(name, known)
    if close:
        return f'did you mean "{close}"?'
    return f"it has {', '.join(known)}" if 0 < len(known) <= 8 else None
