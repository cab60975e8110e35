"""`penstock triggers`: what can be done to a trigger. What can be looked at is in `engine.cli.triggers`."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from engine.cli.commands import key_values, open_engine
from engine.cli.triggers import instant, triggers
from engine.errors import UsageError
from engine.model.scheduling import TriggerKey

_TRIGGER = click.argument("trigger", metavar="NAMESPACE/FLOW/TRIGGER")


def _key(text: str) -> TriggerKey:
    parts = text.split("/")
    if len(parts) != 3 or not all(parts):
        raise UsageError(f"`{text}` names no trigger", hint="write NAMESPACE/FLOW/TRIGGER, as `triggers list` has them")
    return TriggerKey(*parts)


@triggers.command()
@_TRIGGER
def disable(trigger: str) -> None:
    """Have a trigger start nothing until it is enabled again. What comes due meanwhile is not made up for."""
    key = _key(trigger)
    with open_engine() as engine:
        engine.triggers.disable(key)
    click.echo(f"{key} is disabled.")


@triggers.command()
@_TRIGGER
def enable(trigger: str) -> None:
    """Have a trigger start executions again, from now on."""
    key = _key(trigger)
    with open_engine() as engine:
        engine.triggers.enable(key)
    click.echo(f"{key} is enabled.")


@triggers.command()
@_TRIGGER
@click.option("--from", "start", metavar="INSTANT", help="The first date, in ISO-8601.")
@click.option("--to", "end", metavar="INSTANT", help="The last date; by default now.")
@click.option("--input", "-i", "inputs", multiple=True, metavar="NAME=VALUE", help="An input that wins over its own.")
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="A label of each execution.")
@click.option("--pause", "wish", flag_value="pause", help="Make up for nothing more until it is resumed.")
@click.option("--resume", "wish", flag_value="resume", help="Go on with one that is paused.")
@click.option("--delete", "wish", flag_value="delete", help="Give it up; what has begun goes on.")
def backfill(
    trigger: str, start: str | None, end: str | None, inputs: tuple[str, ...], labels: tuple[str, ...], wish: str | None
) -> None:
    """Start an execution for each date of a Schedule that has been, one after the other.

    A server does the work; `triggers list` shows how far it is.
    """
    key = _key(trigger)
    if (wish is None) == (start is None):
        raise UsageError("say from when on (--from), or what becomes of the backfill (--pause, --resume, --delete)")
    with open_engine() as engine:
        match wish:
            case "pause" | "resume":
                engine.triggers.pause_backfill(key, paused=wish == "pause")
                click.echo(f"The backfill of {key} {'is paused' if wish == 'pause' else 'goes on'}.")
            case "delete":
                engine.triggers.delete_backfill(key)
                click.echo(f"The backfill of {key} is given up.")
            case _:
                assert start is not None
                until = instant(end, "--to") if end is not None else datetime.now(UTC)
                made = engine.triggers.backfill(
                    key, instant(start, "--from"), until, key_values(inputs, "--input"), key_values(labels, "--label")
                )
                click.echo(f"{key} makes up for its dates from {made.start.isoformat()} to {made.end.isoformat()}.")
