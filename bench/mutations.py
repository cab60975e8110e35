"""How many slips of the pen does `validate` see? Renames every reference of every flow here, one letter at a time.

    .venv/bin/python bench/mutations.py

For each step of each path that an expression reads (`outputs.completion.choices[0].message.content` has four that are
names) two flows are made: one letter more, and one letter changed. A mutant counts as reported when there is a finding
at the very place of the slip. Where the type of what stands before the step is not known (free-form data), nothing can
be said; the share of such steps is told. The flows as they are must give no error.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.catalog import Catalog
from engine.check import check
from engine.check.expressions import Written, written_in
from engine.check.outline import Outline
from engine.check.roots import Declared, Roots
from engine.check.types import ANY, ListOf, MapOf, Missing, Record, Text, Type, Union, member, plain
from engine.dialect import Parsed, parse
from engine.dialect.document import read
from engine.dialect.source import decode
from engine.dialect.templates import span_in
from engine.expressions import references
from engine.model.diagnostic import Diagnostic, Severity
from engine.model.flow import CONTAINERS

ROOT = Path(__file__).resolve().parent.parent
#: Golden cases that show what happens to an expression that fails: the error in them is meant.
MEANT = dict.fromkeys(
    (
        "outputs_fail",
        "rendering_fails",
        "container_cannot_begin",
        "loop_until_fails",
        "retry_precedence",
        "run_if",
        "listeners_not_judged",
    ),
    1,
)
SHORT = {
    "RETURN": "io.kestra.plugin.core.debug.Return",
    "LOG": "io.kestra.plugin.core.log.Log",
    "FAIL": "io.kestra.plugin.core.execution.Fail",
} | {kind.TYPES[0].rpartition(".")[2].upper(): kind.TYPES[0] for kind in CONTAINERS}
CATALOG = Catalog()


@dataclass(frozen=True)
class Slip:
    """A step that can be mistyped: where its name stands in the file, and whether it is known what there is."""

    line: int
    column: int
    name: str
    known: bool


@dataclass
class Survey:
    errors: dict[str, int] = field(default_factory=dict)  #: of the flows as they are, where not meant
    reported: Counter[str] = field(default_factory=Counter)  #: by severity
    missed: list[str] = field(default_factory=list)
    unknown: int = 0
    edits: int = 0  #: findings that carry an edit, and the edit mends the slip

    @property
    def share(self) -> float:
        """Of the mutants whose parent's type is known, how many are reported."""
        return self.reported.total() / max(1, self.reported.total() + len(self.missed))


def sources(*, golden: bool = True) -> Iterator[tuple[str, str]]:
    """All flows: name and text."""
    for path in sorted((ROOT / "flows").glob("*.yaml")):
        yield path.stem, path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "tests/golden/flows").glob("*.yaml")) if golden else ():
        yield path.stem, _golden(path)


def _golden(path: Path) -> str:
    """The flow of a golden case, with the inputs that the case gives as declarations."""
    case: dict[str, Any] = read(decode(path.read_text(encoding="utf-8"), path.name)).data
    given: Mapping[str, Any] = case.get("inputs", {})
    kinds = {int: "INT", str: "STRING", bool: "BOOLEAN", float: "FLOAT"}
    inputs = [{"id": name, "type": kinds.get(type(value), "JSON")} for name, value in given.items()]
    flow = {"id": "case", "namespace": "golden"} | ({"inputs": inputs} if inputs else {})
    meant = ("about", "expect", "answers", "inputs", "resume", "restarts", "refused")
    flow |= {name: spelled_out(value) for name, value in case.items() if name not in meant}
    return json.dumps(flow, indent=1, ensure_ascii=False)


