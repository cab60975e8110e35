"""The real RunContext: what one attempt sees of the world.

Log lines and metrics leave through `emit` as soon as they are made, masked; the loop commits them.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

from msgspec import Struct

from engine.core.context import Context
from engine.core.facts import Facts
from engine.errors import PenstockError, PluginBroken, TaskCancelled, TaskTimedOut
from engine.expressions import Functions, language
from engine.model import file_uri
from engine.model.containers import ROUND
from engine.model.execution import Execution, StartedProcess, TaskRun
from engine.model.flow import Flow, RunnableTask
from engine.ports import Cipher, Clock, LogLine, Metric
from engine.runtime.keyvalues import KeyValues
from engine.runtime.masking import Masker
from engine.runtime.outside import Asker, Reach
from engine.runtime.sealing import revealing
from engine.sdk import Task
from engine.sdk.changes import Changes
from engine.sdk.executions import Executions
from engine.sdk.files import FileAccess
from engine.sdk.inner import run_inner
from engine.sdk.process.policy import ProcessPolicy

TRACE = 5
#: The stop signal of work that nobody can stop, because it runs inside the loop.
_NEVER = threading.Event()
#: How long a log may get, in bytes, before it is kept on disk while the attempt runs.
_IN_MEMORY = 1024 * 1024
_LEVELS = {
    "TRACE": TRACE,
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "ERROR": logging.ERROR,
}


def folder_of(flow: Flow, run: TaskRun) -> str:
    """Where a task run puts its files."""
    task_id = run.task_id.removesuffix(ROUND)
    return file_uri.task_run_folder(flow.namespace, flow.id, run.execution_id, task_id, run.id)


class Assignment(Struct, frozen=True, kw_only=True):
    """A claimed task run and all that is needed to run it. `execution` is the snapshot of the claim."""

    flow: Flow
    execution: Execution
    run: TaskRun
    task: RunnableTask
    facts: Facts
    cipher: Cipher
    outside: Reach  #: what expressions may call, and what can be done with files
    kv: KeyValues
    executions: Executions
    task_class: Callable[[str], type[Task]]  #: the types of tasks inside the task
    clock: Clock
    process_policy: ProcessPolicy = ProcessPolicy()
    shared: Callable[[], Path] | None = None  #: the folder of the WorkingDirectory around it
    record: Callable[[StartedProcess], None] | None = None  #: None: inside the loop, where nothing is started


class AttemptContext(Changes):
    """Fulfils engine.sdk.RunContext."""

    def __init__(self, assignment: Assignment, emit: Callable[[LogLine | Metric], None]) -> None:
        self.assignment = assignment
        self.masker = Masker()
        self.deadline: float | None = None
        self.time_limit: str | None = None
        self.claimed_at: datetime | None = None  #: when the answer must be the claim as well
        self.has_processes = False  #: whether it has started any, which it ends before it answers
        self._emit = emit
        self._stop = _NEVER
        self._logger: logging.Logger | None = None
        self._log_file: BinaryIO | None = None  #: of a task that has its log in a file
        self._writing = threading.Lock()
        self._folder: Path | None = None
        run = assignment.run
        facts = revealing(assignment.facts, assignment.cipher, self.masker.add)
        self._context = Context(assignment.flow, assignment.execution, run, facts)
        self._functions: Functions | None = None
        self._language = language(assignment.flow.expressions)
        self._files: FileAccess | None = None

    # -- who and when

    @property
    def execution_id(self) -> str:
        return self.assignment.execution.id

    @property
    def task_run_id(self) -> str:
        return self.assignment.run.id

    @property
    def task_id(self) -> str:
        return self.assignment.run.task_id

    @property
    def attempt(self) -> int:
        return max(len(self.assignment.run.attempts), 1)

    @property
    def idempotency_key(self) -> str:
        key = self._context.idempotency_key
        assert key is not None
        return key

    def now(self) -> datetime:
        return self.assignment.clock.now()

    # -- expressions

    def render(self, template: str, variables: Mapping[str, Any] | None = None) -> str:
        return self._language.render(template, self._seen(variables), self.functions) if "{" in template else template

    def evaluate(self, template: Any, variables: Mapping[str, Any] | None = None) -> Any:
        if not isinstance(template, str) or "{" not in template:
            return template
        return self._language.evaluate(template, self._seen(variables), self.functions)

    def _seen(self, variables: Mapping[str, Any] | None) -> Context:
        """What an expression sees, with more variables before all others."""
        if not variables:
            return self._context
        known = self._context
        return Context(known.flow, known.execution, known.run, known.facts, variables)

    @property
    def functions(self) -> Functions:
        """What expressions may call out to; made when the first expression needs it."""
        if self._functions is None:
            self._functions = self.assignment.outside.functions(self._asker)
        return self._functions

    @property
    def _asker(self) -> Asker:
        run, flow = self.assignment.run, self.assignment.flow
        return Asker(
            seed=f"{run.id}/{run.epoch}",
            namespace=flow.namespace,
            flow_id=flow.id,
            execution_id=run.execution_id,
            execution=self.assignment.execution,
            folder=folder_of(flow, run),
            mask=self.masker.add,
        )

    # -- what it tells

    @property
    def logger(self) -> logging.Logger:
        if self._logger is None:
            self._logger = logging.Logger(self.task_id, TRACE)
            self._logger.addHandler(_Forward(self))
        return self._logger

    def log(self, level: str, message: str) -> None:
        """A log line, unless the task's `logLevel` is above it."""
        wanted = self.assignment.task.log_level
        if wanted is not None and _LEVELS[level] < _LEVELS[wanted]:
            return
        at, message = self.now(), self.masker.text(message)
        if self.assignment.task.log_to_file:
            self._keep(f"{at.isoformat()} {level} {message}\n")
            return
        self._emit(
            LogLine(
                execution_id=self.execution_id,
                at=at,
                level=level,
                message=message,
                task_run_id=self.task_run_id,
                task_id=self.task_id,
                attempt=self.attempt,
            )
        )

    def _keep(self, line: str) -> None:
        with self._writing:
            if self._log_file is None:
                file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115  closed with the attempt
                self._log_file = cast("BinaryIO", file)
            self._log_file.write(line.encode("utf-8", "surrogatepass"))

    def stored_log(self) -> str | None:
        """The URI of the attempt's log, for a task that has it in a file; None when it said nothing."""
        if self._log_file is None:
            return None
        self._log_file.seek(0)
        try:
            return self.put_file(self._log_file, f"attempt-{self.attempt}.log")
        except PenstockError as error:
            told = LogLine(
                execution_id=self.execution_id,
                at=self.now(),
                level="WARN",
                message=f"the log of this attempt cannot be stored: {error.message}",
                task_run_id=self.task_run_id,
                task_id=self.task_id,
                attempt=self.attempt,
            )
            self._emit(told)
            return None

    def counter(self, name: str, value: float = 1, /, **tags: str) -> None:
        self._metric(name, "counter", value, tags)

    def timer(self, name: str, seconds: float, /, **tags: str) -> None:
        self._metric(name, "timer", seconds, tags)

    def _metric(self, name: str, kind: str, value: float, tags: dict[str, str]) -> None:
        self._emit(
            Metric(
                execution_id=self.execution_id,
                at=self.now(),
                task_run_id=self.task_run_id,
                task_id=self.task_id,
                name=name,
                kind=kind,
                value=float(value),
                tags=self.masker.value(tags),
            )
        )

    def mask(self, secret: str) -> None:
        self.masker.add(secret)

    # -- what flows remember

    @property
    def namespace(self) -> str:
        return self.assignment.flow.namespace

    @property
    def flow_id(self) -> str:
        return self.assignment.flow.id

    @property
    def kv(self) -> KeyValues:
        return self.assignment.kv

    @property
    def vars(self) -> Mapping[str, Any]:
        variables: Mapping[str, Any] = self._context["vars"]
        return variables

    # -- other executions, other tasks

    @property
    def executions(self) -> Executions:
        return self.assignment.executions

    def run_task(self, definition: Mapping[str, Any]) -> Mapping[str, Any] | None:
        return run_inner(self, definition, self.assignment.task_class)

    # -- commands

    @property
    def process_policy(self) -> ProcessPolicy:
        return self.assignment.process_policy

    def process_started(self, process: StartedProcess) -> None:
        if self.assignment.record is None:
            raise PluginBroken(f"{self.assignment.task.type} is pure, so it cannot run commands")
        self.has_processes = True
        self.assignment.record(process)

    # -- stopping

    def make_stoppable(self) -> None:
        """From now on the attempt can be told to stop."""
        self._stop = threading.Event()

    @property
    def cancelled(self) -> bool:
        return self._stop.is_set()

    def cancel(self) -> None:
        """Wish that the attempt stop. Safe from any thread."""
        self._stop.set()

    def check_cancelled(self) -> None:
        if self._stop.is_set():
            raise TaskCancelled("the task was told to stop")

    def check_deadline(self) -> None:
        """Raise TaskTimedOut if the attempt has taken too long."""
        if self.deadline is not None and self.assignment.clock.monotonic() >= self.deadline:
            raise TaskTimedOut("the task ran out of time")

    def sleep(self, seconds: float) -> None:
        if self._stop.wait(max(seconds, 0.0)):
            self.check_cancelled()

    # -- files

    @property
    def files(self) -> FileAccess:
        if self._files is None:
            self._files = self.assignment.outside.files(self._asker)
        return self._files

    def put_file(self, source: Path | bytes | BinaryIO, name: str | None = None) -> str:
        return self.files.put(source, name)

    def open_file(self, uri: str) -> BinaryIO:
        return self.files.open(uri)

    @property
    def working_dir(self) -> Path:
        if self.assignment.shared is not None:
            return self.assignment.shared()
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="penstock-"))
        return self._folder

    def close(self) -> None:
        """Remove what the attempt left in its working folder."""
        if self._log_file is not None:
            self._log_file.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


class _Forward(logging.Handler):
    """Hands the lines of a task's logger to its context."""

    def __init__(self, context: AttemptContext) -> None:
        super().__init__()
        self._context = context

    def emit(self, record: logging.LogRecord) -> None:
        level = (
            "TRACE"
            if record.levelno < logging.DEBUG
            else {"WARNING": "WARN", "CRITICAL": "ERROR"}.get(record.levelname, record.levelname)
        )
        message = record.getMessage()
        if record.exc_info:
            message = f"{message}\n{logging.Formatter().formatException(record.exc_info)}"
        self._context.log(level if level in _LEVELS else "INFO", message)
