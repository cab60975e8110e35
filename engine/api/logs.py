"""The routes about what tasks have logged."""

from __future__ import annotations

from collections.abc import Iterator

from starlette.requests import Request
from starlette.responses import Response

from engine.api.answers import Json
from engine.api.reading import engine_of
from engine.ports import LogLine
from engine.present import iso_time, log_json
from engine.runtime.log_lines import log_lines

# Kestra's names of parameters are what they are.
# ruff: noqa: N803


def of_execution(
    request: Request,
    execution_id: str,
    minLevel: str | None = None,
    taskRunId: str | None = None,
    taskId: str | None = None,
    attempt: int | None = None,
) -> Json:
    """What an execution has logged, the oldest first."""
    execution = engine_of(request).execution(execution_id)
    of_flow = {"namespace": execution.namespace, "flowId": execution.flow_id}
    lines = _lines(request, execution_id, minLevel, taskRunId, taskId, attempt)
    return Json([{**log_json(line), **of_flow} for line in lines])


def download(
    request: Request,
    execution_id: str,
    minLevel: str | None = None,
    taskRunId: str | None = None,
    taskId: str | None = None,
    attempt: int | None = None,
) -> Response:
    """The same as a text file, a line each."""
    engine_of(request).execution(execution_id)  # an unknown one is a 404, not an empty file
    lines = _lines(request, execution_id, minLevel, taskRunId, taskId, attempt)
    text = "".join(f"{iso_time(line.at)} {line.level} {line.message}\n" for line in lines)
    return Response(
        text.encode(errors="replace"),
        media_type="text/plain",
        headers={"Content-Disposition": f'attachment; filename="{_file_name(execution_id)}"'},
    )


def _lines(
    request: Request,
    execution_id: str,
    min_level: str | None,
    task_run_id: str | None,
    task_id: str | None,
    attempt: int | None,
) -> Iterator[LogLine]:
    for line in log_lines(engine_of(request).store, execution_id, task_id=task_id, min_level=min_level):
        if task_run_id in (None, line.task_run_id) and attempt in (None, line.attempt):
            yield line


def _file_name(execution_id: str) -> str:
    return f"{''.join(char for char in execution_id if char.isalnum() or char in '-_')}.log"


ROUTES = (
    ("GET", "/logs/{execution_id}", of_execution),
    ("GET", "/logs/{execution_id}/download", download),
)
