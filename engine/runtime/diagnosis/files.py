"""Are the files that outputs name still there?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from engine.errors import FileRefused
from engine.model import file_uri
from engine.model.execution import Execution
from engine.ports import Files
from engine.runtime.diagnosis.finding import Finding

_DEPTH = 20  #: how deep in outputs URIs are looked for


def missing_files(execution: Execution, files: Files) -> Iterator[Finding]:
    """Files of its own that an execution's outputs name and that are gone.

    Of one that is over, that is only worth knowing: a purge or a task may have removed them.
    """
    values = [execution.inputs, execution.outputs, *(run.outputs for run in execution.task_runs.values())]
    for uri in dict.fromkeys(uri for value in values for uri in _uris(value, _DEPTH)):
        try:
            mine = file_uri.execution_of(uri) == execution.id
            gone = mine and not files.exists(uri)
        except FileRefused:  # text that only begins like one
            continue
        if gone:
            yield Finding(
                what=f"execution {execution.id} names a file that is gone: {file_uri.shown(uri)}",
                hint="Restore the storage folder from a backup"
                + ("; nothing is wrong if a task or a purge has removed it." if execution.is_over else "."),
                execution_id=execution.id,
                grave=not execution.is_over,
            )


def _uris(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        if value.startswith(file_uri.SCHEME) and len(value) <= file_uri.MAX_URI:
            yield value
    elif depth and isinstance(value, Mapping):
        for below in value.values():
            yield from _uris(below, depth - 1)
    elif depth and isinstance(value, list | tuple):
        for below in value:
            yield from _uris(below, depth - 1)
