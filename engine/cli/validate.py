"""`penstock validate`: every finding of every file at once, for people, programs and code scanners."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from engine import __version__
from engine.cli.commands import Command, current_project
from engine.cli.sources import flow_files, read_source
from engine.cli.terminal import printable, say_json
from engine.errors import PenstockError, UsageError

if TYPE_CHECKING:
    from engine.catalog import Catalog
    from engine.cli.known_keys import KnownKeys
    from engine.model.diagnostic import Diagnostic, Edit
    from engine.settings import Settings

_COLOURS = {"error": "red", "warning": "yellow", "hint": "cyan", "info": "blue"}
_SARIF_LEVELS = {"error": "error", "warning": "warning", "hint": "note", "info": "note"}
#: What people see in the last line, and programs as findings.
_IN_LAST_LINE = ("older-dialect", "newer-dialect")


@click.command(cls=Command)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as a JSON list.")
@click.option("--sarif", "as_sarif", is_flag=True, help="Print the findings as SARIF 2.1.0, for code scanners.")
def validate(paths: tuple[str, ...], as_json: bool, as_sarif: bool) -> int:
    """Check flows without running them.

    PATH is a file, a folder of flows, or - for stdin. Exits 0 when no error was found, else 2.
    """
    if as_json and as_sarif:
        raise UsageError("--json and --sarif cannot be had together")
    from engine.catalog import Catalog
    from engine.cli.known_keys import KnownKeys

    project, settings = current_project()
    catalog = Catalog(folders=settings.plugins)
    findings: list[Diagnostic] = []
    checked = 0
    with closing(KnownKeys(project, settings)) as keys:
        for path in flow_files(paths):
            found = findings_of(path, catalog, settings, keys)
            findings += found
            checked += 1
            if not (as_json or as_sarif):
                for finding in found:
                    if finding.code not in _IN_LAST_LINE:
                        click.echo(painted(finding) + "\n")
    if as_json:
        say_json([finding_json(finding) for finding in findings])
    elif as_sarif:
        say_json(sarif(findings))
    else:
        click.echo(verdict(checked, findings))
    return 2 if any(finding.severity == "error" for finding in findings) else 0


def findings_of(path: str, catalog: Catalog, settings: Settings, keys: KnownKeys) -> list[Diagnostic]:
    """All that is to be said about one file."""
    from engine.check import check
    from engine.dialect import parse
    from engine.dialect.versions import dialect_note
    from engine.model.diagnostic import Diagnostic

    name = "<stdin>" if path == "-" else path
    try:
        parsed = parse(read_source(path), file=name, types=catalog, defaults=settings.plugin_defaults)
    except PenstockError as error:
        return [Diagnostic(code="unreadable", message=error.message, file=name, hint=error.hint)]
    note = dialect_note(parsed.document) if parsed.document else None
    found = [*parsed.diagnostics, *check(parsed, catalog, keys.of(parsed)), *([note] if note else [])]
    return sorted(found, key=lambda finding: (finding.line, finding.column))


def painted(finding: Diagnostic) -> str:
    """A finding as people read it."""
    from engine.dialect import format_diagnostic

    label = f"{finding.severity}[{finding.code}]"
    colour = _COLOURS[finding.severity]
    return printable(format_diagnostic(finding)).replace(label, click.style(label, fg=colour, bold=True), 1)


def verdict(checked: int, findings: Sequence[Diagnostic]) -> str:
    """The last line: how many flows, how many findings of each kind, which dialects."""
    flows = f"{checked} flow" if checked == 1 else f"{checked} flows"
    counts = Counter(str(finding.severity) for finding in findings if finding.severity != "info")
    found = [f"{counts[kind]} {kind}{'s' if counts[kind] > 1 else ''}" for kind in _COLOURS if counts[kind]]
    colour = next((_COLOURS[kind] for kind in _COLOURS if counts[kind]), "green")
    result = click.style(f"{flows} checked: {', '.join(found) or 'all valid'}", fg=colour)
    return f"{result} ({_dialects(checked, findings)})"


def _dialects(checked: int, findings: Sequence[Diagnostic]) -> str:
    """`dialect: 1.x`, or how many flows there are of each."""
    from engine.dialect.versions import WRITTEN

    told = Counter(WRITTEN[finding.code] for finding in findings if finding.code in WRITTEN)
    told["either"] = checked - told.total()
    named = [str(dialect) if checked == 1 else f"{count} {dialect}" for dialect, count in told.items() if count]
    return f"dialect: {', '.join(named)}"


def finding_json(finding: Diagnostic) -> dict[str, Any]:
    """A finding for programs."""
    return {
        "file": finding.file,
        "line": finding.line,
        "column": finding.column,
        "severity": str(finding.severity),
        "code": finding.code,
        "message": finding.message,
        "hint": finding.hint,
        "edit": edit_json(finding.edit) if finding.edit else None,
    }


def edit_json(edit: Edit) -> dict[str, Any]:
    """The text between two places (the end is not part of it), and what to put there."""
    return {
        "line": edit.line,
        "column": edit.column,
        "endLine": edit.end_line,
        "endColumn": edit.end_column,
        "text": edit.text,
    }


def sarif(findings: Sequence[Diagnostic]) -> dict[str, Any]:
    """The findings as a SARIF log of one run."""
    driver = {
        "name": "penstock",
        "version": __version__,
        "rules": [{"id": code} for code in sorted({finding.code for finding in findings})],
    }
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": [_sarif_result(finding) for finding in findings]}],
    }


def _sarif_result(finding: Diagnostic) -> dict[str, Any]:
    region = {
        "startLine": finding.line,
        "startColumn": finding.column,
        "endColumn": finding.column + finding.width,
    }
    text = f"{finding.message} ({finding.hint})" if finding.hint else finding.message
    location = {"artifactLocation": {"uri": finding.file.replace("\\", "/")}, "region": region}
    result = {
        "ruleId": finding.code,
        "level": _SARIF_LEVELS[finding.severity],
        "message": {"text": text},
        "locations": [{"physicalLocation": location}],
    }
    return result | ({"fixes": [_sarif_fix(finding.edit, location)]} if finding.edit else {})


def _sarif_fix(edit: Edit, location: dict[str, Any]) -> dict[str, Any]:
    region = {
        "startLine": edit.line,
        "startColumn": edit.column,
        "endLine": edit.end_line,
        "endColumn": edit.end_column,
    }
    replacement = {"deletedRegion": region, "insertedContent": {"text": edit.text}}
    changes = [{"artifactLocation": location["artifactLocation"], "replacements": [replacement]}]
    return {"description": {"text": f'Replace by "{edit.text}".'}, "artifactChanges": changes}