def spelled_out(value: Any) -> Any:
    if isinstance(value, list):
        return [spelled_out(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: SHORT.get(item, item) if name == "type" and isinstance(item, str) else spelled_out(item)
        for name, item in value.items()
    }


def findings(text: str) -> tuple[Parsed, list[Diagnostic]]:
    """The flow, and all that is said about it."""
    parsed = parse(text, types=CATALOG)
    return parsed, [*parsed.diagnostics, *check(parsed, CATALOG)]


def slips(parsed: Parsed) -> Iterator[Slip]:
    """Every name below a root, in every path that an expression reads."""
    assert parsed.document is not None
    outline = Outline(parsed, CATALOG)
    declared = Declared(parsed.document.data, outline, CATALOG)
    for written in written_in(parsed.document.data, outline, CATALOG):
        if written.is_key:
            continue  # a finding in a key points at the key
        for reference in references(written.text):
            base: Type = Roots(declared, written.site).get(reference.root) or ANY
            for segment, offset in zip(reference.segments, reference.offsets, strict=True):
                if isinstance(segment, str) and segment and '"' not in segment:  # JSON spells a quote otherwise
                    yield _slip(parsed, written, segment, offset, base)
                base = _below(base, segment)


def _slip(parsed: Parsed, written: Written, name: str, offset: int, base: Type) -> Slip:
    assert parsed.document is not None
    quoted = written.text[offset : offset + 1] in ("'", '"')
    span = span_in(parsed.document, written.path, written.text, offset + quoted)
    return Slip(span.line, span.column, name, _is_known(base))


def _is_known(base: Type) -> bool:
    if isinstance(base, Union):
        return all(_is_known(one) for one in base.members)
    closed = isinstance(base, Record) and not base.open
    return closed or isinstance(base, Text | ListOf) or (isinstance(base, MapOf) and base.keys is not None)


def _below(base: Type, segment: str | int | None) -> Type:
    if segment is None:
        return plain(base.value if isinstance(base, MapOf) else base.item if isinstance(base, ListOf) else ANY)
    found = member(base, segment, subscript=True)
    return ANY if isinstance(found, Missing) else plain(found)


def mutated(text: str, slip: Slip) -> Iterator[str]:
    """The flow with one letter more, and with one letter changed."""
    lines = text.split("\n")
    line, start = lines[slip.line - 1], slip.column - 1
    assert line.startswith(slip.name, start), f"{slip} is not at its place"
    middle = len(slip.name) // 2
    letter = "q" if slip.name[middle] != "q" else "j"
    for changed in (
        slip.name[:middle] + letter + slip.name[middle:],
        slip.name[:middle] + letter + slip.name[middle + 1 :],
    ):
        lines[slip.line - 1] = line[:start] + changed + line[start + len(slip.name) :]
        yield "\n".join(lines)


def survey(flows: Iterator[tuple[str, str]]) -> Survey:
    """Judge all flows, and all their mutants."""
    told = Survey()
    for name, text in flows:
        parsed, before = findings(text)
        errors = sum(finding.severity is Severity.ERROR for finding in before)
        if errors != MEANT.get(name, 0):
            told.errors[name] = errors
        for slip in dict.fromkeys(slips(parsed)):
            if not slip.known:
                told.unknown += 1
                continue
            for mutant in mutated(text, slip):
                _judge(told, name, text, mutant, slip)
    return told


def _judge(told: Survey, name: str, text: str, mutant: str, slip: Slip) -> None:
    _, after = findings(mutant)
    here = [finding for finding in after if (finding.line, finding.column) == (slip.line, slip.column)]
    if not here:
        told.missed.append(f"{name}:{slip.line}:{slip.column} {slip.name}")
        return
    told.reported[str(here[0].severity)] += 1
    edit = here[0].edit
    if edit is not None:
        lines = mutant.split("\n")
        line = lines[edit.line - 1]
        lines[edit.line - 1] = line[: edit.column - 1] + edit.text + line[edit.end_column - 1 :]
        told.edits += "\n".join(lines) == text


def main() -> int:
    start = time.process_time()
    flows = list(sources())
    told = survey(iter(flows))
    by = ", ".join(f"{count} {severity}s" for severity, count in told.reported.most_common())
    total = told.reported.total() + len(told.missed)
    print(f"{len(flows)} flows: {sum(told.errors.values())} errors that nobody meant {told.errors or ''}")
    print(f"{total} mutants whose parent is known: {told.reported.total()} reported, {told.share:.1%} ({by})")
    print(f"{told.edits} of them carry an edit that gives the flow back as it was")
    print(f"{told.unknown} steps whose parent is not known: {told.unknown / max(1, told.unknown + total // 2):.1%}")
    print(f"{time.process_time() - start:.1f} s of processor time")
    for missed in told.missed:
        print("missed", missed)
    return 0 if told.share >= 0.99 and not told.errors else 1


if __name__ == "__main__":
    sys.exit(main())
