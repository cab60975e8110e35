"""What is left of the attempts of an engine that is gone, and its end: before anything of them is run again."""

from __future__ import annotations

from engine.core.recovery import Survivors
from engine.model.execution import Execution
from engine.model.state import AttemptState


def survivors(execution: Execution) -> Survivors:
    """End the processes of all attempts that were at work; which of them cannot be ended, by task run.

    It may take some seconds: not for the loop's thread.
    """
    found = {}
    for run in execution.task_runs.values():
        attempt = run.attempts[-1] if run.attempts else None
        if attempt is None or attempt.process is None or attempt.state is not AttemptState.STARTED:
            continue
        from engine.sdk.process.ending import end  # lazy: most executions have none

        if left := end(attempt.process):
            found[run.id] = tuple(sorted(left))
    return found
