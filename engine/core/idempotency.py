"""The key by which a service outside can tell that it has been asked for the same thing before.

Always true: all attempts of a task run have one key, whatever became of the engines that made them, and so has a task
run that takes the place of one whose folder was lost; another round of a loop, and what a person restarts, has another.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from engine.model.execution import TaskRun
from engine.model.flow import Flow, LoopUntil
from engine.model.state import State


def idempotency_key(flow: Flow, run: TaskRun, around: Sequence[TaskRun]) -> str:
    """The SHA-256, in hex, of the execution, the task, the way to it through loops, and how often it was restarted.

    `around` are the task runs of the containers around it, nearest first.
    """
    way: list[str | int] = []
    for step in (run, *around):
        if step.value is not None:
            way.append(step.value)
        elif step is not run and isinstance(flow.tree.places[step.task_id].task, LoopUntil):
            way.append((step.outputs or {}).get("iterationCount", 1))
    restarts = sum(change.state is State.RESTARTED for step in (run, *around) for change in step.history)
    said = json.dumps([run.execution_id, run.task_id, way, restarts])
    return hashlib.sha256(said.encode()).hexdigest()
