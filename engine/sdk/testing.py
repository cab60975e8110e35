"""Runs one task without an engine, for the tests of whoever writes it.

    from engine.sdk.testing import run_task

    def test_greets() -> None:
        result = run_task({"type": Greet, "name": "{{ inputs.who }}"}, inputs={"who": "Ada"})
        assert result.outputs == {"greeting": "Hello Ada"}

Properties are rendered, typed and checked, and outputs become plain data, by the very code that the engine uses.
Always true: no time passes (the clock moves when the task sleeps), nothing is left on disk, and what the task raises
is in the result.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from engine.dialect.document import read
from engine.dialect.source import decode
from engine.errors import NotFound, PluginBroken, RetryLater, TaskCancelled, TaskFailed, UsageError
from engine.expressions import Functions, evaluate, render
from engine.model import file_uri
from engine.model.events import Effects
from engine.model.execution import StartedProcess
from engine.model.state import State
from engine.sdk.changes import NOTHING, Changes
from engine.sdk.context import LOG_LEVELS
from engine.sdk.fake_executions import FakeExecutions
from engine.sdk.fake_keyvalues import FakeKeyValues
from engine.sdk.faults import told
from engine.sdk.files import FileAccess
from engine.sdk.folder import load_folder
from engine.sdk.inner import run_inner
from engine.sdk.memory_files import MemoryFiles
from engine.sdk.outputs import plain
from engine.sdk.process.policy import ProcessPolicy
from engine.sdk.properties import prepared
from engine.sdk.task import RESERVED, Task

#: When the fake clock starts.
START = datetime(2025, 1, 1, tzinfo=UTC)
MASK = "******"

_LEVEL_NAMES = {number: name for name, number in LOG_LEVELS.items()}


class Log(NamedTuple):
    level: str
    message: str


class Metric(NamedTuple):
    name: str
    kind: str  #: counter or timer (seconds)
    value: float
    tags: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskResult:
    """How the task ended. `state` is SUCCESS, FAILED or KILLED."""

    state: State
    outputs: Mapping[str, Any]
    logs: list[Log]
    metrics: list[Metric]
    files: Mapping[str, bytes] = field(default_factory=dict)  #: what is stored in the end, by URI
    effects: Effects = NOTHING  #: what the task changes about its execution
    error: str | None = None
    retry_after: float | None = None  #: seconds, when the task raised RetryLater
    exception: BaseException | None = None  #: what was raised, with its traceback


@dataclass(kw_only=True)
class FakeContext(Changes):
    """A RunContext for tests. Its clock stands still unless the task sleeps."""

    task_id: str = "task"
    variables: Mapping[str, Any] = field(default_factory=dict)  #: what expressions see
    secrets: Mapping[str, str] = field(default_factory=dict)  #: what `secret('KEY')` answers
    cancel_after: float | None = None  #: seconds of sleep after which the task is told to stop; 0: from the start
    kv: FakeKeyValues = field(default_factory=FakeKeyValues)
    executions: FakeExecutions = field(default_factory=FakeExecutions)
    plugins: str | Path | None = None  #: a folder to find the types of inner tasks in
    execution_id: str = "execution"
    task_run_id: str = "taskrun"
    namespace: str = "test"
    flow_id: str = "flow"
    attempt: int = 1
    idempotency_key: str = "idempotency-key"
    deadline: float | None = None
    process_policy: ProcessPolicy = ProcessPolicy()  # noqa: RUF009  # frozen
    processes: list[StartedProcess] = field(default_factory=list)
    logs: list[Log] = field(default_factory=list)
    metrics: list[Metric] = field(default_factory=list)
    slept: float = 0.0  #: seconds
    storage: MemoryFiles = field(default_factory=MemoryFiles)

    def __post_init__(self) -> None:
        self.logger = logging.Logger(self.task_id, LOG_LEVELS["TRACE"])
        self.logger.addHandler(_Recorder(self))
        self._masked: list[str] = []
        self._folder: Path | None = None
        self.kv.now = self.now
        self.files = FileAccess(
            self.storage,
            namespace=self.namespace,
            folder=file_uri.task_run_folder(
                self.namespace, self.flow_id, self.execution_id, self.task_id, self.task_run_id
            ),
            related=lambda execution_id: True,  # whatever the test has put there
        )
        self._functions = Functions(
            now=self.now,
            seed=self.task_run_id,
            secret=self._secret,
            kv=self.kv.function(self.namespace),
            read=self.files.read_text,
            file_uri=self.files.uri,
            file_size=self.files.size,
            file_exists=self.files.exists,
            is_file_empty=self.files.is_empty,
        )

    @property
    def vars(self) -> Mapping[str, Any]:
        variables: Mapping[str, Any] = self.variables.get("vars", {})
        return variables

    def run_task(self, definition: Mapping[str, Any]) -> Mapping[str, Any] | None:
        return run_inner(self, definition, lambda type_: _task_class(type_, self.plugins))

    def process_started(self, process: StartedProcess) -> None:
        self.processes.append(process)

    def put_file(self, source: Path | bytes | BinaryIO, name: str | None = None) -> str:
        return self.files.put(source, name)

    def open_file(self, uri: str) -> BinaryIO:
        return self.files.open(uri)

    @property
    def working_dir(self) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="penstock-test-"))
        return self._folder

    @property
    def cancelled(self) -> bool:
        return self.cancel_after is not None and self.slept >= self.cancel_after

    def check_cancelled(self) -> None:
        if self.cancelled:
            raise TaskCancelled("the task was told to stop")

    def sleep(self, seconds: float) -> None:
        self.slept += max(seconds, 0.0)
        if self.cancel_after is not None:
            self.slept = min(self.slept, self.cancel_after)
        self.check_cancelled()

    def now(self) -> datetime:
        return START + timedelta(seconds=self.slept)

    def render(self, template: str, variables: Mapping[str, Any] | None = None) -> str:
        return render(template, {**self.variables, **(variables or {})}, self._functions)

    def evaluate(self, template: Any, variables: Mapping[str, Any] | None = None) -> Any:
        if not isinstance(template, str):
            return template
        return evaluate(template, {**self.variables, **(variables or {})}, self._functions)

    def counter(self, name: str, value: float = 1, /, **tags: str) -> None:
        self.metrics.append(Metric(name, "counter", value, tags))

    def timer(self, name: str, seconds: float, /, **tags: str) -> None:
        self.metrics.append(Metric(name, "timer", seconds, tags))

    def mask(self, secret: str) -> None:
        self._masked.append(secret)

    def masked(self, text: str) -> str:
        """The text as the engine would show it."""
        for secret in self._masked:
            text = text.replace(secret, MASK)
        return text

    def close(self) -> None:
        """Remove the working folder."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _secret(self, key: str, **_: Any) -> str:
        if key not in self.secrets:
            raise NotFound(f'there is no secret "{key}"', hint=f'pass secrets={{"{key}": "..."}} to run_task')
        self.mask(self.secrets[key])
        return self.secrets[key]


