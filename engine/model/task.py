"""What every task is written with, and the two kinds of task: what a plugin runs, and what holds tasks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints

from engine.model.definition import Definition
from engine.model.properties import Retry

TaskId = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_-]*$", min_length=1, max_length=256)]
LogLevel = Literal["ERROR", "WARN", "INFO", "DEBUG", "TRACE"]
#: What becomes of a task run whose engine died under it: it runs again, it has failed, or a person decides.
OnLost = Literal["RERUN", "FAIL", "PAUSE"]


class TaskCache(Definition):
    """Whether a task that ran before with the same properties gives what it gave then, and for how long."""

    enabled: bool
    ttl: str | None = None  #: ISO-8601; None is for ever


class Task(Definition):
    """What every task has, whatever it does."""

    id: TaskId
    type: str
    description: str | None = None
    disabled: bool = False
    run_if: str | bool | None = Field(default=None, alias="runIf")  #: `when` in Kestra 2.0
    allow_failure: bool = False
    allow_warning: bool = False
    timeout: str | None = None  #: ISO-8601 duration or an expression; of one attempt
    retry: Retry | None = None
    on_lost: OnLost | None = None  #: None: as the container around it; in the end RERUN
    log_level: LogLevel | None = None
    log_to_file: bool = False
    task_cache: TaskCache | None = None  #: of a container it means nothing
    worker_group: Mapping[str, Any] | None = None

    def branches(self) -> Mapping[str, tuple[Task, ...]]:
        """The lists of child tasks by the name of the property they stand in. Empty for a runnable task."""
        return {}


class RunnableTask(Task):
    """A task that a plugin runs. `type` is canonical (aliases are resolved)."""

    properties: Mapping[str, Any] = Field(default_factory=dict)  #: as written, not rendered


class Container(Task):
    """A task that holds tasks."""

    #: Canonical type string first, then its aliases.
    TYPES: ClassVar[tuple[str, ...]] = ()
    #: Whether its main tasks run once for each of several values.
    LOOPS: ClassVar[bool] = False

    errors: tuple[Task, ...] = ()  #: after a failure
    finally_: tuple[Task, ...] = Field(default=(), alias="finally")  #: after all else, whatever happened

    def branches(self) -> Mapping[str, tuple[Task, ...]]:
        return {**self.main_branches(), "errors": self.errors, "finally": self.finally_}

    def main_branches(self) -> Mapping[str, tuple[Task, ...]]:
        """The branches without `errors` and `finally`."""
        raise NotImplementedError
