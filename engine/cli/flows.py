"""`penstock flows`: the flows that are stored, and what they looked like at each revision."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from engine.cli.commands import Group, open_engine, open_history
from engine.cli.sources import flow_files
from engine.cli.terminal import dim, printable, relative_time, say_json, table
from engine.errors import FlowInvalid, NotFound

if TYPE_CHECKING:
    from engine.model.diagnostic import Diagnostic
    from engine.model.flow import Flow


@click.group(cls=Group)
def flows() -> None:
    """The flows that are stored: look at them, add to them."""


@flows.command("list")
@click.option("--namespace", "-n", help="Only flows of this namespace and those below it.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def list_flows(namespace: str | None, as_json: bool) -> None:
    """List the stored flows."""
    from engine.present import flow_json

    with open_history() as store:
        records = store.flows(namespace)
    if as_json:
        say_json([flow_json(record) for record in records])
    elif not records:
        click.echo(dim("No flows yet. `penstock run FLOW.yaml` stores the flow that it runs."))
    else:
        now = datetime.now(UTC)
        rows = [
            (
                f"{record.namespace}/{record.id}" + (dim(" (disabled)") if record.disabled else ""),
                str(record.revision),
                relative_time(record.created_at, now),
            )
            for record in records
        ]
        click.echo(table(("FLOW", "REVISION", "STORED"), rows))


@flows.command()
@click.argument("flow", metavar="NAMESPACE/ID")
@click.option("--revision", type=click.IntRange(min=1), help="An older revision; by default the newest.")
@click.option("--json", "as_json", is_flag=True, help="Print the flow's head and source as JSON.")
def show(flow: str, revision: int | None, as_json: bool) -> None:
    """Print a stored flow as it was written."""
    from engine.present import flow_json

    with open_history() as store:
        names = [(record.namespace, record.id) for record in store.flows()]
        found = [name for name in names if flow in ("/".join(name), ".".join(name))]
        record = store.flow(*found[0], revision) if len(found) == 1 else None
    if len(found) > 1:
        raise NotFound(f"{flow} could mean {' or '.join('/'.join(name) for name in found)}", hint="write it with a /")
    if record is None:
        missing = f"there is no flow {flow}" if not found else f"{flow} has no revision {revision}"
        raise NotFound(missing, hint="`penstock flows list` shows what there is")
    if as_json:
        say_json(flow_json(record, with_source=True))
    else:
        click.echo(printable(record.source), nl=not record.source.endswith("\n"))


@flows.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
def push(paths: tuple[str, ...]) -> None:
    """Store flows without running them, so that others can call them. A folder stands for all flows below it.

    All of them are checked first: when one is not valid, none is stored.
    """
    with open_engine() as engine:
        valid: list[Flow] = []
        wrong: list[Diagnostic] = []
        for path in flow_files(paths):
            try:
                valid.append(engine.load(path))
            except FlowInvalid as error:
                wrong.extend(error.diagnostics)
        if wrong:
            raise FlowInvalid(f"{len(wrong)} errors, so nothing is stored", wrong)
        for flow in valid:
            click.echo(f"{flow.namespace}/{flow.id}  revision {engine.push(flow)}")
