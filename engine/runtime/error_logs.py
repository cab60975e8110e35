"""`errorLogs()`: what went wrong so far in the execution that asks, as tasks in `errors` want to tell it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from engine.ports import LogLine, Store

_PAGE = 1000


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
        for line in _lines(store, execution_id)
    ]


def _lines(store: Store, execution_id: str) -> Iterator[LogLine]:
    after = 0
    while page := store.logs(execution_id, after=after, limit=_PAGE, min_level="ERROR"):
        yield from page
        last = page[-1].id
        assert last is not None  # the store gives every line its id
        after = last
