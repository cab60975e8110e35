"""`penstock migrate`: flows from one of Kestra's dialects to the other, in place, as a diff, or on stdout.

Always true: a file is written whole or not at all, and one with something left only under `--partial`.
"""

from __future__ import annotations

import os
import stat
import tempfile
from typing import TYPE_CHECKING, Any

import click
from msgspec.structs import replace

from engine.cli.commands import Command, current_project
from engine.cli.sources import flow_files, read_source
from engine.cli.terminal import printable, say_json, tell
from engine.cli.validate import finding_json, painted
from engine.errors import PenstockError, UsageError

if TYPE_CHECKING:
    from engine.catalog import Catalog
    from engine.dialect.migrate import Migration
    from engine.dialect.versions import Dialect

_MARK = "\ufeff"  # some editors begin a file with it; it stays


@click.command(cls=Command)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--to", "to", required=True, type=click.Choice(["2.0", "1.x"]), help="The dialect that is wanted.")
@click.option("--write", is_flag=True, help="Write the files.")
@click.option("--diff", is_flag=True, help="Show what would change, as a unified diff.")
@click.option("--partial", is_flag=True, help="Rewrite what is safe, even where something is left.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done, and what is left, as JSON.")
def migrate(paths: tuple[str, ...], to: Dialect, write: bool, diff: bool, partial: bool, as_json: bool) -> int:
    """Rewrite flows for another version of Kestra. They run here in either dialect.

    PATH is a file, a folder of flows, or - for stdin. Without --write or --diff, the rewritten flow is printed.
    Exits 0 when nothing is left to do by hand, 1 when something is, 2 when a file is no flow.
    """
    if write and diff:
        raise UsageError("--write and --diff cannot be had together")
    files = list(flow_files(paths))
    if write and "-" in files:
        raise UsageError("stdin cannot be written", hint="leave --write out: the flow is printed")
    if len(files) > 1 and not (write or diff or as_json):
        raise UsageError(f"{len(files)} flows cannot all be printed", hint="add --write or --diff")
    from engine.catalog import Catalog

    catalog = Catalog(folders=current_project()[1].plugins)
    codes, told = [0], []
    for file in files:
        try:
            before, migration = _migrated(file, to, catalog)
        except PenstockError as error:
            codes.append(2)
            told.append(_refused_json(file, error))
            if not as_json:
                _say_refused(file, error)
            continue
        after = migration.text if partial or not migration.left else before
        if write and after != before:
            _write(file, after)
        codes.append(1 if migration.left else 0)
        told.append(_json(file, migration, after, changed=after != before, written=write))
        if not as_json:
            _say(file, before, after, migration, write=write, diff=diff)
    if as_json:
        say_json(told)
    return max(codes)


def _migrated(file: str, to: Dialect, catalog: Catalog) -> tuple[str, Migration]:
    """The text of a file, and what became of it."""
    from engine.dialect.migrate import migrate as migrated
    from engine.dialect.source import decode

    content = read_source(file)
    name = _name(file)
    mark = _MARK if content.startswith(_MARK.encode()) else ""
    migration = migrated(content, to, file=name, types=catalog)
    return mark + decode(content, name).text, replace(migration, text=mark + migration.text)


def _say(file: str, before: str, after: str, migration: Migration, *, write: bool, diff: bool) -> None:
    if diff:
        click.echo(_diff(_name(file), before, after), nl=False)
    elif not write and (after != before or not migration.left):
        click.echo(after, nl=False)
    for finding in [*migration.left, *migration.notes]:
        tell(painted(finding) + "\n")
    done, left = len(migration.rewritten), len(migration.left)
    kept = " (unchanged; --partial rewrites the rest)" if left and after == before and done else ""
    tell(printable(f"{_name(file)}: {done} rewritten, {left} left{kept}"))


def _say_refused(file: str, error: PenstockError) -> None:
    from engine.errors import FlowInvalid

    if isinstance(error, FlowInvalid) and error.diagnostics:
        tell("\n\n".join(map(painted, error.diagnostics)))
    else:
        tell(printable(f"{_name(file)}: {error.message}"))


def _diff(name: str, before: str, after: str) -> str:
    from difflib import unified_diff

    lines = unified_diff(before.splitlines(keepends=True), after.splitlines(keepends=True), name, name)
    return "".join(line if line.endswith("\n") else line + "\n\\ No newline at end of file\n" for line in lines)


def _write(file: str, text: str) -> None:
    """Put a text in the place of a file's, in one step; a link stays a link, and the mode stays."""
    target = os.path.realpath(file)
    try:
        handle, temporary = tempfile.mkstemp(dir=os.path.dirname(target), prefix=".penstock-")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(text.encode())
            os.chmod(temporary, stat.S_IMODE(os.stat(target).st_mode))
            os.replace(temporary, target)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}") from None


def _json(file: str, migration: Migration, after: str, *, changed: bool, written: bool) -> dict[str, Any]:
    return {
        "file": _name(file),
        "changed": changed,
        "written": written and changed,
        "rewritten": [{"rule": one.rule, "line": one.line, "column": one.column} for one in migration.rewritten],
        "left": [finding_json(finding) for finding in migration.left],
        "notes": [finding_json(finding) for finding in migration.notes],
        "text": after,
    }


def _refused_json(file: str, error: PenstockError) -> dict[str, Any]:
    from engine.errors import FlowInvalid
    from engine.model.diagnostic import Diagnostic

    findings = list(error.diagnostics) if isinstance(error, FlowInvalid) else []
    findings = findings or [Diagnostic(code="unreadable", message=error.message, file=_name(file), hint=error.hint)]
    errors = [finding_json(finding) for finding in findings]
    return {"file": _name(file), "changed": False, "written": False, "rewritten": [], "left": errors, "notes": [],
            "text": None}  # fmt: skip


def _name(file: str) -> str:
    return "<stdin>" if file == "-" else file
