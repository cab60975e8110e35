"""One task after the other, all in one folder.

The folder is made when the first task asks for it, unless files are put into it before; that, and what becomes of its
files, is a worker's business. It dies with its engine, so a WorkingDirectory that was open then runs again whole.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from engine.core.context import Context
from engine.core.flowable.opening import Closing
from engine.core.flowable.sequential import begin, nexts, outcome
from engine.core.rendering import Asked
from engine.expressions import Functions, Language
from engine.expressions.faults import Unavailable
from engine.model.execution import TaskRun
from engine.model.flow import WorkingDirectory
from engine.model.state import State

__all__ = ["begin", "close", "expression", "nexts", "outcome", "question"]


class FolderWork(Asked, frozen=True):
    """What is to be done with the folder: filled, before the first task (`state` is None), or looked through at the
    end. The answer at the end is the container's outputs.
    """

    IS_WORK: ClassVar[bool] = True

    task: WorkingDirectory
    state: State | None = None

    def calls_out(self, written_in: Language) -> bool:
        return True

    def answer(self, context: Context, functions: Functions, written_in: Language) -> Any:
        raise Unavailable("A folder cannot be touched here,", code="function-unavailable")


def expression(task: WorkingDirectory) -> tuple[str, Any] | None:
    namespace_files = task.namespace_files is not None and task.namespace_files.enabled
    return ("folder", FolderWork(task)) if task.input_files or namespace_files or task.cache else None


def question(task: WorkingDirectory, state: State) -> tuple[str, Any] | None:
    ended = state in (State.SUCCESS, State.WARNING, State.FAILED)
    return ("folder", FolderWork(task, state)) if ended and (task.output_files or task.cache) else None


def close(task: WorkingDirectory, run: TaskRun, state: State, value: Any, at: datetime) -> Closing | str:
    return Closing(state, outputs=value)
