"""`penstock executions`: what can be done to an execution. What can be looked at is in `engine.cli.executions`.

Always true: a request that does not fit the execution's state changes nothing, says how the execution stands, and
exits 1; one that names what is not there exits 2.
"""

from __future__ import annotations

import getpass
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from engine.cli.commands import key_values, open_engine, open_history
from engine.cli.executions import executions, found
from engine.cli.terminal import say_error, say_hint, say_json, state
from engine.cli.watching import conclude, exit_code, watched
from engine.errors import IllegalState, InputsInvalid, UsageError
from engine.model.state import TERMINAL, State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.app import Engine
    from engine.model.execution import Execution
    from engine.model.flow import Flow

_Do = Callable[["Engine"], "Execution"]
_ENDS = sorted(TERMINAL - {State.RETRIED})


def _options(*, follows: bool) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """The argument and the options that all of them have; those that follow an execution have some more."""

    def decorate(command: Callable[..., int]) -> Callable[..., int]:
        decorated = _refusals(command)
        if follows:
            decorated = click.option("--quiet", "-q", is_flag=True, help="Print nothing but errors.")(decorated)
            decorated = click.option(
                "--detach", "--no-wait", is_flag=True, help="Return at once, and leave it to the engine that runs it."
            )(decorated)
        decorated = click.option("--json", "as_json", is_flag=True, help="Print the execution as JSON.")(decorated)
        return click.argument("execution_id", metavar="ID")(decorated)

    return decorate


def _refusals(command: Callable[..., int]) -> Callable[..., int]:
    """What does not fit an execution's state is no mistake of typing."""

    @wraps(command)
    def told(execution_id: str, **options: Any) -> int:
        with open_history() as store:
            id_ = found(store, execution_id).id
        try:
            return command(id_, **options)
        except IllegalState as refused:
            say_error(refused.message, refused.hint or f"`penstock executions show {id_}` tells how it stands")
            return 1

    return told


@contextmanager
def _engine(*, quiet: bool = False) -> Iterator[Engine]:
    with open_engine() as engine:
        if not quiet:
            engine.on_wait = say_hint
        yield engine


def _follow(id_: str, do: _Do, *, detach: bool, quiet: bool, as_json: bool) -> int:
    """Do something to an execution (or make the one with this id), and follow it unless that is not wanted."""
    with _engine(quiet=quiet) as engine:
        if detach:
            return _detached(engine, do(engine), as_json=as_json, quiet=quiet)
        execution = watched(
            engine,
            lambda on_change: engine.follow(id_, on_change, first=lambda: do(engine)),
            quiet=quiet or as_json,
        )
        conclude(execution, as_json=as_json, quiet=quiet)
    return exit_code(execution)


def _detached(engine: Engine, execution: Execution, *, as_json: bool, quiet: bool) -> int:
    _tell(execution, as_json=as_json, quiet=quiet)
    if engine.runs(execution.id):
        say_hint(
            "no other engine is there to run it, and this command ends now: "
            f"`penstock executions recover` goes on with {execution.id}"
        )
    return 0


def _tell(execution: Execution, *, as_json: bool, quiet: bool = False) -> None:
    from engine.present import execution_json

    if as_json:
        say_json(execution_json(execution))
    elif not quiet:
        click.echo(f"{state(execution.state)}  {execution.namespace}/{execution.flow_id}  {execution.id}")


def _me() -> str | None:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return None


_REVISION = click.option(
    "--revision", metavar="N|latest", callback=lambda _ctx, _param, value: _revision(value), help="Another revision."
)


def _revision(value: str | None) -> Any:
    if value is None or value == "latest":
        return value
    if not value.isdecimal() or int(value) < 1:
        raise UsageError(f"--revision {value} is neither a number nor `latest`")
    return int(value)


@executions.command()
@_options(follows=True)
@_REVISION
def restart(execution_id: str, revision: Any, detach: bool, quiet: bool, as_json: bool) -> int:
    """Run again what failed, was killed or is paused, in the same execution.

    On another revision of the flow it is a new execution, which keeps what went well.
    """
    following = {"detach": detach, "quiet": quiet, "as_json": as_json}
    if revision is None:
        return _follow(execution_id, lambda engine: engine.restart(execution_id, by=_me()), **following)
    from engine.runtime.ids import new_id

    id_ = new_id()
    return _follow(id_, lambda engine: engine.restart(execution_id, revision, new_id=id_), **following)