class _Recorder(logging.Handler):
    def __init__(self, context: FakeContext) -> None:
        super().__init__()
        self._context = context

    def emit(self, record: logging.LogRecord) -> None:
        level = _LEVEL_NAMES.get(record.levelno, record.levelname)
        self._context.logs.append(Log(level, self._context.masked(record.getMessage())))


def run_task(
    task: str | Mapping[str, Any],
    *,
    inputs: Mapping[str, Any] | None = None,
    outputs: Mapping[str, Any] | None = None,
    vars: Mapping[str, Any] | None = None,  # noqa: A002  the word in expressions
    secrets: Mapping[str, str] | None = None,
    kv: FakeKeyValues | None = None,
    executions: FakeExecutions | None = None,
    files: Mapping[str, str | bytes] | None = None,
    plugins: str | Path | None = None,
    cancel_after: float | None = None,
) -> TaskResult:
    """Run a task as it would stand in a flow: YAML text, or a map whose `type` may be the class itself.

    `inputs`, `outputs` (by task id), `vars` and `secrets` are what its expressions see; `files` are what is stored, by
    a URI of any kind, or by a path in the namespace; `kv` holds what flows remember, `executions` those that there are;
    `plugins` is a folder to find the type in; `cancel_after` tells the task to stop once it has slept so many seconds.
    Raises UsageError, NotFound or PluginBroken when there is nothing to run.
    """
    definition = _definition(task)
    task_class = _task_class(definition.get("type"), plugins)
    task_id = str(definition.get("id", "task"))
    variables: dict[str, Any] = {
        "flow": {"id": "flow", "namespace": "test", "revision": 1},
        "execution": {"id": "execution", "startDate": START},
        "task": {"id": task_id, "type": task_class.TYPE},
        "taskrun": {"id": "taskrun", "startDate": START, "attemptsCount": 1, "idempotencyKey": "idempotency-key"},
        "outputs": outputs or {},
        "vars": vars or {},
    }
    if inputs:  # a flow without inputs has no such variable
        variables["inputs"] = inputs
    context = FakeContext(
        task_id=task_id,
        variables=variables,
        secrets=secrets or {},
        kv=kv or FakeKeyValues(),
        executions=executions or FakeExecutions(),
        plugins=plugins,
        cancel_after=cancel_after,
    )
    for uri, content in (files or {}).items():
        content = content.encode() if isinstance(content, str) else content
        context.storage.put(context.files.uri(uri), BytesIO(content))
    properties = {key: value for key, value in definition.items() if key not in RESERVED}
    try:
        return _attempt(task_class, properties, context)
    finally:
        context.close()


