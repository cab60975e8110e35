"""Whose files an execution may touch besides its own: those of its family.

Executions hand files to each other by their URIs: a flow to the flow that it calls, and back in its outputs; a flow to
the one that its end triggers; a run to its replay. A URI that came any other way opens nothing.
"""

from __future__ import annotations

from engine.model.execution import Execution


def is_related(execution: Execution, other: str) -> bool:
    """Whether an execution may touch the files of the one with the id `other`."""
    if other in (execution.id, execution.parent_id, execution.original_id):
        return True
    trigger = execution.trigger or {}
    cause = trigger.get("variables") or trigger
    if cause.get("executionId") == other:
        return True
    return any(
        other in (run.calls or ()) or (run.outputs is not None and run.outputs.get("executionId") == other)
        for run in execution.task_runs.values()
    )
