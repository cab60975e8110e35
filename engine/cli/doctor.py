"""`penstock doctor`: is all as it should be? One line for each check, and what to do about what is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from msgspec.structs import asdict

from engine.cli.commands import Command, current_project
from engine.cli.progress import Progress
from engine.cli.terminal import dim, printable, say_json

if TYPE_CHECKING:
    from engine.ports import Store
    from engine.runtime.diagnosis.finding import Check
    from engine.runtime.library import Library


@click.command(cls=Command)
@click.option("--json", "as_json", is_flag=True, help="Print the checks as a JSON list.")
def doctor(as_json: bool) -> int:
    """Look whether all is as it should be, also beside a running engine, and change nothing. Exits 1 if it is not."""
    from collections.abc import Callable

    from engine.catalog import Catalog
    from engine.runtime.clock import SystemClock
    from engine.runtime.diagnosis.doctor import Installation, examine
    from engine.runtime.library import Library

    project, settings = current_project()
    catalog = Catalog(folders=settings.plugins)

    def library(store: Callable[[], Store]) -> Library:
        return Library(store, catalog, settings.plugin_defaults, SystemClock())

    assert settings.database.url is not None
    installation = Installation(
        home=project.home, url=settings.database.url, file=settings.database.file, library=library
    )
    checks: list[Check] = []
    with Progress("looked at") as progress:
        for check in examine(installation, progress.show):
            checks.append(check)
            if not as_json:
                progress.clear()
                _show(check)
    if as_json:
        say_json([{**asdict(each), "findings": [asdict(found) for found in each.findings]} for each in checks])
    return 0 if all(check.is_sound for check in checks) else 1


def _show(check: Check) -> None:
    grave = sum(finding.grave for finding in check.findings)
    mark = click.style("ok  ", fg="green") if check.is_sound else click.style("bad ", fg="red")
    mark = click.style("note", fg="yellow") if check.is_sound and check.findings and not grave else mark
    click.echo(f"{mark}  {check.name:<11}  {dim(printable(check.told))}".rstrip())
    for finding in check.findings:
        click.echo(f"      {printable(finding.what)}")
        click.echo(f"      {dim(printable(finding.hint))}")
    if check.more:
        click.echo(f"      and {check.more:,} more")
