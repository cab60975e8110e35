"""`penstock eval`: what an expression gives in the place of a task that ran, without running anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from engine.cli.commands import Command, open_engine
from engine.cli.executions import found
from engine.cli.terminal import as_json, printable
from engine.errors import ExpressionError, NotFound, UsageError

if TYPE_CHECKING:
    from engine.model.execution import Execution, TaskRun


@click.command("eval", cls=Command)
@click.argument("execution_id", metavar="EXECUTION")
@click.argument("expression")
@click.option("--task", "task_id", metavar="ID", help="See it as this task saw it (its last run).")
def evaluate(execution_id: str, expression: str, task_id: str | None) -> None:
    """Evaluate an expression as an execution sees it: penstock eval latest '{{ outputs }}'."""
    from engine.core.context import Context
    from engine.expressions import language
    from engine.present import json_ready
    from engine.runtime.masking import Masker
    from engine.runtime.outside import Asker
    from engine.runtime.sealing import revealing

    masker = Masker()
    with open_engine() as engine:
        execution = found(engine.store, execution_id)
        record = engine.store.flow(execution.namespace, execution.flow_id, execution.flow_revision)
        if record is None:
            raise NotFound(f"revision {execution.flow_revision} of the flow is gone")
        flow = engine.parse(record.source, file=f"{record.namespace}/{record.id}", revision=record.revision)
        run = _last_run(execution, task_id) if task_id else None
        context = Context(flow, execution, run, revealing(engine.facts, engine.cipher, masker.add))
        try:
            asker = Asker(
                seed=execution.id,
                namespace=flow.namespace,
                flow_id=flow.id,
                execution_id=execution.id,
                execution=execution,
                mask=masker.add,
            )
            value = language(flow.expressions).evaluate(expression, context, engine.outside.functions(asker))
        except ExpressionError as error:
            raise UsageError(f"{masker.text(error.message)}{_caret(error, expression)}", hint=error.hint) from None
    text = value if isinstance(value, str) else as_json(json_ready(value))
    click.echo(printable(masker.text(text)))


def _last_run(execution: Execution, task_id: str) -> TaskRun:
    runs = [run for run in execution.in_order() if run.task_id == task_id]
    if not runs:
        raise NotFound(f"no task {task_id} ran in {execution.id}")
    return runs[-1]


def _caret(error: ExpressionError, expression: str) -> str:
    if error.offset is None or error.template != expression or "\n" in expression:
        return ""
    return f"\n    {expression}\n    {' ' * error.offset}^"
