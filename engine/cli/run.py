"""`penstock run`: run a flow here and now, follow it to its end, and answer with an exit code that says how it went."""

from __future__ import annotations

import sys
from contextlib import nullcontext, redirect_stdout
from functools import partial

import click

from engine.cli.commands import Command, key_values, open_engine
from engine.cli.terminal import say_hint
from engine.cli.watching import conclude, exit_code, watched
from engine.errors import InputsInvalid
from engine.sources import check_file, looks_like_file


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
            start = partial(engine.run, definition, inputs, marks)
            with redirect_stdout(sys.stderr) if as_json else nullcontext():  # what a task prints is not the answer
                execution = watched(engine, start, quiet=quiet or as_json)
        except InputsInvalid as invalid:
            raise explained(invalid, definition) from None
        conclude(execution, as_json=as_json, quiet=quiet)  # before what other commands may still have running here
    return exit_code(execution)
