"""`penstock db`: the database that holds the state."""

from __future__ import annotations

import click
from msgspec.structs import asdict

from engine.cli.commands import Group, current_project, database_file
from engine.cli.terminal import dim, printable, say_json, table
from engine.errors import NotFound


@click.group(cls=Group)
def db() -> None:
    """Look after the database."""


@db.command()
def upgrade() -> None:
    """Bring the database to this version's schema, after a backup. Every start does the same by itself."""
    from engine.settings import make_home, mask_password
    from engine.store import open_store

    project, settings = current_project()
    url = settings.database.url
    assert url is not None
    make_home(project.home)
    open_store(url, owner=True).close()
    click.echo(f"{mask_password(url)} is up to date")


@db.command("check")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def check_database(as_json: bool) -> int:
    """Look whether the database is whole, changing nothing. Exits 1 if it is not."""
    from engine.store import db_check

    _, settings = current_project()
    file = database_file(settings)
    if file is not None and not file.exists():
        raise NotFound(f"there is no database {file}", hint="the first `penstock run` makes it")
    assert settings.database.url is not None
    report = db_check(settings.database.url)
    if as_json:
        say_json(asdict(report))
    else:
        click.echo(f"{report.name}  {dim('schema ' + (report.version or 'none'))}")
        if report.counts:
            click.echo(table(("TABLE", "ROWS"), [(name, f"{rows:,}") for name, rows in report.counts.items()]))
        for problem in report.problems:
            click.echo(f"{click.style('Problem:', fg='red')} {printable(problem)}")
        click.echo(click.style("sound", fg="green") if report.is_sound else click.style("damaged", fg="red"))
    return 0 if report.is_sound else 1
