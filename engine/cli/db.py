"""`penstock db`: the database that holds the state."""

from __future__ import annotations

import click

from engine.cli.commands import Group, current_project


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
