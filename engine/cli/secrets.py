"""`penstock secrets`: values that flows use and nobody sees. No command ever prints one."""

from __future__ import annotations

import os
import sys

import click

from engine.cli.commands import Group, current_project, open_engine, open_history
from engine.cli.sources import stdin_text
from engine.cli.terminal import dim, say_hint, say_json, table
from engine.errors import NotFound, UsageError
from engine.model.keyvalue import KEY


@click.group(cls=Group)
def secrets() -> None:
    """Keep values that flows read with secret('KEY')."""


@secrets.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def list_secrets(as_json: bool) -> None:
    """List the names of all secrets, and where each is found: environment, .env or store."""
    with open_history() as store:
        stored = {record.key for record in store.secret_list()}
    found = {**dict.fromkeys(sorted(stored), "store"), **_outside()}
    if as_json:
        say_json([{"key": key, "source": place} for key, place in sorted(found.items())])
    elif not found:
        click.echo(dim("No secrets. `penstock secrets set KEY` keeps one."))
    else:
        hidden = {key: dim(" (hides the stored one)") for key in stored if found[key] != "store"}
        click.echo(table(("KEY", "FOUND IN"), [(key, found[key] + hidden.get(key, "")) for key in sorted(found)]))


@secrets.command("set")
@click.argument("key")
@click.option("--value", help="The value itself. Other users of this machine can see it while the command runs.")
def set_secret(key: str, value: str | None) -> None:
    """Keep a secret, sealed. The value is asked for, or read from stdin."""
    if not KEY.fullmatch(key):
        hint = "a name is made of letters, digits, `.`, `_` and `-`, and begins with a letter or a digit"
        raise UsageError(f"{key} cannot be the name of a secret", hint=hint)
    secret = _given() if value is None else value
    if not secret:
        raise UsageError("a secret cannot be empty", hint=f"`penstock secrets delete {key}` removes it")
    with open_engine() as engine:
        engine.stored_secrets.set(key, secret)
    click.echo(f"{key.upper()} is kept")
    place = _outside().get(key.upper())
    if place is not None:
        say_hint(f"flows do not see it yet: SECRET_{key.upper()} in the {place} comes first")


def _given() -> str:
    if sys.stdin is not None and sys.stdin.isatty():
        return str(click.prompt("Value", hide_input=True, confirmation_prompt=True, default="", show_default=False))
    return stdin_text()


@secrets.command()
@click.argument("key")
def delete(key: str) -> None:
    """Remove a secret from the store."""
    from engine.dialect.suggest import did_you_mean, nearest

    name = key.upper()
    with open_history() as store:
        known = [record.key for record in store.secret_list()]
    if name not in known:
        place = _outside().get(name)
        hint = f"it is in the {place}" if place else did_you_mean(nearest(name, known))
        raise NotFound(f"no secret {name} is stored", hint=hint or "`penstock secrets list` shows what there is")
    with open_engine() as engine:
        engine.stored_secrets.delete(name)
    click.echo(f"{name} is gone")


def _outside() -> dict[str, str]:
    """The secrets that are found before the stored ones, each with its place."""
    from engine.runtime.secrets import Secrets

    project, settings = current_project()
    return Secrets(os.environ, project.folder / settings.secrets.env_file).names()
