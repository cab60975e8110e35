"""`penstock run`: run a flow here and now, follow it to its end, and answer with an exit code that says how it went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from engine.cli.commands import Command, key_values, open_engine
from engine.cli.terminal import abandon_stdout, dim, human_duration, printable, say_error, say_hint, say_json, state
from engine.errors import InputsInvalid
from engine.sources import check_file, looks_like_file

if TYPE_CHECKING:
    from engine.app import Engine
    from engine.model.execution import Execution, TaskRun
    from engine.model.flow import Flow
    from engine.ports import LogLine

_EXIT_CODES = {"SUCCESS": 0, "WARNING": 0, "SKIPPED": 0, "PAUSED": 3}


class _WaitsForPerson(Exception):
    """The execution is paused, and nothing but a person's decision will move it."""

    def __init__(self, execution: Execution) -> None:
        self.execution = execution


@click.command(cls=Command)
@click.argument("flow", metavar="FLOW.yaml | NAMESPACE/ID")
@click.option(
    "-i", "--input", "given", multiple=True, metavar="NAME=VALUE", help="An input; NAME=@FILE takes it from a file."
)
@click.option("--inputs", "inputs_file", metavar="FILE", help="Inputs from a YAML or JSON file; -i wins over it.")
@click.option("--no-input", is_flag=True, help="Ask for nothing; inputs that are missing are an error.")
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="A label for the execution.")
@click.option("--json", "as_json", is_flag=True, help="Print the execution as JSON, and nothing else.")
@click.option("--quiet", "-q", is_flag=True, help="Print nothing but errors.")
def run(
    flow: str,
    given: tuple[str, ...],
    inputs_file: str | None,
    no_input: bool,
    labels: tuple[str, ...],
    as_json: bool,
    quiet: bool,
) -> int:
    """Run a flow and follow it to its end.

    Exits 0 for SUCCESS and WARNING, 1 for FAILED, KILLED or CANCELLED, 2 for an invalid flow or command, 3 while
    PAUSED for a person's decision, 4 when another engine holds the database and does not answer.
    """
    from engine.cli.inputs import ask, can_ask, explained, inputs_of

    if looks_like_file(flow):
        check_file(flow)
    marks = key_values(labels, "--label")
    with open_engine() as engine:
        if not quiet:
            engine.on_wait = say_hint
        definition = engine.load(flow)
        inputs = inputs_of(definition, given, inputs_file)
        try:
            if can_ask() and not (no_input or quiet or as_json):
                inputs = engine.completed_inputs(definition, inputs, ask)
            execution = _followed(engine, definition, inputs, marks, quiet=quiet or as_json)
        except InputsInvalid as invalid:
            raise explained(invalid, definition) from None
        _conclude(execution, as_json=as_json, quiet=quiet)  # before what other commands may still have running here
    return _EXIT_CODES.get(execution.state, 1)


def _followed(
    engine: Engine, flow: Flow, inputs: Mapping[str, Any], labels: Mapping[str, str], *, quiet: bool
) -> Execution:
    """Run the flow under a view, and under Ctrl-C."""
    from engine.cli.following import view_for
    from engine.cli.interrupts import interrupts_ask

    execution_id: str | None = None
    stopping = False

    def stop() -> None:
        nonlocal stopping
        stopping = True
        if execution_id is not None:
            engine.kill(execution_id)
            view.notice("Stopping; press Ctrl-C again to leave at once.")

    def farewell() -> str:
        return f"Left at once. `penstock executions show {execution_id or 'latest'}` tells what was reached."

    def on_change(execution: Execution, runs: Sequence[TaskRun], logs: Sequence[LogLine]) -> None:
        nonlocal execution_id
        if execution_id is None:
            execution_id = execution.id
            if stopping:
                stop()
            if engine.left_behind and not quiet:
                _tell_left_behind(len(engine.left_behind))
        view.update(execution, runs, logs)
        if execution.awaits_decision:
            raise _WaitsForPerson(execution)

    with view_for(quiet=quiet) as view, interrupts_ask(stop, farewell):
        try:
            return engine.run(flow, inputs, labels, on_change)
        except _WaitsForPerson as paused:
            return paused.execution


def _tell_left_behind(count: int) -> None:
    them = "An execution was" if count == 1 else f"{count} executions were"
    say_hint(
        f"{them} left behind by an engine that is gone. `penstock executions list` shows what is not finished, "
        "`penstock executions recover` goes on with it."
    )


def _conclude(execution: Execution, *, as_json: bool, quiet: bool) -> None:
    """The last words: how it went, what it gave, and after a failure where to look."""
    try:
        _print_result(execution, as_json=as_json, quiet=quiet)
    except BrokenPipeError:
        abandon_stdout()
    if _EXIT_CODES.get(execution.state, 1) == 1:
        say_error(_reason(execution))
        say_hint(f"penstock executions logs {execution.id}")
    elif execution.state == "PAUSED":
        say_hint(f"it waits for a decision: penstock executions show {execution.id}")


def _print_result(execution: Execution, *, as_json: bool, quiet: bool) -> None:
    from engine.cli.executions import shortened
    from engine.present import execution_json, json_ready

    if as_json:
        say_json(execution_json(execution))
    elif not quiet:
        took = human_duration(execution.history[-1].at - execution.started_at)
        name = f"{execution.namespace}/{execution.flow_id}"
        click.echo(f"{state(execution.state)}  {name}  {execution.id}  {dim(took)}")
        for key, value in (execution.outputs or {}).items():
            click.echo(f"  {key}: {shortened(json_ready(value))}")


def _reason(execution: Execution) -> str:
    """Which task failed, and why."""
    from engine.cli.tree import run_title
    from engine.present import first_failure

    if execution.state == "KILLED":
        return "the execution was killed"
    failed = first_failure(execution.task_runs.values())
    if failed is None:
        return printable(execution.error or f"the execution ended as {execution.state}")
    return f"task {run_title(failed)} failed: {printable(failed.error or execution.error or 'it did not say why')}"