def _attempt(task_class: type[Task], properties: Mapping[str, Any], context: FakeContext) -> TaskResult:
    def ended(state: State, returned: Any = None, error: BaseException | None = None) -> TaskResult:
        return TaskResult(
            state=state,
            outputs=plain(returned) or {},
            logs=context.logs,
            metrics=context.metrics,
            files=context.storage.contents,
            effects=context.effects if state is State.SUCCESS else NOTHING,
            error=context.masked(told(error)) if error else None,
            retry_after=error.seconds if isinstance(error, RetryLater) else None,
            exception=error,
        )

    try:
        return ended(State.SUCCESS, prepared(task_class, properties, context).run(context))
    except TaskCancelled as error:
        return ended(State.KILLED, error=error)
    except TaskFailed as error:
        return ended(State.FAILED, error.outputs, error)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001  a task may raise anything; the test looks at it
        return ended(State.FAILED, error=error)


def _definition(task: str | Mapping[str, Any]) -> Mapping[str, Any]:
    data = read(decode(task, "<task>")).data if isinstance(task, str) else task
    if not isinstance(data, Mapping):
        raise UsageError("a task is a map", hint="write `type:` and the task's properties, as in a flow")
    return data


def _task_class(type_: Any, plugins: str | Path | None) -> type[Task]:
    if isinstance(type_, type) and issubclass(type_, Task):
        return type_
    problems = []
    for found in load_folder(Path(plugins)) if plugins else ():
        if found.task_class is None:
            problems.append(f"{found.error}")
        elif type_ in (found.task_class.TYPE, *found.task_class.ALIASES):
            return found.task_class
    for known in _subclasses(Task):
        if type_ in (known.TYPE, *known.ALIASES):
            return known
    if problems:
        raise PluginBroken("\n".join(problems))
    raise NotFound(
        f'there is no task type "{type_}"', hint="import the module that defines it, or name its folder: plugins="
    )


def _subclasses(cls: type[Task]) -> Iterator[type[Task]]:
    """All classes below a class, the newest first."""
    for child in reversed(cls.__subclasses__()):
        yield from _subclasses(child)
        yield child
