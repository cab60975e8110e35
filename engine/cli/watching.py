"""A command that sees an execution to its end: it shows what happens, stops it on Ctrl-C, and says how it went."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from engine.cli.terminal import abandon_stdout, dim, human_duration, printable, say_error, say_hint, say_json, state

if TYPE_CHECKING:
    from engine.app import Engine
    from engine.model.execution import Execution, TaskRun
    from engine.ports import LogLine
    from engine.runtime.followers import OnChange

#: Seconds without news after which an execution is looked at.
_SILENCE = 1.0
_EXIT_CODES = {"SUCCESS": 0, "WARNING": 0, "SKIPPED": 0, "PAUSED": 3}


class _WaitsForPerson(Exception):
    """The execution is paused, and nothing but a person's decision will move it."""

    def __init__(self, execution: Execution) -> None:
        self.execution = execution


def exit_code(execution: Execution) -> int:
    """What a command answers that followed the execution."""
    return _EXIT_CODES.get(execution.state, 1)


def watched(engine: Engine, follow: Callable[[OnChange], Execution], *, quiet: bool) -> Execution:
    """Have `follow` follow an execution under a view, and under Ctrl-C."""
    from engine.cli.following import view_for
    from engine.cli.interrupts import interrupts_ask

    execution_id: str | None = None
    stopping = False

    def stop() -> None:
        nonlocal stopping
        stopping = True
        if execution_id is not None:
            engine.interrupt(execution_id)
            view.notice("Stopping; press Ctrl-C again to leave at once.")

    def farewell() -> str:
        return f"Left at once. `penstock executions show {execution_id or 'latest'}` tells what was reached."

    def on_change(execution: Execution, runs: Sequence[TaskRun], logs: Sequence[LogLine]) -> None:
        nonlocal execution_id
        if execution_id is None:
            execution_id = execution.id
            if stopping:
                stop()
            others = [id_ for id_ in engine.left_behind if id_ != execution_id]
            if others and not quiet:
                _tell_left_behind(len(others))
        execution_id = execution.id  # one that is retried goes on as another
        view.update(execution, runs, logs)
        if execution.awaits_decision:
            raise _WaitsForPerson(execution)

    with view_for(quiet=quiet) as view, interrupts_ask(stop, farewell):
        try:
            return follow(on_change)
        except _WaitsForPerson as paused:
            return paused.execution


def seen_to_its_end(engine: Engine, execution_id: str) -> Execution:
    """Follow an execution in silence until it ends, or waits for a person; perhaps it does so already."""

    def on_change(execution: Execution, runs: Sequence[TaskRun], logs: Sequence[LogLine]) -> None:
        if execution.awaits_decision:
            raise _WaitsForPerson(execution)

    while True:
        try:
            return engine.follow(execution_id, on_change, timeout=_SILENCE)
        except _WaitsForPerson as paused:
            return paused.execution
        except TimeoutError:
            if (execution := engine.execution(execution_id)).awaits_decision:
                return execution


def _tell_left_behind(count: int) -> None:
    them = "An execution was" if count == 1 else f"{count} executions were"
    say_hint(
        f"{them} left behind by an engine that is gone. `penstock executions list` shows what is not finished, "
        "`penstock executions recover` goes on with it."
    )


def conclude(execution: Execution, *, as_json: bool, quiet: bool) -> None:
    """The last words: how it went, what it gave, and after a failure where to look."""
    try:
        _print_result(execution, as_json=as_json, quiet=quiet)
    except BrokenPipeError:
        abandon_stdout()
    if exit_code(execution) == 1:
        say_error(_reason(execution))
        say_hint(f"penstock executions logs {execution.id}")
    elif execution.state == "PAUSED":
        tell_waiting(execution)


def tell_waiting(execution: Execution) -> None:
    """What a person can do about it."""
    say_hint(f"it waits for a decision; this lets it go on: penstock executions resume {execution.id}")


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
