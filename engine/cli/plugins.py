"""`penstock plugins`: which task types there are, where they come from, and how each is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from engine.cli.commands import Group, current_project
from engine.cli.terminal import dim, is_terminal, printable, say_json, table, wants_colour

if TYPE_CHECKING:
    from engine.model.flow import Container


@click.group(cls=Group)
def plugins() -> None:
    """Look at the task types there are."""


@plugins.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def list_plugins(as_json: bool) -> None:
    """List all task types: the shipped ones, installed ones, and the project's own."""
    from engine.catalog import Catalog

    _, settings = current_project()
    entries = Catalog(folders=settings.plugins).entries()
    if as_json:
        say_json(
            [
                {"type": entry.type, "aliases": list(entry.aliases), "source": entry.source, "error": entry.error}
                for entry in entries
            ]
        )
        return
    rows = [
        (click.style(entry.type, fg="red") if entry.error else entry.type, dim(printable(str(entry.source))))
        for entry in entries
    ]
    click.echo(table(("TYPE", "FROM"), rows))
    for entry in entries:
        if entry.error:
            click.echo(f"{click.style('Broken:', fg='red')} {printable(entry.error)}", err=True)


@plugins.command()
def reference() -> None:
    """Print all task types, with their properties and outputs, as one page of Markdown."""
    from engine.catalog import Catalog
    from engine.cli.task_types import task_types_page

    _, settings = current_project()
    catalog = Catalog(folders=settings.plugins)
    click.echo(printable(task_types_page(catalog, catalog.entries())), nl=False)


@plugins.command()
@click.argument("task_type", metavar="TYPE")
@click.option("--schema", "as_schema", is_flag=True, help="Print the JSON Schema of its properties.")
def show(task_type: str, as_schema: bool) -> None:
    """Show what a task type does, its properties and its outputs. TYPE may be an alias."""
    from engine.catalog import Catalog
    from engine.model.flow import CONTAINERS
    from engine.sdk.reference import reference_page
    from engine.sdk.schema import properties_schema

    container = next((kind for kind in CONTAINERS if task_type in kind.TYPES), None)
    if container is not None:
        _say_page(_container_page(container))
        return
    _, settings = current_project()
    task_class = Catalog(folders=settings.plugins).task_class(task_type)
    if as_schema:
        say_json(properties_schema(task_class))
    else:
        _say_page(reference_page(task_class))


def _container_page(container: type[Container]) -> str:
    """A container belongs to the language of flows; its properties are told by its model."""
    own = [field.alias or name for name, field in container.model_fields.items() if name in container.__annotations__]
    listed = "\n".join(f"- `{name}`" for name in [*own, "errors"])
    head = f'# {container.__name__}\n\n```yaml\ntype: "{container.TYPES[0]}"\n```'
    return f"{head}\n\n{container.__doc__}\n\n## Properties\n\n{listed}"


def _say_page(page: str) -> None:
    if is_terminal() and wants_colour():
        from rich.console import Console
        from rich.markdown import Markdown

        Console().print(Markdown(page))
    else:
        click.echo(printable(page))