@executions.command()
@_options(follows=True)
@click.option("--from", "from_task", metavar="TASK", help="Begin at this task, as ID, ID[VALUE] or a task run's id.")
@_REVISION
@click.option("-i", "--input", "given", multiple=True, metavar="NAME=VALUE", help="An input that is to be another.")
@click.option("--inputs", "inputs_file", metavar="FILE", help="Such inputs from a YAML or JSON file; -i wins over it.")
@click.option("--output", "edits", multiple=True, metavar="TASK.KEY=VALUE", help="What a kept task is to have given.")
@click.option("--outputs", "outputs_file", metavar="FILE", help="Such outputs from a YAML or JSON file, by task.")
def replay(
    execution_id: str,
    from_task: str | None,
    revision: Any,
    given: tuple[str, ...],
    inputs_file: str | None,
    edits: tuple[str, ...],
    outputs_file: str | None,
    detach: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Do an execution again, as a new one: from the start, or from a task on.

    What came before that task is kept. Inputs may be changed, and so may the outputs of tasks that are kept.
    """
    from engine.cli.inputs import explained, inputs_of
    from engine.runtime.ids import new_id

    outputs = _outputs(edits, outputs_file)

    id_ = new_id()

    def do(engine: Engine) -> Execution:
        flow = engine.library.flow_of(engine.execution(execution_id))
        inputs = inputs_of(flow, given, inputs_file)
        try:
            return engine.replay(execution_id, from_task, revision=revision, inputs=inputs, outputs=outputs, new_id=id_)
        except InputsInvalid as invalid:
            raise explained(invalid, flow) from None

    return _follow(id_, do, detach=detach, quiet=quiet, as_json=as_json)


def _outputs(edits: Sequence[str], file: str | None) -> dict[str, dict[str, Any]]:
    """The outputs that `--outputs` and `--output` give, by task. A value is JSON, or else text."""
    import json

    from engine.cli.inputs import values_of_file

    outputs: dict[str, dict[str, Any]] = {}
    for task, values in values_of_file(file).items():
        if not isinstance(values, Mapping):
            raise UsageError(f"{file} should hold a map of outputs for the task {task}")
        outputs[task] = dict(values)
    for name, text in key_values(edits, "--output").items():
        task, dot, key = name.rpartition(".")
        if not (task and dot and key):
            raise UsageError(f"--output {name} should be TASK.KEY=VALUE")
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        outputs.setdefault(task, {})[key] = value
    return outputs


@executions.command()
@_options(follows=True)
@click.option("--task", metavar="TASK", help="Which pause, if there are several: as ID, ID[VALUE] or a task run's id.")
@click.option("-i", "--input", "given", multiple=True, metavar="NAME=VALUE", help="What the pause asks for.")
@click.option("--inputs", "inputs_file", metavar="FILE", help="The same from a YAML or JSON file; -i wins over it.")
def resume(
    execution_id: str,
    task: str | None,
    given: tuple[str, ...],
    inputs_file: str | None,
    detach: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Let a paused execution go on, with what its pause asks for."""
    from engine.cli.inputs import explained, inputs_of

    def do(engine: Engine) -> Execution:
        asked = _asked(engine.library.flow_of(engine.execution(execution_id)))
        try:
            return engine.resume(execution_id, inputs_of(asked, given, inputs_file), task=task, by=_me())
        except InputsInvalid as invalid:
            raise explained(invalid, asked) from None

    return _follow(execution_id, do, detach=detach, quiet=quiet, as_json=as_json)


def _asked(flow: Flow) -> Flow:
    """A flow whose inputs are what its pauses ask for."""
    from engine.model.flow import Pause

    asked = tuple(item for task in flow.walk() if isinstance(task, Pause) for item in task.on_resume)
    return flow.model_copy(update={"inputs": asked})


@executions.command()
@_options(follows=False)
def pause(execution_id: str, as_json: bool) -> int:
    """Let nothing new start. What runs goes on to its end."""
    with _engine() as engine:
        _tell(engine.pause(execution_id, by=_me()), as_json=as_json)
    return 0


@executions.command()
@_options(follows=True)
def kill(execution_id: str, detach: bool, quiet: bool, as_json: bool) -> int:
    """Stop an execution, and those that it waits for. Exits 0 when it has ended."""
    with _engine(quiet=quiet) as engine:
        if detach:
            engine.kill(execution_id)
            execution = engine.execution(execution_id)
        else:
            execution = engine.follow(execution_id, first=lambda: engine.kill(execution_id))
        _tell(execution, as_json=as_json, quiet=quiet)
    return 0


@executions.command()
@_options(follows=True)
@click.argument("new_state", metavar="STATE", type=click.Choice(_ENDS, case_sensitive=False))
@click.option("--task", metavar="TASK", help="Of this task, as ID, ID[VALUE] or a task run's id.")
def status(execution_id: str, new_state: State, task: str | None, detach: bool, quiet: bool, as_json: bool) -> int:
    """Give an execution that has ended, or one of its tasks, another final STATE.

    With --task the execution goes on from there.
    """
    wanted = State(new_state)
    if task is not None:
        return _follow(
            execution_id,
            lambda engine: engine.change_task_run(execution_id, task, wanted, by=_me()),
            detach=detach,
            quiet=quiet,
            as_json=as_json,
        )
    with _engine(quiet=quiet) as engine:
        _tell(engine.change_status(execution_id, wanted, by=_me()), as_json=as_json, quiet=quiet)
    return 0


@executions.command("force-run")
@_options(follows=True)
def force_run(execution_id: str, detach: bool, quiet: bool, as_json: bool) -> int:
    """Begin an execution that waits for its time or its place; let a paused one go on."""
    return _follow(
        execution_id,
        lambda engine: engine.force_run(execution_id, by=_me()),
        detach=detach,
        quiet=quiet,
        as_json=as_json,
    )


@executions.command()
@_options(follows=True)
def unqueue(execution_id: str, detach: bool, quiet: bool, as_json: bool) -> int:
    """Begin an execution that is QUEUED for a place."""
    return _follow(
        execution_id,
        lambda engine: engine.unqueue(execution_id, by=_me()),
        detach=detach,
        quiet=quiet,
        as_json=as_json,
    )


@executions.command()
@_options(follows=False)
@click.argument("labels", metavar="KEY=VALUE...", nargs=-1, required=True)
def label(execution_id: str, labels: tuple[str, ...], as_json: bool) -> int:
    """Label an execution. Labels that it has keep their values, unless they are named."""
    with _engine() as engine:
        _tell(engine.set_labels(execution_id, key_values(labels, "the label")), as_json=as_json)
    return 0


@executions.command()
@_options(follows=False)
@click.option("--force", is_flag=True, help="Kill it first, if it has not ended.")
def delete(execution_id: str, force: bool, as_json: bool) -> int:
    """Delete an execution that has ended, with its logs, metrics and files."""
    with _engine() as engine:
        engine.delete(execution_id, force=force)
    if as_json:
        say_json({"id": execution_id, "deleted": True})
    else:
        click.echo(f"deleted {execution_id}")
    return 0


@executions.command()
@click.option("--older-than", metavar="DURATION", help="Only those that began so long ago, such as P30D or PT12H.")
@click.option("--namespace", "-n", help="Only of this namespace and those below it.")
@click.option("--flow", "-f", "flow_id", metavar="ID", help="Only of this flow.")
@click.option(
    "--state", "-s", "states", multiple=True, type=click.Choice(_ENDS, case_sensitive=False), help="Only these."
)
@click.option("--label", "-l", "labels", multiple=True, metavar="KEY=VALUE", help="Only those with this label.")
@click.option("--dry-run", is_flag=True, help="Only count them.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
def purge(older_than: str | None, labels: tuple[str, ...], *, dry_run: bool, as_json: bool, **which: Any) -> int:
    """Delete executions that have ended, with their logs, metrics and files; at least one option says which."""
    from engine.ports import ExecutionFilter

    if older_than is None and not labels and not any(which.values()):
        raise UsageError("say which executions are to go", hint="--older-than P30D; PT0S is all that have ended")
    before = _ago(older_than) if older_than is not None else None
    which["states"] = which["states"] or sorted(TERMINAL)
    where = ExecutionFilter(**which, labels=key_values(labels, "--label"), started_before=before, limit=0)
    if dry_run:
        with open_history() as store:
            told = {"executions": store.executions(where)[1]}
    else:
        with _engine() as engine:
            swept = engine.retention.purge(where)
        told = {"executions": swept.executions, "files": swept.files}
    if as_json:
        say_json(told)
    else:
        counts = " and ".join(f"{count:,} {name if count != 1 else name[:-1]}" for name, count in told.items())
        click.echo(f"{'would delete' if dry_run else 'deleted'} {counts}")
    return 0


def _ago(duration: str) -> datetime:
    from engine.model.duration import parse_duration
    from engine.runtime.clock import SystemClock

    try:
        return SystemClock().now() - parse_duration(duration)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"--older-than: {error}") from None
