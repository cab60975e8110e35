"""How people name a task run: by its own id, by its task's, or as TASK[VALUE] where the task ran for several values."""

from __future__ import annotations

from engine.dialect.suggest import nearest
from engine.errors import NotFound, UsageError
from engine.model.execution import Execution, TaskRun


def named_run(execution: Execution, name: str) -> TaskRun:
    """The task run that is meant. Raises NotFound with a did-you-mean, UsageError if several may be."""
    if name in execution.task_runs:
        return execution.task_runs[name]
    task_id, _, value = name.removesuffix("]").partition("[")
    of_task = [run for run in execution.in_order() if run.task_id in (name, task_id)]
    found = of_task if "[" not in name else [run for run in of_task if run.value == value]
    if len(found) == 1:
        return found[0]
    if found:
        some = ", ".join(f"{run.id}{f' ({run.value})' if run.value is not None else ''}" for run in found[:5])
        raise UsageError(
            f"the task {task_id} has {len(found)} task runs in execution {execution.id}",
            hint=f"name one of them, as {task_id}[VALUE] or by its id: {some}{', ...' if len(found) > 5 else ''}",
        )
    if of_task:
        values = ", ".join(run.value for run in of_task if run.value is not None)
        raise NotFound(f"no task {task_id} ran for {value} in execution {execution.id}", hint=f"it ran for {values}")
    known = list(dict.fromkeys(run.task_id for run in execution.in_order()))
    close = nearest(task_id, known)
    hint = f"did you mean {close}?" if close else f"these did: {', '.join(known)}" if known else None
    raise NotFound(f"no task {task_id} ran in execution {execution.id}", hint=hint)
