"""What a running task can reach: its logger, its metrics, its files, expressions, and the wish that it stop.

A Protocol: the runtime fulfils it for real runs, `engine.sdk.testing` for tests.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Literal, Protocol

from engine.model.execution import StartedProcess
from engine.model.state import State
from engine.sdk.executions import Executions
from engine.sdk.files import FileAccess
from engine.sdk.keyvalues import KeyValues
from engine.sdk.process.policy import ProcessPolicy

LogLevel = Literal["ERROR", "WARN", "INFO", "DEBUG", "TRACE"]

#: What the levels of a flow are called in Python's logging.
LOG_LEVELS: Mapping[LogLevel, int] = {
    "ERROR": logging.ERROR,
    "WARN": logging.WARNING,
    "INFO": logging.INFO,
    "DEBUG": logging.DEBUG,
    "TRACE": 5,
}


class RunContext(Protocol):
    """One attempt's view of the world. Good for one thread, until `run` returns."""

    @property
    def execution_id(self) -> str: ...

    @property
    def task_run_id(self) -> str: ...

    @property
    def task_id(self) -> str: ...

    @property
    def namespace(self) -> str:
        """The namespace of the flow."""

    @property
    def flow_id(self) -> str: ...

    @property
    def attempt(self) -> int:
        """1 for the first attempt."""

    @property
    def kv(self) -> KeyValues:
        """What flows remember between their runs."""

    @property
    def vars(self) -> Mapping[str, Any]:
        """The variables of the execution, as they stood when the attempt began."""

    @property
    def executions(self) -> Executions:
        """The executions of this instance."""

    @property
    def logger(self) -> logging.Logger:
        """Lines written here show in the execution's log; secrets are masked."""

    @property
    def working_dir(self) -> Path:
        """A private empty folder, made when first asked for, removed after the attempt.

        In a WorkingDirectory it is the one folder of all tasks, and stays until the last of them has ended.
        """

    @property
    def files(self) -> FileAccess:
        """All that can be done with stored files: their sizes, deleting them, the files of a namespace."""

    def put_file(self, source: Path | bytes | BinaryIO, name: str | None = None) -> str:
        """Store a file under this task run, for the tasks that follow, and return its URI.

        `name` may have folders in it; without one, a path keeps its own, and content gets one by chance.
        """

    def open_file(self, uri: str) -> BinaryIO:
        """The content of a file by a URI of any kind (see FileAccess), to be read and closed.

        Raises NotFound, and FileRefused for a file that this execution may not read.
        """

    @property
    def idempotency_key(self) -> str:
        """`taskrun.idempotencyKey`: the same for all attempts, also after a crash, for services that honour one."""

    @property
    def process_policy(self) -> ProcessPolicy:
        """What commands of this machine may do here."""

    def process_started(self, process: StartedProcess) -> None:
        """Record a process of this attempt. It does nothing until this has returned."""

    @property
    def deadline(self) -> float | None:
        """When the attempt's `timeout` strikes, on time.monotonic(); None without a timeout."""

    @property
    def cancelled(self) -> bool:
        """True once the attempt should stop."""

    def check_cancelled(self) -> None:
        """Raise TaskCancelled if the attempt should stop."""

    def sleep(self, seconds: float) -> None:
        """Wait, but not longer than until the attempt should stop; then raise TaskCancelled."""

    def now(self) -> datetime:
        """The time, aware UTC."""

    def render(self, template: str, variables: Mapping[str, Any] | None = None) -> str:
        """Render an expression to text. It sees `variables` before all others."""

    def evaluate(self, template: Any, variables: Mapping[str, Any] | None = None) -> Any:
        """Evaluate an expression to its native value; anything but text comes back as it is."""

    def counter(self, name: str, value: float = 1, /, **tags: str) -> None:
        """Add to a counter metric of this task run."""

    def timer(self, name: str, seconds: float, /, **tags: str) -> None:
        """Report a duration as a metric of this task run."""

    def set_labels(self, labels: Mapping[str, str]) -> None:
        """Label the execution. As all changes to it: once the attempt succeeds, and only then.

        Raises TaskFailed for a name that begins with `system.`.
        """

    def set_variables(self, variables: Mapping[str, Any]) -> None:
        """Set variables of the execution; maps within maps are merged with those that are there."""

    def unset_variables(self, paths: Iterable[str]) -> None:
        """Remove variables of the execution, each named by a dotted path."""

    def end_execution(self, state: State) -> None:
        """End the execution: nothing starts any more, what runs ends by itself, or with KILLED is stopped."""

    def run_task(self, definition: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Run another task as part of this attempt, by its definition as in a flow. Returns its outputs.

        Its properties are rendered as this task's are. Raises NotFound for an unknown type, and what the task raises.
        """

    def mask(self, secret: str) -> None:
        """Never show this text in anything that the attempt writes."""


def truthy(rendered: str) -> bool:
    """Whether a rendered condition holds: anything but an empty text, `false`, `0` and `-0`."""
    from engine.expressions import truthy as judge  # lazy: most plugins have no conditions

    return judge(rendered)
