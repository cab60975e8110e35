"""`penstock kv`: what flows remember between their runs. Reading needs no engine; writing goes to whoever has one."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from engine.cli.commands import Group, open_engine, open_history
from engine.cli.executions import shortened
from engine.cli.sources import stdin_text
from engine.cli.terminal import dim, printable, relative_time, say_json, table
from engine.errors import NotFound, TaskFailed, UsageError
from engine.model.keyvalue import KEY, KeyValue, ValueType

if TYPE_CHECKING:
    from engine.ports import Store


@click.group(cls=Group)
def kv() -> None:
    """Look at and change what flows remember."""


@kv.command("list")
@click.argument("namespace", required=False)
@click.option("--prefix", default="", help="Only keys that begin so.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def list_keys(namespace: str | None, prefix: str, as_json: bool) -> None:
    """List the keys of a namespace, or of all."""
    with open_history() as store:
        pairs = _living(store, namespace, prefix)
    if as_json:
        say_json([_pair_json(pair) for pair in pairs])
    elif not pairs:
        click.echo(dim("No keys. `penstock kv set NAMESPACE KEY VALUE` sets one."))
    else:
        now = datetime.now(UTC)
        click.echo(table(("NAMESPACE", "KEY", "TYPE", "VALUE", "SET", "EXPIRES"), [_row(pair, now) for pair in pairs]))


def _row(pair: KeyValue, now: datetime) -> tuple[str, ...]:
    expires = relative_time(pair.expires_at, now) if pair.expires_at else ""
    return (
        pair.namespace,
        pair.key,
        pair.type.value,
        shortened(pair.value, 40),
        relative_time(pair.updated_at, now),
        expires,
    )


@kv.command()
@click.argument("namespace")
@click.argument("key")
@click.option("--json", "as_json", is_flag=True, help="Print the value with all that is known about it.")
def get(namespace: str, key: str, as_json: bool) -> None:
    """Print a value: text as it is, anything else as JSON."""
    with open_history() as store:
        pair = _found(store, namespace, key)
    if as_json:
        say_json(_pair_json(pair))
    elif isinstance(pair.value, str):
        click.echo(printable(pair.value))
    else:
        say_json(pair.value)


@kv.command("set")
@click.argument("namespace")
@click.argument("key")
@click.argument("value")
@click.option(
    "--type",
    "type_",
    type=click.Choice([*ValueType], case_sensitive=False),
    default=ValueType.STRING,
    show_default=True,
    help="How the value is read.",
)
@click.option("--ttl", metavar="DURATION", help="How long it is kept, such as PT1H or P30D; by default for ever.")
@click.option("--description", help="What it is for.")
@click.option("--no-overwrite", is_flag=True, help="Fail if the key is set already.")
def set_key(
    namespace: str, key: str, value: str, type_: str, ttl: str | None, description: str | None, no_overwrite: bool
) -> None:
    """Set a key. VALUE may be - for stdin."""
    from engine.model.duration import parse_duration

    _check_names(namespace, key)
    text = stdin_text() if value == "-" else value
    try:
        length = None if ttl is None else parse_duration(ttl)
        with open_engine() as engine:
            done = engine.kv.set(
                namespace,
                key,
                text,
                type=ValueType(type_),
                ttl=length,
                description=description,
                overwrite=not no_overwrite,
            )
    except (ValueError, TaskFailed) as error:
        raise UsageError(str(error)) from None
    if not done:
        raise UsageError(f"{key} is set in {namespace} already", hint="leave out --no-overwrite to replace it")
    click.echo(f"{key} is set in {namespace}")


@kv.command()
@click.argument("namespace")
@click.argument("key")
def delete(namespace: str, key: str) -> None:
    """Remove a key."""
    _check_names(namespace, key)
    with open_history() as store:
        _found(store, namespace, key)
    with open_engine() as engine:
        engine.kv.delete(namespace, key)
    click.echo(f"{key} is gone from {namespace}")


def _living(store: Store, namespace: str | None, prefix: str) -> list[KeyValue]:
    """The pairs that have not expired, but for those that tasks keep for themselves."""
    now = datetime.now(UTC)
    pairs = store.kv_list(namespace, prefix)
    return [pair for pair in pairs if not (pair.is_expired(now) or pair.key.startswith("_"))]


def _found(store: Store, namespace: str, key: str) -> KeyValue:
    """The pair. Raises NotFound."""
    from engine.dialect.suggest import did_you_mean, nearest

    pair = store.kv_get(namespace, key)
    if pair is None or pair.key.startswith("_") or pair.is_expired(datetime.now(UTC)):
        known = [each.key for each in _living(store, namespace, "")]
        hint = did_you_mean(nearest(key, known)) or "`penstock kv list` shows what there is"
        raise NotFound(f"there is no key {key} in {namespace}", hint=hint)
    return pair


def _check_names(namespace: str, key: str) -> None:
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]*", namespace):
        raise UsageError(f"{namespace} cannot be a namespace", hint="write it as a flow does, such as company.team")
    if not KEY.fullmatch(key):
        hint = "a key is made of letters, digits, `.`, `_` and `-`, and begins with a letter or a digit"
        raise UsageError(f"{key} cannot be a key", hint=hint)


def _pair_json(pair: KeyValue) -> dict[str, Any]:
    from engine.present import iso_time

    return {
        "namespace": pair.namespace,
        "key": pair.key,
        "type": pair.type.value,
        "value": pair.value,
        "description": pair.description,
        "creationDate": iso_time(pair.created_at),
        "updateDate": iso_time(pair.updated_at),
        "expirationDate": iso_time(pair.expires_at) if pair.expires_at else None,
    }
