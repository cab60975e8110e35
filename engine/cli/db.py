"""`penstock db`: the database that holds the state."""

from __future__ import annotations

from pathlib import Path

import click
from msgspec.structs import asdict

from engine.cli.commands import Group, current_project, database_file
from engine.cli.progress import Progress
from engine.cli.terminal import dim, printable, say_hint, say_json, table
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
        say_json({**asdict(report), "problems": report.problems})
    else:
        click.echo(f"{report.name}  {dim('schema ' + (report.version or 'none'))}")
        if report.counts:
            click.echo(table(("TABLE", "ROWS"), [(name, f"{rows:,}") for name, rows in report.counts.items()]))
        for problem in report.problems:
            click.echo(f"{click.style('Problem:', fg='red')} {printable(problem)}")
        click.echo(click.style("sound", fg="green") if report.is_sound else click.style("damaged", fg="red"))
    return 0 if report.is_sound else 1


@db.command()
@click.argument("target", metavar="[FILE]", required=False, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print what was made as JSON.")
def backup(target: Path | None, as_json: bool) -> None:
    """Copy the database to a new file, or into a folder, while engines go on. Without FILE, beside the database."""
    from engine.runtime.clock import SystemClock
    from engine.store.backup import back_up

    _, settings = current_project()
    assert settings.database.url is not None
    with Progress("copied") as progress:
        made = back_up(settings.database.url, target, SystemClock().now(), progress.show)
    if as_json:
        say_json({"file": str(made.file), "bytes": made.bytes})
        return
    click.echo(f"{made.file}  {dim(f'{made.bytes:,} bytes, found whole')}")
    say_hint("the files of executions (storage/) and the key (encryption.key) are not in it: copy them as well")


@db.command()
@click.argument("backup_file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def restore(backup_file: Path, as_json: bool) -> None:
    """Put a backup in the place of the database, which is kept beside it. Refuses while an engine owns it."""
    from engine.runtime.clock import SystemClock
    from engine.settings import make_home
    from engine.store.backup import restore as put_back

    project, settings = current_project()
    assert settings.database.url is not None
    make_home(project.home)
    done = put_back(settings.database.url, backup_file, SystemClock().now())
    if as_json:
        say_json({"database": str(done.database), "kept": str(done.kept) if done.kept is not None else None})
        return
    click.echo(f"{done.database} is restored from {backup_file}")
    if done.kept is not None:
        click.echo(f"what was there before is kept: {done.kept}")
    say_hint("dates that triggers have missed since the backup are not made up for")


@db.command()
def compact() -> None:
    """Write the database anew, without the room of what was removed. Refuses while an engine owns it."""
    from engine.store import open_store

    _, settings = current_project()
    file = database_file(settings)
    if file is not None and not file.exists():
        raise NotFound(f"there is no database {file}", hint="the first `penstock run` makes it")
    assert settings.database.url is not None
    before = file.stat().st_size if file is not None else 0
    store = open_store(settings.database.url, owner=True)
    try:
        store.database.compact()
    finally:
        store.close()
    assert file is not None  # a server's database refuses
    click.echo(f"{file}: {before:,} bytes before, {file.stat().st_size:,} now")
