"""What every command has: `--home`, a did-you-mean for subcommands, and the way to the project's engine and history."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.errors import UsageError

if TYPE_CHECKING:
    from engine.app import Engine
    from engine.ports import Store
    from engine.settings import Project, Settings

_HOME = "engine.cli.home"


def home_option() -> click.Option:
    """`--home FOLDER`, the same before and after the subcommand; the last one counts."""

    def keep(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
        if value is not None:
            ctx.meta[_HOME] = value

    return click.Option(
        ["--home"], metavar="FOLDER", expose_value=False, callback=keep, help="Where the state lives, or should."
    )


class Command(click.Command):
    """A command that takes `--home` as well."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.params.append(home_option())


class Group(click.Group):
    """A group of such commands."""

    command_class = Command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None and not ctx.resilient_parsing:
            close = get_close_matches(name, self.list_commands(ctx), n=1)
            ctx.fail(f"no such command: {name}" + (f"; did you mean {close[0]}?" if close else ""))
        return super().resolve_command(ctx, args)


def current_home() -> str | None:
    """What --home said, if anything."""
    home: str | None = click.get_current_context().meta.get(_HOME)
    return home


def current_project() -> tuple[Project, Settings]:
    """The project that the command is about, and its settings."""
    from engine.settings import find_project, load_settings

    project = find_project(current_home())
    return project, load_settings(project)


def open_engine() -> Engine:
    """An engine on the project's state: it may run and write."""
    from engine.app import Engine
    from engine.cli.logs import show_engine_logs

    show_engine_logs()
    return Engine(current_home())


@contextmanager
def open_history() -> Iterator[Store]:
    """The project's store, for reading: also beside a running engine, and without creating anything."""
    from engine.cli.logs import show_engine_logs
    from engine.store import MemoryStore, open_store

    show_engine_logs()
    _, settings = current_project()
    assert settings.database.url is not None
    file = database_file(settings)
    is_there = file is None or file.exists()
    with closing(open_store(settings.database.url) if is_there else MemoryStore()) as store:
        yield store


def database_file(settings: Settings) -> Path | None:
    """The SQLite file; None when the state lives on a server."""
    return settings.database.file


def key_values(pairs: Sequence[str], option: str) -> dict[str, str]:
    """`name=value` options as a mapping. Raises UsageError."""
    values: dict[str, str] = {}
    for pair in pairs:
        try:
            key, equals, value = os.fsencode(pair).decode("utf-8").partition("=")
        except UnicodeDecodeError:
            raise UsageError(f"{option} {pair} is not valid UTF-8") from None
        if not (key and equals):
            raise UsageError(f"{option} {pair} is not name=value")
        if key in values:
            raise UsageError(f"{option} {key} is given twice")
        values[key] = value
    return values
