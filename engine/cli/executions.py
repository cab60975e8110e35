"""`penstock executions`: what has run, how it went, what it said and what it gave."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from engine.cli.commands import Group, current_project, database_file, key_values, open_engine, open_history
from engine.cli.terminal import (
    dim,
    human_duration,
    is_terminal,
    level,
    printable,
    relative_time,
    say_error,
    say_json,
    speaks_unicode,
    state,
    table,
)
from engine.errors import NotFound
from engine.model.state import State

if TYPE_CHECKING:
    from engine.model.execution import Execution
    from engine.ports import ExecutionSummary, LogLine, Store

_LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR")
_TREE_LINES = 200


@click.group(cls=Group)
def executions() -> None:
    """Look at what has run, and do something about it. ID may be `latest`."""


@executions.command("list")
@click.option("--namespace", "-n", help="Only this namespace and those below it.")
@click.option("--flow", "-f", "flow_id", metavar="ID", help="Only this flow.")
@click.option(
    "--state", "-s", "states", multiple=True, type=click.Choice(list(State), case_sensitive=False), help="Only these."
)
@click.option("--label", "-l", "labels", multiple=True, metavar="KEY=VALUE", help="Only those with this label.")
@click.option("--limit", type=click.IntRange(1, 1000), default=25, show_default=True, help="How many at most.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def list_executions(
    namespace: str | None,
    flow_id: str | None,
    states: tuple[State, ...],
    labels: tuple[str, ...],
    limit: int,
    as_json: bool,
) -> None:
    """List executions, newest first."""
    from engine.ports import ExecutionFilter
    from engine.present import summary_json

    where = ExecutionFilter(
        namespace=namespace, flow_id=flow_id, states=states, labels=key_values(labels, "--label"), limit=limit
    )
    with open_history() as store:
        page, total = store.executions(where)
    if as_json:
        say_json([summary_json(summary) for summary in page])
    elif not page:
        click.echo(dim("No executions." if total or where != ExecutionFilter(limit=limit) else "Nothing has run yet."))
    else:
        now = datetime.now(UTC)
        click.echo(table(("STATE", "ID", "FLOW", "STARTED", "TOOK"), [_row(summary, now) for summary in page]))
        if total > len(page):
            click.echo(dim(f"{len(page)} of {total:,}; --limit shows more"))


def _row(summary: ExecutionSummary, now: datetime) -> tuple[str, ...]:
    took = human_duration(summary.ended_at - summary.started_at) if summary.ended_at else ""
    flow = f"{summary.namespace}/{summary.flow_id}"
    return state(summary.state), summary.id, flow, relative_time(summary.started_at, now), took


@executions.command()
@click.argument("execution_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print the execution as JSON, in Kestra's shape.")
def show(execution_id: str, as_json: bool) -> None:
    """Show one execution: its state, its tasks, what it was given and what it gave."""
    from engine.present import execution_json

    with open_history() as store:
        execution = found(store, execution_id)
        unfinished = None if as_json or execution.is_terminal else _why_unfinished(store, execution.id)
    if as_json:
        say_json(execution_json(execution))
        return
    for line in _described(execution):
        click.echo(line)
    if unfinished is not None:
        click.echo(unfinished)


def _why_unfinished(store: Store, execution_id: str) -> str:
    """What an open execution waits for: an engine that runs, or somebody to take it over."""
    from engine.store import owner_of
    from engine.store.owner import last_owner

    _, settings = current_project()
    file = database_file(settings)
    if file is None:
        from engine.runtime.membership import is_dead

        there = store.sharing.owner(execution_id) if store.sharing is not None else None
        is_moved = there is not None and not is_dead(there)
        return dim(f"its engine runs as {there}") if is_moved else _nobody("no engine runs it now")
    if owner := owner_of(file):
        return dim(f"its engine runs as process {owner.pid}")
    last = last_owner(file)
    gone = f"its engine, process {last.pid}, is gone" if last else "its engine is gone"
    return _nobody(gone)


def _nobody(why: str) -> str:
    return click.style(f"{why}; `penstock executions recover` goes on with it", fg="yellow")


def _described(execution: Execution) -> Iterator[str]:
    from engine.cli.tree import tree_text
    from engine.present import ExecutionTree, json_ready

    now = datetime.now(UTC)
    took = (execution.ended_at or now) - execution.started_at
    flow = f"{execution.namespace}/{execution.flow_id}"
    yield f"{state(execution.state)}  {flow} {dim(f'revision {execution.flow_revision}')}  {execution.id}"
    yield dim(f"started {execution.started_at.astimezone():%Y-%m-%d %H:%M:%S}, took {human_duration(took)}")
    labels = [f"{key}={printable(value)}" for key, value in execution.labels.items() if not key.startswith("system.")]
    if labels:
        yield dim("labels ") + ", ".join(labels)
    tree = ExecutionTree(execution.task_runs.values())
    yield from tree_text(tree.lines(_TREE_LINES if is_terminal() else None), now, unicode=speaks_unicode())
    if execution.error:
        yield click.style(printable(execution.error), fg="red")
    for name, values in (("Inputs", execution.inputs), ("Outputs", execution.outputs)):
        if values:
            yield dim(name)
            yield from (f"  {key}: {shortened(json_ready(value))}" for key, value in values.items())


@executions.command()
@click.argument("execution_id", metavar="ID")
@click.option("--task", "task_id", metavar="ID", help="Only what this task wrote.")
@click.option(
    "--level", "least", type=click.Choice(_LEVELS, case_sensitive=False), help="Only lines of this level or above."
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def logs(execution_id: str, task_id: str | None, least: str | None, as_json: bool) -> None:
    """Print what an execution wrote to its log."""
    from engine.present import log_json
    from engine.runtime.log_lines import log_lines

    with open_history() as store:
        execution = found(store, execution_id)
        lines = log_lines(store, execution.id, task_id=task_id, min_level=least)
        if as_json:
            say_json([log_json(line) for line in lines])
        else:
            for line in lines:
                click.echo(log_text(line))


def log_text(line: LogLine) -> str:
    """A log line for people, with the time of day where they are."""
    at = f"{line.at.astimezone():%H:%M:%S.%f}"[:-3]
    return f"{dim(at)}  {level(line.level)}     {line.task_id or ''}  {printable(line.message)}"


@executions.command()
@click.argument("execution_id", metavar="ID")
@click.option("--task", "task_id", metavar="ID", help="What this task gave, instead of the flow.")
def outputs(execution_id: str, task_id: str | None) -> None:
    """Print the outputs of an execution, or of one of its tasks, as JSON.

    A task that ran several times gives a list with the value it ran for beside each of its outputs.
    """
    from engine.present import execution_json

    with open_history() as store:
        shown = execution_json(found(store, execution_id))
    if task_id is None:
        say_json(shown.get("outputs", {}))
        return
    runs = [run for run in shown["taskRunList"] if run["taskId"] == task_id]
    if not runs:
        known = ", ".join(dict.fromkeys(run["taskId"] for run in shown["taskRunList"]))
        raise NotFound(f"no task {task_id} ran in {shown['id']}", hint=f"these did: {known}" if known else None)
    if len(runs) == 1:
        say_json(runs[0].get("outputs", {}))
    else:
        say_json([{"value": run.get("value"), "outputs": run.get("outputs", {})} for run in runs])


@executions.command()
def recover() -> int:
    """Take over the executions whose engine is gone, and see them to their ends, or until they wait for a person.

    Exits 1 if one of them does not end well or cannot go on, else 3 if one of them waits.
    """
    from engine.cli.watching import exit_code, seen_to_its_end, tell_waiting

    with open_engine() as engine:
        going_on = engine.recover()
        refused = engine.refused
        ended = [seen_to_its_end(engine, execution_id) for execution_id in going_on]
    for execution in ended:
        click.echo(f"{state(execution.state)}  {execution.namespace}/{execution.flow_id}  {execution.id}")
        if execution.state is State.PAUSED:
            tell_waiting(execution)
    if refused:
        say_error(f"{len(refused)} of the executions that were left behind cannot go on, for the reasons above")
    elif not ended:
        click.echo(dim("Nothing to recover."))
    codes = {exit_code(execution) for execution in ended}
    return 1 if refused or 1 in codes else max(codes, default=0)


def found(store: Store, execution_id: str) -> Execution:
    """The execution, or NotFound. `latest` is the one that started last."""
    from engine.ports import ExecutionFilter

    if execution_id == "latest":
        page, _ = store.executions(ExecutionFilter(limit=1))
        if not page:
            raise NotFound("nothing has run yet")
        execution_id = page[0].id
    execution = store.execution(execution_id)
    if execution is None:
        raise NotFound(f"there is no execution {execution_id}", hint="`penstock executions list` shows what there is")
    return execution


def shortened(value: Any, limit: int = 200) -> str:
    """A value on one line."""
    import json

    text = printable(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))
    text = text.replace("\n", " ")
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text):,} characters)"
