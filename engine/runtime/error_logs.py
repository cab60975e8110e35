"""`errorLogs()`: what went wrong so far in the execution that asks, as tasks in `errors` want to tell it."""

from __future__ import annotations

from typing import Any

from engine.ports import Store
from engine.runtime.log_lines import log_lines


def error_logs(store: Store, execution_id: str) -> list[dict[str, Any]]:
    """The error lines of an execution, in order, by the names that they have in Kestra.

    Those that are committed: why an earlier task failed always is.
    """
    return [
        {
            "executionId": line.execution_id,
            "taskId": line.task_id,
            "taskRunId": line.task_run_id,
            "attemptNumber": line.attempt,
            "timestamp": line.at,
            "level": line.level,
            "message": line.message,
        }
        for line in log_lines(store, execution_id, min_level="ERROR")
    ]
