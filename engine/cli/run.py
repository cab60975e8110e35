"""`penstock run`: run a flow here and now, follow it to its end, and answer with an exit code that says how it went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from engine.cli.commands import Command, key_values, open_engine
from engine.cli.sources import MAX_INPUT_BYTES, read_source
from engine.cli.terminal import abandon_stdout, dim, human_duration, printable, say_error, say_hint, say_json, state
from engine.errors import FlowInvalid, UsageError
from engine.sources import check_file, looks_like_file

if TYPE_CHECKING:
    from engine.app import Engine
    from engine.model.execution import Execution, TaskRun
    from engine.ports import LogLine

_EXIT_CODES = {"SUCCESS": 0, "WARNING": 0, "SKIPPED": 0, "PAUSED": 3}


class _WaitsForPerson(Exception):
    """The execution is paused, and nothing but a person's decision will move it."""

    def __init__(self, execution: Execution) -> None:
        self.execution = execution


@click.command(cls=Command)
@click.argument("flow", metavar="FLOW.yaml | NAMESPACE/ID")
@click.option(
    "-i", "--input", "given", multiple=True, metavar="NAME=VALUE", help="An input; NAME=@FILE takes a file's text."
)
@click.option("--inputs", "inputs_file", metavar="FILE", help="Inputs from a YAML or JSON file; -i wins over it.")
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="A label for the execution.")
@click.option("--json", "as_json", is_flag=True, help="Print the execution as JSON, and nothing else.")
@click.option("--quiet", "-q", is_flag=True, help="Print nothing but errors.")
def run(
    flow: str, given: tuple[str, ...], inputs_file: str | None, labels: tuple[str, ...], as_json: bool, quiet: bool
) -> int:
    """Run a flow and follow it to its end.

    Exits 0 for SUCCESS and WARNING, 1 for FAILED, KILLED or CANCELLED, 2 for an invalid flow or command, 3 while
    PAUSED for a person's decision, 4 when another engine holds the database and does not answer.
    """
    if looks_like_file(flow):
        check_file(flow)
    inputs = {**_inputs_from(inputs_file), **_inputs_given(given)}
    marks = key_values(labels, "--label")
    with open_engine() as engine:
        if not quiet:
            engine.on_wait = say_hint
        execution = _followed(engine, flow, inputs, marks, quiet=quiet or as_json)
        _conclude(execution, as_json=as_json, quiet=quiet)  # before what other commands may still have running here
    return _EXIT_CODES.get(execution.state, 1)


def _inputs_from(file: str | None) -> dict[str, Any]:
    """The inputs of a YAML or JSON file."""
    if file is None:
        return {}
    from engine.dialect import report
    from engine.dialect.document import read
    from engine.dialect.source import decode

    try:
        document = read(decode(read_source(file), file))
    except FlowInvalid as invalid:
        raise UsageError(report(invalid.diagnostics)) from None
    if document.problems:
        raise UsageError(report(document.problems))
    if not isinstance(document.data, dict | None):
        raise UsageError(f"{file} should hold a map from input names to values")
    return dict(document.data or {})


def _inputs_given(given: Sequence[str]) -> dict[str, str]:
    """`-i name=value`, `-i name=@file`; `@@` stands for a value that begins with @."""
    inputs = key_values(given, "--input")
    for name, value in inputs.items():
        if value.startswith("@@"):
            inputs[name] = value[1:]
        elif value.startswith("@"):
            try:
                inputs[name] = read_source(value[1:], MAX_INPUT_BYTES).decode()
            except UnicodeDecodeError:
                raise UsageError(f"{value[1:]} is not UTF-8 text") from None
    return inputs


def _followed(
    engine: Engine, flow: str, inputs: Mapping[str, Any], labels: Mapping[str, str], *, quiet: bool
) -> Execution:
    """Run the flow under a view, and under Ctrl-C."""
    from engine.cli.following import view_for
    from engine.cli.interrupts import interrupts_ask

    definition = engine.load(flow)
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
            return engine.run(definition, inputs, labels, on_change)
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
    from engine.present import execution_json

    if as_json:
        say_json(execution_json(execution))
    elif not quiet:
        took = human_duration(execution.history[-1].at - execution.started_at)
        name = f"{execution.namespace}/{execution.flow_id}"
        click.echo(f"{state(execution.state)}  {name}  {execution.id}  {dim(took)}")
        for key, value in (execution.outputs or {}).items():
            click.echo(f"  {key}: {shortened(value)}")


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
